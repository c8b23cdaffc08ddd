"""`archgauge keys`, and what `serve` makes of having none."""

import json
from pathlib import Path

import pytest

from archgauge.cli import main


def test_keys_are_made_listed_and_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = ["--data-dir", str(tmp_path)]
    assert main(["keys", "list", *state]) == 0
    assert "there are no keys" in capsys.readouterr().err
    assert main(["keys", "create", "search job", "--scope", "predict", "--scope", "agent", "--days", "3", *state]) == 0
    token = capsys.readouterr().out.strip()
    assert token.startswith("ag_")
    assert main(["keys", "list", "--json", *state]) == 0
    said = capsys.readouterr().out
    (key,) = json.loads(said)
    assert (key["name"], key["scopes"], key["state"]) == ("search job", ["agent", "predict"], "active")
    assert token.rpartition("_")[2] not in said
    assert main(["keys", "revoke", key["id"], *state]) == 0
    capsys.readouterr()
    assert main(["keys", "list", *state]) == 0
    assert "revoked" in capsys.readouterr().out
    assert main(["keys", "revoke", "nothing", *state]) == 1


def test_serving_everybody_needs_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--host", "0.0.0.0", "--port", "0", "--data-dir", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "archgauge keys create" in said and "answers on" not in said

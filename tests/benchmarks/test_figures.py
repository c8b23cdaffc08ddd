"""Figures beside their targets, and commands that run only when they are told to."""

import importlib
from pathlib import Path

import pytest
from click.testing import CliRunner

import benchmarks
from benchmarks.__main__ import SAFETY, SPEED, main
from benchmarks.figures import Figure

FOLDER = Path(benchmarks.__file__).parent
FILES = [*FOLDER.glob("*.py"), *FOLDER.glob("*/__main__.py")]
COMMANDS = sorted(".".join(("benchmarks", *file.relative_to(FOLDER).with_suffix("").parts)) for file in FILES)


def test_figures_are_set_against_their_targets() -> None:
    assert Figure("p50", 4.9, " ms", at_most=5.0).cells() == ("p50", "4.9 ms", "≤ 5 ms", "yes")
    assert Figure("rows", 19_999.6, "/s", at_least=20_000).cells() == ("rows", "20,000/s", "≥ 20,000/s", "no")
    assert Figure("lost", 0, at_most=0).met is True
    assert Figure("answers", 1234567).cells() == ("answers", "1,234,567", "", "")


def test_parts_that_break_fail_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(SPEED, "inserting", lambda _: [Figure("slow", 1.0, at_least=2.0)])
    monkeypatch.setitem(SAFETY, "schema", lambda _: [Figure("found", 1.0, at_most=0.0)])
    only = ["--data-dir", str(tmp_path), "--only", "inserting"]
    assert CliRunner().invoke(main, only).exit_code == 0
    done = CliRunner().invoke(main, [*only, "--only", "schema"])
    assert done.exit_code == 1 and "slow" in done.stdout and "found" in done.stdout


@pytest.mark.parametrize("name", [name for name in COMMANDS if not name.endswith("__init__")])
def test_importing_a_command_does_not_run_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    importlib.import_module(name)
    assert capsys.readouterr().out == ""

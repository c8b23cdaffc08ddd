"""The reference in the documents is the API's own description, whose examples `test_openapi` sends."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from service.app import create_app
from service.reference import render
from service.settings import Settings

FILE = Path(__file__).parents[2] / "docs/api.md"


def test_the_reference_is_up_to_date(tmp_path: Path) -> None:
    expected = render(create_app(Settings(data_dir=tmp_path)).openapi())
    assert FILE.read_text() == expected, "run: python -m service.reference > docs/api.md"


def test_every_endpoint_has_a_command_that_asks_for_it(tmp_path: Path) -> None:
    document = create_app(Settings(data_dir=tmp_path)).openapi()
    commands = [shlex.split(line) for line in FILE.read_text().splitlines() if line.startswith("    curl ")]
    asked = set()
    for words in commands:
        posts = {"--json", "--data-binary"} & set(words)
        method = words[words.index("--request") + 1] if "--request" in words else "POST" if posts else "GET"
        asked.add((method.lower(), words[-1].removeprefix("$ARCHGAUGE")))
    for path, operations in document["paths"].items():
        pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))
        for method in operations:
            assert any(m == method and pattern.fullmatch(p) for m, p in asked), (method, path)
    assert len(asked) == sum(len(operations) for operations in document["paths"].values())

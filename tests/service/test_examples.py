"""The examples as people run them: programs of their own, over HTTP against the real service."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(program: str, *arguments: str) -> Any:
    command = [sys.executable, str(EXAMPLES / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def dominates(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Better in one of the objectives and worse in none."""
    first = (-a["proxy"], a["latency_ms"], a["energy_mj"] or 0.0)
    second = (-b["proxy"], b["latency_ms"], b["energy_mj"] or 0.0)
    return first != second and all(x <= y for x, y in zip(first, second, strict=True))


def test_an_evolutionary_search_finds_a_front(base_url: str, tmp_path: Path) -> None:
    file = tmp_path / "pareto.svg"
    settings = ["--url", base_url, "--population", "16", "--seed", "1", "--target", "example"]
    first = run("evolutionary_search.py", *settings, "--generations", "1")
    front = run("evolutionary_search.py", *settings, "--generations", "6", "--plot", str(file))
    assert len(front) > 3
    assert not any(dominates(a, b) for a in front for b in front)
    assert any(dominates(a, b) for a in front for b in first)
    assert "<svg" in file.read_text()


def test_a_study_meets_its_limit(base_url: str) -> None:
    found = run("constrained_study.py", "--url", base_url, "--trials", "25", "--limit-ms", "12")
    assert found["above_ms"] <= 0.0 and found["latency_ms"] < 12.0
    assert 0 < found["meeting"] <= found["of_trials"] == 25


def test_a_limit_that_nothing_meets_is_said(base_url: str) -> None:
    command = [sys.executable, str(EXAMPLES / "constrained_study.py"), "--url", base_url, "--trials", "2"]
    done = subprocess.run([*command, "--limit-ms", "0.001"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1 and "raise the limit" in done.stderr


@pytest.mark.parametrize("genes", [(), (0,) * 15, (4, *(0,) * 15), (-1, *(0,) * 15)])
def test_what_is_no_architecture_of_the_space_is_refused(genes: tuple[int, ...]) -> None:
    code = f"import sys; sys.path.insert(0, {str(EXAMPLES)!r}); from mobile_space import *; Architecture({genes!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "is no architecture of this space" in done.stderr

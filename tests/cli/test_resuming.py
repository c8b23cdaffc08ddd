"""Profiling that was stopped goes on where it was."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from archgauge.cli import main

LIMIT_S = 60.0


@contextmanager
def profiling(folder: Path, items: int) -> Iterator[subprocess.Popen[str]]:
    """``archgauge profile`` in a process of its own, once it has measured ``items`` items."""
    line = [sys.executable, "-m", "archgauge", "profile", "--budget", "5m", "--data-dir", str(folder)]
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + LIMIT_S
        while measured(folder) < items:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "nothing is measured"
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.communicate()


def measured(folder: Path) -> int:
    """Complete lines in the spool, without its head."""
    spools = list((folder / "spool").glob("*.ndjson"))
    return sum(spool.read_bytes().count(b"\n") - 1 for spool in spools)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_stopped_run_is_continued(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with profiling(tmp_path, items=2) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 1
        assert process.stderr is not None
        assert "the same command goes on" in process.stderr.read()
    after_interrupt = measured(tmp_path)
    assert after_interrupt >= 2
    with profiling(tmp_path, items=after_interrupt + 1) as process:
        process.kill()
    after_kill = measured(tmp_path)
    # What the spool holds took longer than this budget: nothing more is measured, and the table is written.
    assert main(["profile", "--budget", "1s", "--data-dir", str(tmp_path), "--json"]) in (0, 1)
    capsys.readouterr()
    assert main(["tables", "list", "--json", "--data-dir", str(tmp_path)]) == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert table["manifest"]["counts"]["contexts"] >= after_kill - 1

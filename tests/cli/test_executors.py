"""What runs models: chosen on the command line, or as a target has it."""

from pathlib import Path

import click
import pytest

from archgauge.cli import main
from archgauge.errors import CommandError
from archgauge.executors import Executor
from archgauge.measuring import executor_of
from archgauge.options import _provider, _setting
from lookup_tables import DeviceFingerprint, Target

CUDA = "CUDAExecutionProvider"


def test_providers_have_short_names() -> None:
    assert [_provider(text) for text in ("cpu", "CUDA", "QNNExecutionProvider")] == [
        "CPUExecutionProvider", CUDA, "QNNExecutionProvider",
    ]  # fmt: skip


def test_options_are_set() -> None:
    assert _setting("use_tf32=0") == ("use_tf32", "0")
    assert _setting("a=b=c") == ("a", "b=c")
    for text in ("use_tf32", "=0", ""):
        with pytest.raises(click.BadParameter, match="NAME=VALUE"):
            _setting(text)


def test_a_target_says_what_runs_it() -> None:
    target = Target(DeviceFingerprint("x"), provider=CUDA, options=(("use_tf32", "0"),), threads=2)
    executor = Executor.of(target.to_json())
    assert executor == Executor(2, CUDA, "onnxruntime", (("use_tf32", "0"),))
    assert executor.changed(None, None, None, {}) == executor
    assert executor.changed(1, None, None, {"device_id": "1"}).options == (("device_id", "1"), ("use_tf32", "0"))
    other = executor.changed(None, "CPUExecutionProvider", None, {})
    assert (other.threads, other.options) == (2, ())


def test_without_a_store_the_processor_runs_it(tmp_path: Path) -> None:
    assert executor_of(None, tmp_path / "nothing") == Executor()


def test_this_machine_has_no_such_provider(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match="threads are not possible"):
        Executor(threads=4096).target()
    assert main(["profile", "--provider", "cuda", "--budget", "1s", "--data-dir", str(tmp_path)]) == 1
    assert "onnxruntime-gpu" in capsys.readouterr().err
    assert main(["profile", "--provider", "npu", "--budget", "1s", "--data-dir", str(tmp_path)]) == 1
    assert "known are" in capsys.readouterr().err

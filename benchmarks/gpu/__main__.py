"""The whole path on a CUDA machine in at most eight minutes: profile, train, whole models, energy.

    pip install -e client -e '.[all]' && pip uninstall -y onnxruntime && pip install 'onnxruntime-gpu==1.31.*'
    python -m benchmarks.gpu results
    archgauge tables import results/table.zip          # on any machine

``results`` then has table.zip (the lookup table with all measurements), report.md and report.json, models.json (every
measurement of the models that were not profiled) and the data directory that all of it was made in. With
``--rehearse`` a made-up GPU takes the place of a real one (`benchmarks.gpu.simulation`): all but the hardware is real,
and no figure means anything.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import click

from archgauge import options
from archgauge.executors import PROVIDERS, Executor
from benchmarks.gpu.path import carry_out
from benchmarks.gpu.simulation import CUPTI_VARIABLE

_ROOT = Path(__file__).resolve().parents[2]
_SITE = Path(__file__).resolve().parent / "site"
#: Set in the process that rehearses.
_REHEARSING = "ARCHGAUGE_REHEARSING"


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--minutes", type=click.FloatRange(0.5, 60), default=8.0, show_default=True, help="For all of it.")
@click.option("--models", type=click.IntRange(1), default=9, show_default=True, help="Real networks to check.")
@options.provider
@options.runtime_options
@click.option("--rehearse", is_flag=True, help="With a made-up GPU instead of a real one.")
def main(
    folder: Path, minutes: float, models: int, provider: str | None, runtime_options: dict[str, str], rehearse: bool
) -> None:
    """Profile, train, check whole models and meter energy; results go to FOLDER, which must not exist."""
    if rehearse and _REHEARSING not in os.environ:
        sys.exit(_again())
    begun = time.monotonic()
    executor = Executor(provider=provider or PROVIDERS["cuda"], options=tuple(sorted(runtime_options.items())))
    folder.mkdir(parents=True)
    text = carry_out(folder, executor, 60 * minutes, models, made_up=rehearse)
    click.echo(text)
    click.echo(f"{folder}: all of it took {(time.monotonic() - begun) / 60:.1f} minutes")


def _again() -> int:
    """The same command, with the made-up GPU before the real runtime on the path of modules."""
    path = os.pathsep.join(filter(None, (str(_SITE), str(_ROOT), os.environ.get("PYTHONPATH"))))
    environment = {CUPTI_VARIABLE: "1", **os.environ, "PYTHONPATH": path, _REHEARSING: "1"}
    command = [sys.executable, "-m", "benchmarks.gpu", *sys.argv[1:]]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    main()

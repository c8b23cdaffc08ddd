"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])
#: Names the data directory where no option does.
DATA_DIR_VARIABLE = "ARCHGAUGE_DATA_DIR"

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def duration(text: str) -> float:
    """Seconds in ``10m``, ``75s``, ``1h30m`` or a plain number of seconds."""
    match = _DURATION.fullmatch(text.strip().lower())
    hours, minutes, seconds = (float(part or 0) for part in match.groups()) if match else (0.0, 0.0, 0.0)
    total = hours * 3600 + minutes * 60 + seconds
    if total <= 0:
        raise click.BadParameter(f"{text!r} is not a duration; write 10m, 75s or 1h30m")
    return total


def dimension(text: str) -> tuple[str, int]:
    """Name and size in ``sequence=128``."""
    name, _, size = text.partition("=")
    if not name or not size.isdecimal() or int(size) < 1:
        raise click.BadParameter(f"{text!r} does not bind a dimension; write NAME=128")
    return name, int(size)


def _provider(text: str) -> str:
    from archgauge.executors import PROVIDERS

    return PROVIDERS.get(text.lower(), text)


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{text!r} sets no option; write NAME=VALUE")
    return name, value


def shape(text: str) -> tuple[str, tuple[int, ...]]:
    """Name and sizes in ``x=1,3,320,320``; names may contain an equals sign."""
    name, _, sizes = text.rpartition("=")
    parts = sizes.split(",")
    if not name or not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{text!r} is not a shape; write INPUT=1,3,320,320")
    return name, tuple(map(int, parts))


def _choose_data_dir(context: click.Context, _param: click.Parameter, value: Path | None) -> Path:
    """The command's own --data-dir, the one given before the command's name, the variable, the platform's folder."""
    chosen = value or context.find_root().params.get("data_dir") or os.environ.get(DATA_DIR_VARIABLE)
    if chosen is None:
        from platformdirs import user_data_path

        chosen = user_data_path("archgauge", appauthor=False)
    return Path(chosen).expanduser().absolute()


def _mapping(_context: click.Context, _param: click.Parameter, value: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return dict(value)


_folder = click.Path(file_okay=False, path_type=Path)

files = click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
data_dir = click.option(
    "--data-dir", metavar="DIR", type=_folder, callback=_choose_data_dir,
    help="Where tables, predictors and the database are kept (default: the platform's user data folder; "
    f"environment variable {DATA_DIR_VARIABLE}).",
)  # fmt: skip
root_data_dir = click.option("--data-dir", metavar="DIR", type=_folder, help="The same option of the commands.")
target = click.option("--target", metavar="T", help="Id or alias of a target (default: the one promoted last).")
threads = click.option(
    "--threads", metavar="N", type=click.IntRange(1, 1024), help="Threads of the runtime (default: the target's, or 1)."
)
batch_size = click.option(
    "--batch-size", metavar="N", type=click.IntRange(1), help="Binds leading symbolic dimensions (default: 1)."
)
dims = click.option(
    "--dim", "dims", metavar="NAME=V", type=dimension, multiple=True, callback=_mapping,
    help="Binds a named dimension; may be repeated.",
)  # fmt: skip
input_shapes = click.option(
    "--shape", "input_shapes", metavar="INPUT=1,3,320,320", type=shape, multiple=True, callback=_mapping,
    help="Gives an input its shape; may be repeated.",
)  # fmt: skip
provider = click.option(
    "--provider", metavar="P", type=_provider,
    help="What computes: cpu, cuda, or a provider's full name (default: the target's, or cpu).",
)  # fmt: skip
runtime = click.option(
    "--runtime", metavar="R", help="The runtime, as it is registered (default: the target's, or onnxruntime)."
)
runtime_options = click.option(
    "--option", "runtime_options", metavar="NAME=VALUE", type=_setting, multiple=True,
    callback=_mapping, help="An option of the runtime, such as use_tf32=0; another target for each. May be repeated.",
)  # fmt: skip
seconds = click.option(
    "--seconds", type=click.FloatRange(0.05, 600), default=2.0, show_default=True, metavar="S",
    help="Time to spend on each model.",
)  # fmt: skip
meter = click.option(
    "--meter", metavar="M", default="auto", show_default=True,
    help="Meter of energy: auto, none, rapl, nvml, jetson, battery, hwmon:NAME, csv:FILE or http://…#field:W.",
)  # fmt: skip
json_output = click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, to standard output.")
seed = click.option("--seed", metavar="N", type=click.IntRange(0), default=0, help="Seed of all random choices.")


def model_options(command: _Command) -> _Command:
    """The options that bind a model's dimensions, as keyword arguments batch_size, dims and input_shapes."""
    for option in (input_shapes, dims, batch_size):
        command = option(command)
    return command


def executor(command: _Command) -> _Command:
    """The options that choose what runs models: threads, provider, runtime and runtime_options."""
    for option in (runtime_options, runtime, provider, threads):
        command = option(command)
    return command


def examples(*lines: str) -> str:
    """The end of a command's help: lines that can be typed as they are."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)

"""``archgauge lowering``: is what we predict for what the runtime executes?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archgauge import options

if TYPE_CHECKING:
    from archgauge.kernel_text import Difference
    from graphs import Kernel
    from lookup_tables import Target


@click.group(no_args_is_help=True)
def command() -> None:
    """Check how graphs are lowered to kernels."""


@command.command(
    epilog=options.examples("archgauge lowering check model.onnx", "archgauge lowering check --json *.onnx")
)
@options.files
@options.threads
@options.provider
@options.model_options
@options.json_output
def check(
    files: tuple[Path, ...], threads: int | None, provider: str | None, as_json: bool, **bindings: Any
) -> int:  # fmt: skip
    """Compare our kernels with those that the installed runtime really makes of each model.

    The runtime loads and runs the file itself, with its own weights. The two lists are compared as multisets of kernel
    keys. Exit status 1 if any model differs.
    """
    from archgauge.executors import Executor
    from archgauge.output import print_json, progress

    target = Executor().changed(threads, provider, None, {}).target()
    found: list[tuple[Path, Difference]] = []
    with progress("Lowering") as report:
        for index, file in enumerate(files):
            report(index / len(files), file.name)
            found.append((file, _compare(file, target, bindings)))
    if as_json:
        print_json([_to_json(file, difference) for file, difference in found])
    else:
        for file, difference in found:
            _print(file, difference)
    return 0 if all(difference.equal for _, difference in found) else 1


def _compare(file: Path, target: Target, bindings: dict[str, Any]) -> Difference:
    from archgauge import models
    from archgauge.errors import UnreadableModel
    from archgauge.kernel_text import compare
    from graphs import GraphError, lower
    from profilers import observe_lowering

    graph = models.prepare(file, bindings)
    try:
        ours = lower(graph, target.lowering)
    except GraphError as error:
        raise UnreadableModel(f"{file}: {error}") from error
    return compare(ours, observe_lowering(file, target.threads, provider=target.provider, **bindings))


def _print(file: Path, difference: Difference) -> None:
    from archgauge.kernel_text import describe

    if difference.equal:
        click.echo(f"{file.name}: {difference.ours} kernels, all equal")
        return
    click.echo(f"{file.name}: {difference.ours} kernels of ours, {difference.theirs} of the runtime; they differ")
    for title, kernels in (("only ours", difference.only_ours), ("only the runtime's", difference.only_theirs)):
        if kernels:
            click.echo(f"  {title}:")
        for kernel, count in kernels:
            click.echo(f"    {count} × {describe(kernel)}")


def _to_json(file: Path, difference: Difference) -> dict[str, Any]:
    return {
        "file": str(file), "equal": difference.equal, "ours": difference.ours, "runtime": difference.theirs,
        "only_ours": _kernels(difference.only_ours), "only_runtime": _kernels(difference.only_theirs),
    }  # fmt: skip


def _kernels(kernels: Sequence[tuple[Kernel, int]]) -> list[dict[str, Any]]:
    from graphs.kernels import to_json

    return [{"count": count, **to_json(kernel)} for kernel, count in kernels]

"""Everything that the service is measured by, in one table: what was measured beside what is wanted.

    python -m benchmarks [--data-dir DIR] [--only serving --only inserting …]

Takes half an hour, most of it for ten minutes of mixed load and ten thousand damaged bodies. Each part prints its own
details on the way, and can be run alone: ``python -m benchmarks.serving``, ``benchmarks.inserting``,
``benchmarks.search_spaces``, ``benchmarks.robustness``. Speeds mean something only on a machine that does nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from archgauge import options
from archgauge.output import stdout
from benchmarks import inserting, search_spaces
from benchmarks.figures import Figure, as_table
from benchmarks.robustness import checks
from benchmarks.robustness.soak import soak
from benchmarks.serving import measuring

#: Those that promise speed, and those that promise that nothing breaks: the latter fail the command.
SPEED: dict[str, Callable[[Path], list[Figure]]] = {
    "serving": measuring.measure,
    "inserting": lambda _: inserting.measure(),
    "search-spaces": search_spaces.measure,
}
SAFETY: dict[str, Callable[[Path], list[Figure]]] = {"schema": checks.schema, "mutated": checks.mutated, "soak": soak}


@click.command()
@options.data_dir
@click.option("--only", multiple=True, type=click.Choice([*SPEED, *SAFETY]), help="One part; repeat it.")
def main(data_dir: Path, only: tuple[str, ...]) -> None:
    """Measure the service and print what was measured beside what is wanted."""
    figures: list[Figure] = []
    broken = False
    for name, measure in (SPEED | SAFETY).items():
        if only and name not in only:
            continue
        click.echo(f"{name} …", err=True)
        found = measure(data_dir)
        figures += found
        broken |= name in SAFETY and any(figure.met is False for figure in found)
    stdout().print(as_table(figures))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()

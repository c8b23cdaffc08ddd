"""The `archgauge` command: its subcommands, its errors and its exit status.

Commands live in `archgauge.commands`, one file each, imported when one of them runs; what a command needs beyond its
options is imported inside it. So `--help` is quick, and a device that only measures needs no web framework.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from archgauge import __version__, options
from archgauge.errors import explain

#: Subcommands and the lines that describe them; ``lowering check`` and the like are groups inside their module.
COMMANDS = {
    "profile": "Measure this machine, train on it, promote unless worse.",
    "predict": "Predict what models cost, without running them.",
    "measure": "Run whole models here under the measuring protocol.",
    "evaluate": "Predict and measure models, and compare.",
    "lowering": "Check our kernels against the runtime's.",
    "serve": "Serve predictions over HTTP.",
    "worker": "Carry out the service's jobs.",
    "agent": "Measure on this device what a service asks for.",
    "train": "Train a predictor on tables that are there already.",
    "tables": "List, export and import lookup tables.",
    "predictors": "List and promote predictors.",
    "keys": "Make, list and revoke API keys.",
    "db": "Look after the database.",
    "demo": "The whole way on nine real networks, in four minutes.",
}


class _Commands(click.Group):
    """Finds a subcommand's module by its name."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = import_module(f"archgauge.commands.{name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=_Commands,
    no_args_is_help=True,
    epilog=options.examples("archgauge profile --budget 10m", "archgauge predict model.onnx"),
)
@options.root_data_dir
@click.version_option(__version__, prog_name="archgauge")
def app(data_dir: Path | None) -> None:
    """What a neural architecture will cost on a device (latency, energy, memory), without running it there."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (`sys.argv` by default); returns 0, 1 (failed) or 2 (bad usage)."""
    try:
        status = app.main(args=arguments, prog_name="archgauge", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 1
    except Exception as error:
        line = explain(error)
        if line is None:
            raise
        click.echo(f"error: {line}", err=True)
        return 1


def run() -> None:
    """The console script."""
    sys.exit(main())

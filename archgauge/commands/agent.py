"""``archgauge agent``: this device measures what a service asks for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archgauge import options

if TYPE_CHECKING:
    from profilers.agent import Agent

#: A key that may measure, where there is no one-time token.
KEY_VARIABLE = "ARCHGAUGE_API_KEY"


@click.command(
    epilog=options.examples(
        "archgauge agent --server https://archgauge.example --token ae_…",
        "archgauge agent --server http://127.0.0.1:8080 --once --quiet-hours 08:00-19:00 --max-temperature 70",
    )
)
@click.option("--server", metavar="URL", required=True, help="The service to measure for.")
@click.option("--token", metavar="T", help="One-time token that enrols this device; not needed any more once it did.")
@click.option("--name", metavar="NAME", help="What to call this device (default: as the token says).")
@click.option("--once", is_flag=True, help="End after one task.")
@click.option("--max-duration", metavar="D", type=options.duration, help="End after so long, such as 8h.")
@click.option("--budget", metavar="D", type=options.duration, help="End after so much measuring, such as 30m.")
@click.option("--quiet-hours", metavar="HH:MM-HH:MM", help="Measure nothing in this part of the day (local time).")
@click.option(
    "--max-temperature", metavar="C", type=click.FloatRange(20, 150),
    help="Wait while the device is hotter, in degrees Celsius.",
)  # fmt: skip
@click.option("--max-spool", metavar="MIB", type=click.IntRange(1), default=512, show_default=True,
              help="Ask for no more work while so much waits to be sent.")  # fmt: skip
@options.threads
@click.option("--runtime", metavar="NAME", default="onnxruntime", show_default=True, help="The runtime to measure.")
@click.option("--provider", metavar="NAME", default="CPUExecutionProvider", show_default=True, help="Its provider.")
@options.meter
@options.data_dir
def command(
    server: str, token: str | None, name: str | None, once: bool, max_duration: float | None, budget: float | None,
    quiet_hours: str | None, max_temperature: float | None, max_spool: int, threads: int | None, runtime: str,
    provider: str, meter: str, data_dir: Path,
) -> None:  # fmt: skip
    """Ask a service for work, measure it on this device, and send what came of it, again and again.

    The agent may be killed at any moment and goes on where it was; without a network it keeps what it measured.
    """
    from archgauge.output import progress
    from profilers.agent import Agent, Home, Limits, Pace
    from profilers.agent.describing import Wanted
    from profilers.agent.pacing import QuietHours

    try:
        quiet = QuietHours.parse(quiet_hours) if quiet_hours else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--quiet-hours") from None
    with progress("Measuring") as report:
        agent = Agent(
            server, Home(data_dir / "agent"), Wanted(threads or 1, runtime, provider, meter),
            token=token, key=os.environ.get(KEY_VARIABLE), name=name, pace=Pace(quiet, max_temperature),
            limits=Limits(once, max_duration, budget, max_spool * 2**20),
            say=lambda text: click.echo(text, err=True), report=report,
        )  # fmt: skip
        _run(agent)


def _run(agent: Agent) -> None:
    """A polite kill ends as Ctrl-C does: with what was measured on disk, to be gone on with."""
    import signal

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    agent.run()

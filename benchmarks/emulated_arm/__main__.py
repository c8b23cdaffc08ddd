"""ARM without any: set up an emulated machine, run the agent on it end to end, check how its runtime lowers graphs.

    python -m benchmarks.emulated_arm agent [--networks 6]
    python -m benchmarks.emulated_arm [--cpu cortex-a72] lowering [--seeds 1,2] [--families resnet,bert] [--record]
    python -m benchmarks.emulated_arm python -- -c 'import platform; print(platform.machine())'

Times that are measured there say nothing about any processor; the service keeps them apart and never promotes them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
import platformdirs

from archgauge.kernel_text import compare, describe
from archgauge.output import stdout, table
from benchmarks import record_lowering
from benchmarks.emulated_arm.lowering import observe, profile_of, write_kernel_types
from benchmarks.emulated_arm.machine import CPU, MIRROR, EmulatedArm, NoEmulation
from benchmarks.emulated_arm.proof import prove
from graphs import Graph, GraphError, Kernel, LoweringProfile, lower, write_onnx
from graphs.spaces import FAMILIES


@click.group()
@click.option("--folder", type=click.Path(path_type=Path), help="Where the machine lies (default: the user's cache).")
@click.option("--cpu", default=CPU, show_default=True, help="The processor, as QEMU calls it.")
@click.option("--mirror", default=MIRROR, show_default=True, help="Where Debian's packages come from.")
@click.pass_context
def main(context: click.Context, folder: Path | None, cpu: str, mirror: str) -> None:
    """ARM under an emulator."""
    folder = folder or platformdirs.user_cache_path("archgauge") / "emulated-arm"
    try:
        context.obj = EmulatedArm.prepare(folder, _say, cpu, mirror)
    except NoEmulation as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.option("--networks", default=6, show_default=True, help="How many small ones to measure.")
@click.pass_obj
def agent(machine: EmulatedArm, networks: int) -> None:
    """Enrol, lease, measure, upload, make a table and a predictor; fails unless promoting it is refused."""
    with tempfile.TemporaryDirectory() as folder:
        proof = prove(machine, Path(folder), networks, _say)
    rows = table("what", "seen", words=("seen",))
    for what, seen in proof.seen.items():
        rows.add_row(what, seen)
    stdout().print(rows)
    sys.exit(0 if proof.holds else 1)


@main.command()
@click.option("--seeds", default="1", show_default=True, help="Of every family, separated by commas.")
@click.option("--families", default="", help="Names, separated by commas (default: all).")
@click.option("--record", is_flag=True, help="Write the fixture of the lowering tests and the table of kernels.")
@click.pass_obj
def lowering(machine: EmulatedArm, seeds: str, families: str, record: bool) -> None:
    """Compare our kernels with those that onnxruntime for aarch64 makes of synthetic networks."""
    profile = profile_of(machine)
    _say(str(profile))
    if record:
        _say(f"wrote {write_kernel_types(machine, profile)}")
        names = record_lowering.names()
    else:
        names = [
            f"{name}:{seed}" for name in (families.split(",") if families else FAMILIES) for seed in seeds.split(",")
        ]
    graphs = {name: record_lowering.network(name) for name in names}
    observed: dict[str, list[Kernel]] = {}
    verdicts = Counter[str]()
    for name, theirs in observe(machine, {name: write_onnx(graph) for name, graph in graphs.items()}):
        if isinstance(theirs, str):
            verdict = _refused(graphs[name], profile, theirs)
        else:
            observed[name] = theirs
            verdict = _compared(graphs[name], profile, theirs)
        click.echo(f"{name}: {verdict}")
        verdicts[verdict.partition(":")[0].partition("\n")[0]] += 1
    if record:
        _say(f"wrote {record_lowering.write(profile, observed)}")
    click.echo(", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()))
    sys.exit(0 if verdicts.keys() <= {"equal", "refused by both"} else 1)


def _compared(graph: Graph, profile: LoweringProfile, theirs: Sequence[Kernel]) -> str:
    try:
        found = compare(lower(graph, profile), theirs)
    except GraphError as error:
        return f"refused by us: {error}"
    if found.equal:
        return "equal"
    lines = [f"    ours   {count} × {describe(kernel)}" for kernel, count in found.only_ours]
    lines += [f"    theirs {count} × {describe(kernel)}" for kernel, count in found.only_theirs]
    return "\n".join(["different", *lines])


def _refused(graph: Graph, profile: LoweringProfile, why: str) -> str:
    try:
        lower(graph, profile)
    except GraphError:
        return "refused by both"
    return f"refused by the runtime: {why.splitlines()[0][:200]}"


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def python(machine: EmulatedArm, arguments: tuple[str, ...]) -> None:
    """Run the emulated Python."""
    sys.exit(subprocess.run([str(machine.python), *arguments], check=False).returncode)


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()

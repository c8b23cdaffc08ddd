"""Events of a runtime's profile ↔ kernels of its optimised graph."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from graphs.kernels import Kernel
from graphs.kernels_of import kernels_of
from profilers.errors import MeasurementFailed
from profilers.runtimes.base import Event, RunProfile, Session


@dataclass(frozen=True, slots=True)
class Executed:
    """A kernel as it was executed. ``problem`` says how its event contradicts what our inference says about it."""

    kernel: Kernel
    event: Event
    problem: str | None = None


def executed_kernels(session: Session, profile: RunProfile) -> list[Executed]:
    """The kernels of the profile's columns, in the same order.

    Raises:
        MeasurementFailed: events and nodes of the optimised graph do not correspond one to one.
        GraphError: the optimised graph holds what our inference does not know.
    """
    graph = session.executed_graph()
    kernels = kernels_of(graph)
    if len(kernels) != len(profile.events):
        raise MeasurementFailed(
            "unsupported", f"the runtime executed {len(profile.events)} kernels of a graph of {len(kernels)} nodes"
        )
    found = []
    for node, kernel, event in zip(graph.nodes, kernels, profile.events, strict=True):
        if node.op != event.op or not _same_name(node.name, event):
            raise MeasurementFailed(
                "unsupported",
                f"the runtime executed {event.op} {event.node!r} where its graph has {node.op} {node.name!r}",
            )
        found.append(Executed(kernel, event, _contradiction(kernel, event)))
    return found


def _same_name(name: str, event: Event) -> bool:
    """Nodes without a name are called after their operator and a number, by the runtime and by our reader."""
    return name == event.node or re.fullmatch(rf"{re.escape(event.op)}_\d+", event.node) is not None


def _contradiction(kernel: Kernel, event: Event) -> str | None:
    """Shapes that were executed but not inferred. Blocked layouts pad channels, which inference does too."""
    inferred = [(o.dtype, o.shape) for o in kernel.outputs]
    executed = list(event.outputs)
    if inferred == executed or not executed:
        return None
    return f"inferred {_text(inferred)}, executed {_text(executed)}"


def _text(types: Iterable[tuple[str, tuple[int, ...]]]) -> str:
    return ", ".join(f"{dtype}{list(shape)}" for dtype, shape in types)

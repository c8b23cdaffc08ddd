"""What a runtime must offer to be profiled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.ir import Graph
from graphs.lowering.profile import LoweringProfile


@dataclass(frozen=True, slots=True)
class Loading:
    """How to load a model: with ``threads`` threads and one operator at a time.

    ``optimise`` turns on everything that the runtime can do to a graph, else nothing is done to it. ``profile`` makes a
    session that records every run until `Session.finish_profile`. ``base`` is the folder of external data for a model
    that is given as bytes.
    """

    threads: int = 1
    optimise: bool = True
    profile: bool = False
    base: Path | None = None


@dataclass(frozen=True, slots=True)
class InputSpec:
    """An input of a loaded model; unknown sizes of its shape are names or None."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """A kernel that a profiled run executed, as the runtime names it."""

    node: str
    op: str
    #: Element types (as in `graphs.dtypes`) and shapes of what it wrote.
    outputs: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class RunProfile:
    """What a runtime's profiler recorded over several runs of the same model.

    ``durations_us`` has one row per run and one column per event, in order of execution. ``activation_bytes`` is the
    peak of what the runtime's allocator had handed out during the last run, None where it does not say. ``device_us``,
    of the same shape, is what a device took for the kernels that each event launched; None where that is not told.
    """

    events: tuple[Event, ...]
    durations_us: NDArray[np.float64]
    activation_bytes: int | None = None
    device_us: NDArray[np.float64] | None = None


class Session(ABC):
    """A loaded model. Owned by one thread; `close` it, or use it as a context manager.

    Everything but `close` raises `MeasurementFailed`, whose kind says why, when the runtime fails.
    """

    inputs: tuple[InputSpec, ...]

    @abstractmethod
    def feed(self, values: Mapping[str, NDArray[Any]]) -> None:
        """Set the inputs of the following runs; arrays must not change afterwards."""

    @abstractmethod
    def run(self) -> None:
        """One warm run: inputs in host memory, outputs back in host memory, nothing printed, nothing allocated by us.

        This is what is timed, so it must do nothing else.
        """

    @property
    def resident(self) -> Callable[[], None]:
        """A call like `run` with inputs and outputs where the kernels work, nothing copied, which returns when all is
        done. For a processor it is `run` itself; for a device with a memory of its own it tells the device's time.
        """
        return self.run

    @abstractmethod
    def finish_profile(self) -> RunProfile:
        """Turn the profiler off for good and return all runs since the session was made.

        Only in sessions that were loaded with ``profile``, once. Runs afterwards are as fast as if the session had
        been loaded without.
        """

    @abstractmethod
    def executed_graph(self) -> Graph:
        """The graph after the runtime's own optimisations, in order of execution, fully typed.

        Only in sessions that were loaded with ``profile``. Its nodes correspond to the events of a profile one to one.
        """

    @abstractmethod
    def close(self) -> None:
        """Free memory and temporary files. Closing twice is allowed."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Runtime(ABC):
    """A way of executing models. Implementations are cheap to make and hold no models themselves.

    Used by one thread at a time, mostly in a child process whose crash is a recorded result: an implementation need not
    guard against its library's crashes, but must turn what the library reports into `MeasurementFailed`.
    """

    #: As in `Target.runtime`.
    name: str
    #: Of the installed library.
    version: str
    provider: str
    #: Whether the processor computes all the time that a model runs, so that time which it lost is lost to the model.
    computes_here: bool = True
    #: Samples in the batch of the sentinel, which should keep the hardware busy for a millisecond or so.
    sentinel_batch: int = 1

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        """``options`` are those of the target; what they mean is the runtime's business."""
        self.options = dict(options or {})

    @abstractmethod
    def lowering_profile(self) -> LoweringProfile:
        """How this runtime lowers graphs on this machine."""

    @abstractmethod
    def prepare(self, threads: int) -> None:
        """Called once in a process that only measures, before anything is loaded.

        Sessions of ``threads`` threads that are loaded afterwards must not disturb each other while they are idle, for
        instance by threads that wait without sleeping.
        """

    def warm_up(self, run: Callable[[], object]) -> bool:
        """Run until the hardware is as fast as it will stay; whether that was seen to be so."""
        from profilers import protocol
        from profilers.timing import settle

        return settle(run, protocol.SETTLE_SECONDS)[0]

    def clock_mhz(self) -> float | None:
        """The present clock of the device that computes; None where it is the processor's, or cannot be read."""
        return None

    def slowed(self) -> str | None:
        """What slows the device down at present, such as ``power cap``; None for nothing, or nothing known."""
        return None

    @abstractmethod
    def load(self, model: bytes | Path, how: Loading) -> Session:
        """Load an ONNX model.

        Raises:
            MeasurementFailed: the model cannot be loaded (``unsupported``) or does not fit into memory (``oom``).
        """

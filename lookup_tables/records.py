"""Measurements: one kernel or one whole model, timed on a target under a version of the measuring protocol.

All times are microseconds of wall clock, energies millijoules, sizes bytes. What was not or could not be measured is
``None``, never zero; a failed measurement is a record with an ``error`` and no latency.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, cast, get_args

from graphs.kernels import Kernel, from_json, to_json
from lookup_tables.errors import InvalidRecord
from lookup_tables.plans import SPLITS, Split

#: How it was measured: inside a running network, alone with a hot cache, or the model as a whole.
Mode = Literal["in_network", "isolated", "whole_model"]

#: Why there is no latency (or, for ``throttled``, why it cannot be trusted).
ErrorKind = Literal["oom", "timeout", "crash", "unsupported", "throttled"]

MODES: tuple[Mode, ...] = get_args(Mode)
ERROR_KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One timed kernel or whole model.

    ``latency_us`` has the slow drift divided out (``drift`` is the divisor; multiply to get the raw time):

    * ``in_network``: mean over the fastest 80 % of the profiled runs; ``p10_us`` and ``p90_us`` are over runs. The
      runtime's profiler costs time itself, which is left in: composition fits it.
    * ``isolated``: time per call, hot; see `profilers.protocol` for how kernels under 10 µs are resolved.
    * ``whole_model``: median over blocks of the mean time of one ``run()`` in a block.

    ``blocks_us`` are the raw block means in order of time, before the division by ``drift``.
    """

    mode: Mode
    #: The kernel; None for whole models, and where a network failed before its kernels were known.
    kernel: Kernel | None = None
    #: Hash of the submitted graph (`graphs.graph_hash`); None for kernels measured alone.
    model: str | None = None
    latency_us: float | None = None
    p10_us: float | None = None
    p90_us: float | None = None
    #: Median absolute deviation of the blocks.
    mad_us: float | None = None
    #: Calls timed.
    runs: int = 0
    blocks_us: tuple[float, ...] = ()
    #: Where it was measured: a network such as ``mbconv:17``, from which the graph can be rebuilt, or a file's name.
    context: str = ""
    #: Place in the order of execution within the context; None for whole models.
    position: int | None = None
    #: The run of `carry_out` and the process in it: records with different sessions come from different processes.
    session: str = ""
    #: Version of the measuring protocol.
    protocol: int = 1
    #: False where warming up did not reach a steady state within its time.
    settled: bool = True
    #: Ratio of the sentinel's time around this measurement to its reference time.
    drift: float = 1.0
    #: The sentinel's time around this measurement, in microseconds.
    sentinel_us: float | None = None
    error: ErrorKind | None = None
    #: What the runtime said when it failed.
    detail: str | None = None
    #: What disturbed the measurement, such as ``steal 3.1 %; preempted 12``; None if nothing was seen.
    perturbation: str | None = None
    #: Unix time in seconds.
    started_at: float = 0.0
    #: Per run, net of idle; whole models only.
    energy_mj: float | None = None
    #: The same with idle, and the half-width of the net energy's 95 % interval over trials.
    energy_gross_mj: float | None = None
    energy_half_width_mj: float | None = None
    #: Time of a run while energy was metered, as it was: power is energy over this.
    energy_run_us: float | None = None
    #: How it was metered (``counter``, ``meter``) and what (``package``, ``board`` …): what differs here never mixes.
    energy_method: str | None = None
    energy_scope: str | None = None
    #: Constants plus peak of activations and workspace in steady state; whole models only.
    peak_memory_bytes: int | None = None
    split: Split = "train"
    #: Whole models: number of kernels executed per run.
    kernels: int | None = None
    #: Counts the measurements of an item whose plan asks for more than one.
    repetition: int = 0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InvalidRecord(f"unknown mode {self.mode!r}; a measurement is one of {', '.join(MODES)}")
        if self.split not in SPLITS:
            raise InvalidRecord(f"unknown split {self.split!r}; a measurement is for one of {', '.join(SPLITS)}")
        if self.error is not None and self.error not in ERROR_KINDS:
            raise InvalidRecord(f"unknown error {self.error!r}; use one of {', '.join(ERROR_KINDS)}")
        if self.latency_us is None:
            if self.error is None:
                raise InvalidRecord("a measurement without a latency must say which error prevented it")
        elif not (math.isfinite(self.latency_us) and self.latency_us > 0):
            raise InvalidRecord(f"a latency of {self.latency_us} µs is impossible; a failure is a record with an error")

    @property
    def ok(self) -> bool:
        """Whether there is a latency that can be trusted."""
        return self.error is None

    def to_json(self) -> dict[str, Any]:
        """JSON data; fields with their default value are left out."""
        data: dict[str, Any] = {}
        for name, default in _DEFAULTS.items():
            value = getattr(self, name)
            if value != default:
                data[name] = value
        if self.kernel is not None:
            data["kernel"] = to_json(self.kernel)
        if self.blocks_us:
            data["blocks_us"] = [round(block, 4) for block in self.blocks_us]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measurement:
        """The inverse of `to_json`; raises `InvalidRecord` and ignores fields of later versions."""
        try:
            known = {name: value for name, value in data.items() if name in _DEFAULTS}
            if known.get("kernel") is not None:
                known["kernel"] = from_json(known["kernel"])
            known["blocks_us"] = tuple(map(float, known.get("blocks_us", ())))
            return cls(mode=cast(Mode, known.pop("mode")), **known)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidRecord(f"not a measurement: {error!r}") from error


_NO_DEFAULT = object()
_DEFAULTS: dict[str, Any] = {
    field.name: _NO_DEFAULT if field.name == "mode" else field.default for field in fields(Measurement)
}

"""Measuring whole models under the protocol, in a process of their own."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lookup_tables.targets import Target
from profilers.child import Child, memory_limit
from profilers.device import local_target
from profilers.protocol import PROTOCOL_VERSION

if TYPE_CHECKING:
    from graphs.ir import Graph
    from profilers.meters.metering import Metering
    from profilers.meters.trials import EnergyMeasurement

#: Loading and warming up a model may take this long beside the time asked for.
_GRACE_SECONDS = 300.0
#: … and metering its energy this long (`profilers.energy.LIMIT_SECONDS` and a slow last run).
_METERING_SECONDS = 400.0


@dataclass(frozen=True, slots=True)
class ModelMeasurement:
    """A model timed as a whole: milliseconds of one warm run, drift divided out; statistics are over blocks."""

    median_ms: float
    p10_ms: float
    p90_ms: float
    mad_ms: float
    runs: int
    #: Raw block means in order of time, drift left in.
    blocks_ms: tuple[float, ...]
    #: Sentinel's time over its reference, which was divided out.
    drift: float
    #: The sentinel's time meanwhile, in microseconds.
    sentinel_us: float
    settled: bool
    perturbation: str | None
    #: How little it can be trusted: above 1 beyond the protocol's tolerances.
    disturbance: float
    #: Constants and peak of live activations in steady state, as the runtime's allocator saw them.
    peak_memory_bytes: int | None
    #: Kind and milliseconds inside a profiled run of every kernel, in order of execution; None where the runtime's
    #: profile does not say.
    kernel_ms: tuple[tuple[str, float], ...] | None
    #: Whether it ran without its own weights.
    stand_in_weights: bool
    target: Target
    #: With inputs and outputs on the device, nothing copied; None for a processor.
    device_ms: float | None = None
    #: None where energy was not asked for, or could not be metered, which the note explains.
    energy: EnergyMeasurement | None = None
    energy_note: str | None = None

    @property
    def energy_mj(self) -> float | None:
        """Per run, net of idle."""
        return None if self.energy is None else self.energy.net_mj

    @property
    def kernels(self) -> int | None:
        """Kernels per run."""
        return None if self.kernel_ms is None else len(self.kernel_ms)

    def to_json(self) -> dict[str, Any]:
        """As in the output of ``archgauge measure --json``, without the file's name."""
        latency = {
            "median": self.median_ms, "p10": self.p10_ms, "p90": self.p90_ms, "mad": self.mad_ms, "runs": self.runs,
        }  # fmt: skip
        return {
            "latency_ms": latency, "device_ms": self.device_ms, "energy_mj": self.energy_mj,
            "energy": None if self.energy is None else self.energy.to_json(), "energy_note": self.energy_note,
            "peak_memory_bytes": self.peak_memory_bytes, "target": self.target.id, "drift": self.drift,
            "settled": self.settled, "perturbation": self.perturbation, "kernels": self.kernels,
            "stand_in_weights": self.stand_in_weights, "protocol": PROTOCOL_VERSION,
        }  # fmt: skip


class ModelMeter:
    """Measures models one after the other in one process, which is started anew after a crash. Close it after use."""

    def __init__(
        self,
        target: Target | None = None,
        *,
        threads: int = 1,
        reference_us: float | None = None,
        meter: str = "none",
        metering: Metering | None = None,
    ) -> None:
        """Measure on ``target``, which must be this machine, or on this machine with ``threads`` threads.

        ``reference_us`` is the sentinel's time that counts as a drift of 1, such as that of the run that made a lookup
        table; without it, drift is divided out only within each measurement. ``meter`` names a meter of energy (see
        `profilers.meters`), ``metering`` how much is metered: by default, three windows of five seconds.
        """
        self.target = target or local_target(threads)
        self._reference_us = reference_us
        self._asked = _asked(meter, metering)
        self._child: Child | None = None

    def measure(
        self,
        model: bytes | Path | Graph,
        *,
        batch_size: int | None = None,
        dims: Mapping[str, int] | None = None,
        input_shapes: Mapping[str, Sequence[int]] | None = None,
        seconds: float = 2.0,
    ) -> ModelMeasurement:
        """Time a model for about ``seconds``, binding its dimensions as predicting does.

        Raises:
            MeasurementFailed: it cannot be bound, loaded or run, or the process that ran it died.
        """
        from profilers.runnable import Binding

        with tempfile.TemporaryDirectory(prefix="archgauge-") as folder:
            request = {
                "do": "model",
                "file": str(_file(model, Path(folder))),
                "binding": Binding(batch_size, dims, input_shapes).to_json(),
                "seconds": seconds,
                "reference_us": self._reference_us,
                "metering": self._asked,
            }
            child = self._ready()
            limit_s = _GRACE_SECONDS + 10 * seconds + (_METERING_SECONDS if self._asked else 0.0)
            try:
                found = child.ask(request, limit_s)["model"]
            finally:
                if not child.alive:
                    self.close()
        return _measurement(found, self.target)

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def __enter__(self) -> ModelMeter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready(self) -> Child:
        if self._child is None:
            self._child = Child(self.target, secrets.token_hex(4), memory_limit())
        return self._child


def measure_model(
    model: bytes | Path | Graph,
    *,
    threads: int = 1,
    batch_size: int | None = None,
    dims: Mapping[str, int] | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    seconds: float = 2.0,
    reference_us: float | None = None,
) -> ModelMeasurement:
    """Measure one model on this machine; see `ModelMeter`, which is quicker for several."""
    with ModelMeter(threads=threads, reference_us=reference_us) as meter:
        return meter.measure(model, batch_size=batch_size, dims=dims, input_shapes=input_shapes, seconds=seconds)


def _asked(meter: str, metering: Metering | None) -> dict[str, Any] | None:
    """As `profilers.energy` wants it."""
    if meter == "none":
        return None
    from profilers.meters.metering import Metering

    how = metering or Metering()
    return {"meter": meter, "trials": how.trials, "seconds": how.seconds}


def _file(model: bytes | Path | Graph, folder: Path) -> Path:
    """Where the measuring process finds the model: its own file, since external data lies beside it."""
    if isinstance(model, Path):
        return model.resolve()
    if not isinstance(model, bytes):
        import json

        from graphs import prepare, write_json

        model = json.dumps(write_json(prepare(model))).encode()
    file = folder / "model"
    file.write_bytes(model)
    return file


def _measurement(found: Mapping[str, Any], target: Target) -> ModelMeasurement:
    def ms(name: str) -> float:
        return float(found[name]) / 1000

    from profilers.meters.trials import EnergyMeasurement

    kernels, energy = found["kernels"], found["energy"]
    return ModelMeasurement(
        median_ms=ms("latency_us"),
        p10_ms=ms("p10_us"),
        p90_ms=ms("p90_us"),
        mad_ms=ms("mad_us"),
        runs=int(found["runs"]),
        blocks_ms=tuple(block / 1000 for block in found["blocks_us"]),
        drift=float(found["drift"]),
        sentinel_us=float(found["sentinel_us"]),
        settled=bool(found["settled"]),
        perturbation=found["perturbation"],
        disturbance=float(found["disturbance"]),
        peak_memory_bytes=found["peak_memory_bytes"],
        kernel_ms=None if kernels is None else tuple((kind, us / 1000) for kind, us in kernels),
        stand_in_weights=bool(found["stand_in_weights"]),
        target=target,
        device_ms=None if found["device_us"] is None else ms("device_us"),
        energy=None if energy is None else EnergyMeasurement.from_json(energy),
        energy_note=found["energy_note"],
    )

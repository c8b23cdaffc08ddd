"""The predictor of a target: prepared graphs in, predictions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from graphs.ir import Graph
from graphs.kernels import Kernel
from graphs.kernels_of import kernels_of
from graphs.lowering import optimise
from graphs.lowering.blocks import BlockMemory
from graphs.lowering.devices import is_device
from graphs.memory import peak_memory
from lookup_tables.targets import Target
from predictors.composition import Composition
from predictors.context import Context
from predictors.details import Details
from predictors.energy import FittedPower, Power, PowerGuess
from predictors.estimates import Estimate, Estimator
from predictors.intervals import Intervals
from predictors.lowered import Lowered, batch_of
from predictors.memory import Memory, MemoryUsage
from predictors.prediction import Origin, Prediction, Provenance
from predictors.pricing import Pricing

Detail = Literal["summary", "kernels"]

#: Kernels whose estimates are remembered, since the candidates of a search share most of theirs.
REMEMBERED = 100_000


@dataclass(eq=False)
class Predictor:
    """Immutable but for memories of blocks and estimates; all methods are thread-safe."""

    target: Target
    estimator: Estimator
    composition: Composition
    intervals: Intervals
    #: Versions of the tables that it was trained on, and the measuring protocol of these.
    tables: tuple[str, ...]
    protocol: int
    #: Honest errors and all else that training found.
    report: Mapping[str, Any]
    #: Name of the version, or of its contents where it is not stored yet.
    version: str = "unsaved"
    #: Where enough was metered on the target.
    fitted_power: FittedPower | None = None
    _blocks: BlockMemory = field(default_factory=BlockMemory, init=False, repr=False)
    _memory: Memory[tuple[Kernel, Context], Estimate] = field(
        default_factory=lambda: Memory(REMEMBERED), init=False, repr=False
    )

    def predict(
        self, graph: Graph, *, confidence: float = 0.9, detail: Detail = "summary", strict: bool = True
    ) -> Prediction:
        """What one run of ``graph`` (prepared: static and inferred) costs.

        Args:
            confidence: nominal coverage of the intervals, from 0.5 to 0.999.
            detail: ``kernels`` lists every kernel.
            strict: refuse graphs with kernels that no source can price, instead of giving a lower bound.

        Raises:
            UnpriceableKernels: with ``strict``, when there are such kernels.
            ValueError: the confidence is out of range.
        """
        return self.predict_many([graph], confidence=confidence, detail=detail, strict=strict)[0]

    def predict_many(
        self, graphs: Sequence[Graph], *, confidence: float = 0.9, detail: Detail = "summary", strict: bool = True
    ) -> list[Prediction]:
        """As `predict`, for many graphs at once: kernels that they share are estimated once, all in few calls."""
        lowered = [self.lower(graph, detail=detail) for graph in graphs]
        estimates = self.estimate_many([one.kernels for one in lowered])
        return [
            self.price(one, told, confidence=confidence, strict=strict)
            for one, told in zip(lowered, estimates, strict=True)
        ]

    def recall(self, graph: Graph, *, detail: Detail = "summary") -> Lowered | None:
        """As `lower`, of a graph that may be bound only, where all its parts are known; else None."""
        found = self._blocks.recall(graph) if detail == "summary" else None
        if found is None:
            return None
        return Lowered(found.kernels, batch_of(graph), found.parameters, found.peak_memory_bytes)

    def lower(self, graph: Graph, *, detail: Detail = "summary") -> Lowered:
        """The first step of `predict`: what the target's runtime makes of ``graph`` (prepared: static and inferred)."""
        optimised = optimise(graph, self.target.lowering)
        kernels = kernels_of(optimised, named=detail == "kernels")
        if detail == "summary" and not is_device(self.target.lowering):
            self._blocks.learn(graph, optimised, kernels)
        details = Details.of(optimised, kernels, self.estimator.baseline) if detail == "kernels" else None
        peak = details.memory.total if details else peak_memory(optimised)
        return Lowered(kernels, batch_of(graph), graph.count_parameters(), peak, details)

    def price(
        self, lowered: Lowered, estimates: Sequence[Estimate], *, confidence: float = 0.9, strict: bool = True
    ) -> Prediction:
        """The last step of `predict`: the sum of the ``estimates`` of a graph's kernels. Raises as `predict` does."""
        if not 0.5 <= confidence <= 0.999:
            raise ValueError(f"a confidence of {confidence} is not between 0.5 and 0.999")
        return self._pricing.price(lowered, estimates, confidence=confidence, strict=strict)

    def estimate(self, kernels: Sequence[Kernel]) -> list[Estimate]:
        """One estimate per kernel of a run, before composition; ``kernels`` are in order of execution."""
        return self.estimate_many([kernels])[0]

    def estimate_many(self, networks: Sequence[Sequence[Kernel]]) -> list[list[Estimate]]:
        """As `estimate`, for many runs: equal kernels in equal contexts are estimated once."""
        surroundings = self.estimator.contexts_of_runs(networks)
        asked = [
            q for kernels, around in zip(networks, surroundings, strict=True) for q in zip(kernels, around, strict=True)
        ]
        found = self._memory.find(asked)
        unknown = list(dict.fromkeys(q for q, e in zip(asked, found, strict=True) if e is None))
        if unknown:
            kernels, contexts = zip(*unknown, strict=True)
            fresh = dict(zip(unknown, self.estimator.estimate(kernels, contexts), strict=True))
            self._memory.add(fresh)
            found = [fresh[q] if e is None else e for q, e in zip(asked, found, strict=True)]
        answers = iter(found)
        return [[e for _, e in zip(kernels, answers, strict=False) if e is not None] for kernels in networks]

    @property
    def memory(self) -> MemoryUsage:
        """How the memory of estimates was used."""
        return self._memory.usage

    def forget(self) -> None:
        """Forget all estimates, to see what they cost."""
        self._memory.forget()
        self.estimator.rough.forget()

    @property
    def power(self) -> Power | None:
        """What energies follow from: fitted power, else a guess, else nothing."""
        return self.fitted_power or PowerGuess.of(self.target)

    @cached_property
    def _pricing(self) -> Pricing:
        provider = self.target.provider.removesuffix("ExecutionProvider").lower()
        runtime = f"{self.target.runtime} {self.target.runtime_version} {provider}"
        reference = self.report.get("reference")
        origin: Origin = "reference" if reference else "own"
        provenance = Provenance(self.tables, self.version, runtime, self.protocol, origin)
        notes = (str(reference["note"]),) if reference else ()
        return Pricing(self.target.id, self.composition, self.intervals, self.power, provenance, notes)

    def save(self, folder: Path) -> None:
        """Write the artifact into ``folder``, which may exist but must be empty."""
        from predictors.artifacts import save

        save(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read an artifact, a folder or a packed file; its version is the folder's name where that is a version's.

        Raises:
            CorruptPredictor: files are missing or are not what the manifest says.
            IncompatiblePredictor: made with another schema or other features than this code has.
        """
        from predictors.artifacts import load

        return load(folder, cls)

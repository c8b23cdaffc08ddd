"""What to measure in a round of a campaign.

The first round of a campaign without a subject is a balanced plan. Otherwise networks are chosen by what they promise
per second: for every kind of kernel the error that is expected of the predictor so far, times the share of run time
that the campaign's subject spends in it (`predictors.sampling.next_round`). Networks for composition and for the
honest error are left as they are in a balanced plan, or the subject would decide by what it is judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs import Graph, GraphError, Kernel, LoweringProfile, flops, lower, prepare
from graphs.spaces import sample
from lookup_tables import PlanItem, PlanMode
from predictors import Predictor, make_plan
from predictors.energy.plan import WANTED, metered_items
from predictors.sampling import next_round

#: Networks that are looked at for every one that is chosen, and at most.
_CHOICE, _MOST_CANDIDATES = 4, 600
#: More than a device measures in a second: a round must not run out of networks before its time is over.
_ITEMS_PER_SECOND = 3
_FEWEST_ITEMS, _MOST_ITEMS = 12, 4000
#: One network is measured repeatedly, for the noise floor, for so much of a campaign's budget.
_SECONDS_PER_REPEATED, _MOST_REPEATED = 30.0, 16
#: What a kind is worth that the subject does not have.
_OTHER_KINDS = 0.02
#: Architectures of a search space that stand for all.
_ROWS_OF_SPACE = 48
#: Nothing that is measured takes longer, in seconds.
ITEM_SECONDS = 120.0
#: Nor is energy metered where a window takes longer.
_METERING_SECONDS = 60.0


@dataclass(frozen=True)
class Subject:
    """What a campaign is about: kinds of kernels, or graphs. Nothing of both is everything."""

    kinds: tuple[str, ...] = ()
    graphs: tuple[Graph, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.kinds or self.graphs)


def seed_of(campaign_id: str) -> int:
    """The seed of a campaign's plan; plans of different seeds share no network."""
    return 1000 + int(campaign_id.replace("-", "")[-8:], 16) % 20_000


def plan_round(
    campaign_id: str,
    document: Mapping[str, Any],
    profile: LoweringProfile,
    subject: Subject,
    predictor: Predictor | None,
    known: Collection[str],
    metering_s: float | None = None,
) -> list[PlanItem]:
    """The items of the next round, in order of priority; ``known`` are the keys of those planned before.

    With ``metering_s``, the seconds that a window of energy takes, some of those are metered whose whole is timed
    anyway.
    """
    items = _chosen_items(campaign_id, document, profile, subject, predictor, known)
    if metering_s is None:
        return items
    wanted = WANTED - sum("/metered/" in key for key in known)
    return metered_items(items, document["budget_s"] / document["rounds"], metering_s, wanted)


def _chosen_items(
    campaign_id: str,
    document: Mapping[str, Any],
    profile: LoweringProfile,
    subject: Subject,
    predictor: Predictor | None,
    known: Collection[str],
) -> list[PlanItem]:
    seconds = document["budget_s"] / document["rounds"]
    count = int(np.clip(round(seconds * _ITEMS_PER_SECOND), _FEWEST_ITEMS, _MOST_ITEMS))
    plan = make_plan(seed_of(campaign_id), max(document["budget_s"], 60.0) * _CHOICE, document["precisions"])
    taken = {key.partition("/")[0] for key in known}
    fresh = [item for item in plan if item.network not in taken]
    often = 0 if taken else int(np.clip(document["budget_s"] / _SECONDS_PER_REPEATED, 1, _MOST_REPEATED))
    repeated = [item for item in fresh if item.repeat > 1][:often]
    once = [item for item in fresh if item.repeat == 1]
    if not subject and predictor is None:
        return [*repeated, *once[:count]]
    training = [item for item in once if item.split == "train" and item.mode == "in_network"]
    others = [item for item in once if item.split != "train"]
    wanted = max(1, round(count * 0.7))
    chosen = _choose(training[: min(_CHOICE * wanted, _MOST_CANDIDATES)], wanted, profile, subject, predictor)
    return [*repeated, *_woven(chosen, others[: max(count - len(chosen), 4)])]


def tasks_of(items: Sequence[PlanItem], per_task: int, protocol: int) -> list[dict[str, Any]]:
    """Documents of tasks. What is measured repeatedly is so at the beginning and, budget or not, at the end."""
    repeated = [item for item in items if item.repeat > 1]
    others = [item for item in items if item.repeat == 1]
    again = [
        (item, n) for n in range(1, max((i.repeat for i in items), default=1)) for item in repeated if item.repeat > n
    ]
    tasks = []
    for part, needed in (([(i, 0) for i in repeated], True), ([(i, 0) for i in others], False), (again, True)):
        rest = iter(part)
        while batch := list(islice(rest, per_task)):
            task = task_of([_item(item, repetition) for item, repetition in batch], protocol)
            tasks.append(task | ({"needed": True} if needed else {}))
    return tasks


def graph_tasks(
    architectures: Sequence[Mapping[str, Any]], protocol: int, *, metered: bool = False
) -> list[dict[str, Any]]:
    """Tasks that measure architectures themselves, one each."""
    mode: PlanMode = "metered" if metered else "whole_model"
    tasks = []
    for architecture in architectures:
        item = PlanItem(f"graph-{architecture['hash'][:16]}", 0, mode, "holdout")
        tasks.append(task_of([_item(item, 0) | {"graph": architecture["graph"]}], protocol))
    return tasks


def metering_seconds(facts: Mapping[str, Any]) -> float | None:
    """What a window of energy takes on a device, by the facts that its agent tells; None where nothing is metered."""
    meter = facts.get("meter")
    seconds = meter.get("seconds") if isinstance(meter, Mapping) else None
    if not isinstance(seconds, int | float) or not 0 < seconds <= _METERING_SECONDS:
        return None
    return float(seconds)


def task_of(items: Sequence[Mapping[str, Any]], protocol: int) -> dict[str, Any]:
    """The document of a task."""
    return {"protocol": protocol, "limits": {"seconds": ITEM_SECONDS}, "items": list(items)}


def subject_of(document: Mapping[str, Any], rows: Sequence[Graph]) -> Subject:
    """What a campaign's document is about; ``rows`` are architectures of its search space."""
    graphs = [prepare(architecture["graph"]) for architecture in document["architectures"]]
    return Subject(tuple(document["kernel_kinds"]), (*graphs, *rows))


def _item(item: PlanItem, repetition: int) -> dict[str, Any]:
    return {"item": item.to_json(), "key": item.key, "context": item.network, "repetition": repetition}


def _choose(
    candidates: Sequence[PlanItem], count: int, profile: LoweringProfile, subject: Subject, predictor: Predictor | None
) -> list[PlanItem]:
    lowered = [(item, kernels) for item in candidates if (kernels := _kernels(sample(item.family, item.seed), profile))]
    if not lowered:
        return []
    frequency = _frequency(subject, profile, predictor, [kernels for _, kernels in lowered])
    kinds = {name: place for place, name in enumerate(frequency)}
    network = np.repeat(np.arange(len(lowered), dtype=np.intp), [len(kernels) for _, kernels in lowered])
    kind = np.array([kinds[k.kind] for _, kernels in lowered for k in kernels], dtype=np.intp)
    doubt = _doubt([kernels for _, kernels in lowered], predictor)
    cost = np.array([0.3 + 2e-11 * sum(map(flops, kernels)) for _, kernels in lowered])
    return next_round(
        [item for item, _ in lowered], network, kind, doubt, np.array(list(frequency.values())), cost, count=count
    )


def _doubt(networks: Sequence[Sequence[Kernel]], predictor: Predictor | None) -> NDArray[np.float64]:
    """The relative error that is expected for every kernel, 1 where nobody knows."""
    if predictor is None:
        return np.ones(sum(map(len, networks)))
    told = predictor.estimate_many(networks)
    return np.array([e.sigma if e.source != "unsupported" else 1.0 for estimates in told for e in estimates])


def _frequency(
    subject: Subject, profile: LoweringProfile, predictor: Predictor | None, candidates: Sequence[Sequence[Kernel]]
) -> dict[str, float]:
    """What a kind is worth, for all that occur in the candidates."""
    shares: dict[str, float] = dict.fromkeys(subject.kinds, 1.0)
    for graph in subject.graphs:
        kernels = _kernels(graph, profile)
        times = [1.0] * len(kernels) if predictor is None else [e.time_us for e in predictor.estimate(kernels)]
        total = max(sum(times), 1e-9) * len(subject.graphs)
        for kernel, time_us in zip(kernels, times, strict=True):
            shares[kernel.kind] = shares.get(kernel.kind, 0.0) + time_us / total
    other = _OTHER_KINDS if subject else 1.0
    return {kernel.kind: max(shares.get(kernel.kind, 0.0), other) for kernels in candidates for kernel in kernels}


def _kernels(graph: Graph, profile: LoweringProfile) -> list[Kernel]:
    try:
        return lower(graph, profile)
    except GraphError:
        return []  # what cannot be lowered teaches nothing


def _woven(chosen: Sequence[PlanItem], others: Sequence[PlanItem]) -> Iterable[PlanItem]:
    """Both in their own order, evenly spread, so that every prefix is a fair sample."""
    places = [(i / max(len(chosen), 1), 0, item) for i, item in enumerate(chosen)]
    places += [(i / max(len(others), 1), 1, item) for i, item in enumerate(others)]
    return [item for _, _, item in sorted(places, key=lambda place: place[:2])]

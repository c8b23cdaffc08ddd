"""Plans: which synthetic networks to measure, and how. Values, made by `predictors`, carried out by `profilers`.

A network is named by its family and seed (``mbconv:17``), from which `graphs.spaces.sample` rebuilds it exactly, so a
plan is small enough to be stored, sent to agents, split among them and resumed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from lookup_tables.errors import InvalidRecord

#: What a plan can ask for; ``network+whole`` profiles the kernels inside the network and times the whole model too,
#: ``metered`` looks at a meter of energy besides.
PlanMode = Literal["in_network", "isolated", "whole_model", "network+whole", "metered"]

#: What a measurement is for. Composition terms and the honest error are never fitted on what they are tested on.
Split = Literal["train", "composition", "holdout"]

PLAN_MODES: tuple[PlanMode, ...] = get_args(PlanMode)
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One network to measure.

    ``isolated`` times each distinct kernel of the network alone. With ``repeat`` > 1 the item is measured that many
    times, in separate processes at the beginning and the end of the run: this is what noise floors are made of.
    """

    family: str
    seed: int
    mode: PlanMode = "network+whole"
    split: Split = "train"
    repeat: int = 1

    def __post_init__(self) -> None:
        if self.mode not in PLAN_MODES:
            raise InvalidRecord(f"unknown mode {self.mode!r} in a plan; use one of {', '.join(PLAN_MODES)}")
        if self.split not in SPLITS:
            raise InvalidRecord(f"unknown split {self.split!r} in a plan; use one of {', '.join(SPLITS)}")
        if self.repeat < 1:
            raise InvalidRecord(f"{self.network} is to be measured {self.repeat} times; repeat must be at least 1")

    @property
    def network(self) -> str:
        """``family:seed``, which measurements carry as their context."""
        return f"{self.family}:{self.seed}"

    @property
    def key(self) -> str:
        """Identifies the item in a spool: two items that ask for the same have the same key."""
        return f"{self.network}/{self.mode}/{self.split}"

    def to_json(self) -> dict[str, Any]:
        return {
            "family": self.family, "seed": self.seed, "mode": self.mode, "split": self.split, "repeat": self.repeat,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PlanItem:
        try:
            return cls(
                family=str(data["family"]),
                seed=int(data["seed"]),
                mode=cast(PlanMode, data.get("mode", "network+whole")),
                split=cast(Split, data.get("split", "train")),
                repeat=int(data.get("repeat", 1)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidRecord(f"not a plan item: {error!r} in {dict(data)!r}") from error


@dataclass(frozen=True, slots=True)
class Plan:
    """Items in order of priority: a run that stops early has measured a prefix (the order of execution within a
    segment is random). ``created_for`` says for whom, a target's id or a word such as ``demo``.
    """

    items: tuple[PlanItem, ...]
    seed: int = 0
    created_for: str = ""

    def __iter__(self) -> Iterator[PlanItem]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def id(self) -> str:
        """16 hex digits, equal for equal plans."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def split(self, parts: int) -> tuple[Plan, ...]:
        """Plans for ``parts`` agents: every part gets every n-th item, so that each is a fair sample."""
        if parts < 1:
            raise ValueError(f"a plan cannot be split into {parts} parts")
        return tuple(Plan(self.items[i::parts], self.seed, self.created_for) for i in range(parts))

    def to_json(self) -> dict[str, Any]:
        return {"seed": self.seed, "created_for": self.created_for, "items": [item.to_json() for item in self.items]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        items: Iterable[Mapping[str, Any]] = data.get("items", ())
        return cls(tuple(map(PlanItem.from_json, items)), int(data.get("seed", 0)), str(data.get("created_for", "")))

"""Which networks of a plan are metered: some of those whose whole is timed anyway."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lookup_tables.plans import Plan, PlanItem

#: Enough to fit power to, and to test it on (a quarter or so are of the split ``holdout``).
WANTED = 60

#: Share of the budget that metering may take.
_SHARE = 0.25


def with_metering(plan: Plan, budget_s: float, seconds_each: float, share: float | None = None) -> Plan:
    """The plan with up to `WANTED` networks metered, as `metered_items`.

    With a ``share`` of the budget for it, networks whose kernels alone were to be profiled are metered too, every
    second one of all: so many windows within minutes that power can be fitted to them.
    """
    if share is None:
        return replace(plan, items=tuple(metered_items(plan, budget_s, seconds_each)))
    left, turn, items = min(WANTED, int(budget_s * share / seconds_each)), False, []
    for item in plan:
        if left > 0 and item.mode in ("in_network", "network+whole") and item.repeat == 1:
            turn = not turn
            if turn:
                item, left = replace(item, mode="metered"), left - 1
        items.append(item)
    return replace(plan, items=tuple(items))


def metered_items(
    items: Iterable[PlanItem], budget_s: float, seconds_each: float, wanted: int = WANTED
) -> list[PlanItem]:
    """Up to ``wanted`` networks metered, the first ones in their order, as far as the budget allows.

    ``seconds_each`` is what metering one network takes.
    """
    left = min(wanted, int(budget_s * _SHARE / seconds_each))
    planned = []
    for item in items:
        if left > 0 and item.mode == "network+whole" and item.repeat == 1:
            item, left = replace(item, mode="metered"), left - 1
        planned.append(item)
    return planned

"""Which networks of a plan are metered: some of those whose whole is timed anyway."""

from __future__ import annotations

from dataclasses import replace

from lookup_tables.plans import Plan

#: Enough to fit power to, and to test it on (a quarter or so are of the split ``holdout``).
WANTED = 60

#: Share of the budget that metering may take.
_SHARE = 0.25


def with_metering(plan: Plan, budget_s: float, seconds_each: float) -> Plan:
    """The plan with up to `WANTED` networks metered, the first ones in its order, as far as the budget allows.

    ``seconds_each`` is what metering one network takes.
    """
    left = min(WANTED, int(budget_s * _SHARE / seconds_each))
    items = []
    for item in plan:
        if left > 0 and item.mode == "network+whole" and item.repeat == 1:
            item, left = replace(item, mode="metered"), left - 1
        items.append(item)
    return replace(plan, items=tuple(items))

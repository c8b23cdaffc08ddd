"""Names of networks in a table."""

from __future__ import annotations


def family_and_seed(context: str) -> tuple[str, int]:
    """What a network such as ``resnet:7`` is sampled from; the inverse of `PlanItem.network`."""
    family, _, seed = context.rpartition(":")
    return family, int(seed)

"""The kernels of a plan's network: as they were measured, or made again from its family and seed."""

from __future__ import annotations

from graphs.errors import GraphError
from graphs.kernels import Kernel
from graphs.lowering import LoweringProfile, lower
from graphs.spaces import FAMILIES, sample
from predictors.observations import NetworkTimes


def kernels_of_network(network: NetworkTimes, profile: LoweringProfile) -> list[Kernel] | None:
    """All kernels that one run of the network executes; None where they are not known."""
    if network.is_complete:
        return list(network.kernels)
    family, _, seed = network.context.rpartition(":")
    if family not in FAMILIES or not seed.isdecimal():
        return None
    try:
        kernels = lower(sample(family, int(seed)), profile)
    except GraphError:
        return None
    # Families change between versions: the network that was measured may not be the one that is drawn now.
    return kernels if network.executed in (None, len(kernels)) else None

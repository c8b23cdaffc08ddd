"""Kernels → fixed columns, one float array per group of kernel kinds.

Every kernel kind belongs to one group (`group_of`): convolution, product, pointwise, movement, reduction or generic.
A group's columns are the same for all of its kinds, so that kinds which were measured too rarely for a regressor of
their own can share one. Sizes are binary logarithms; ``fill_*`` columns say how much of the last vector or register
tile a size uses. Change `SCHEMA_VERSION` with any change of the columns or of what they mean: a predictor is
refused by code of another version.
"""

from __future__ import annotations

from predictors.features import convolutions, generic, movement, pointwise, products, reductions
from predictors.features._columns import UNREADABLE, FeatureGroup

#: Version of all columns of all groups together.
SCHEMA_VERSION = 5

#: The groups by name.
GROUPS: dict[str, FeatureGroup] = {
    module.GROUP.name: module.GROUP for module in (convolutions, products, pointwise, movement, reductions, generic)
}

_GROUP_OF_OPERATOR: dict[str, FeatureGroup] = {
    operator: module.GROUP
    for module in (convolutions, products, pointwise, movement, reductions)
    for operator in module.OPERATORS
}


def group_of(kind: str) -> FeatureGroup:
    """The feature group of a domain-qualified kernel kind such as ``com.microsoft.nchwc.Conv``."""
    return _GROUP_OF_OPERATOR.get(kind.rpartition(".")[2], generic.GROUP)


__all__ = ["GROUPS", "SCHEMA_VERSION", "UNREADABLE", "FeatureGroup", "group_of"]

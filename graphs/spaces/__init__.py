"""Search spaces: families of synthetic networks, sampled by seed, for measuring.

Every family takes its ranges from the papers that its module cites. No network of a family is copied from anywhere.
"""

from __future__ import annotations

from graphs.spaces.builder import GraphBuilder
from graphs.spaces.registry import FAMILIES, INT8, WHOLE, Family, sample

__all__ = ["FAMILIES", "INT8", "WHOLE", "Family", "GraphBuilder", "sample"]

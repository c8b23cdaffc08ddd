"""Well-known architectures that no sampled network may equal, since predictions are judged on them."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from types import MappingProxyType

from graphs.hashing import graph_hash
from graphs.ir import Graph


@cache
def references() -> MappingProxyType[str, tuple[int, str]]:
    """Nodes and hash (`graph_hash` without weights) of each reference, inferred at batch size 1, by name."""
    text = resources.files("graphs.spaces").joinpath("references.json").read_text("utf-8")
    return MappingProxyType({name: (entry["nodes"], entry["hash"]) for name, entry in json.loads(text).items()})


def is_reference(graph: Graph) -> bool:
    """Whether an inferred graph is one of the references. Hashing takes longer than counting nodes first."""
    suspects = {digest for nodes, digest in references().values() if nodes == len(graph.nodes)}
    return bool(suspects) and graph_hash(graph, weights=False) in suspects

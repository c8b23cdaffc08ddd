"""What is sent: mobile networks, in number and as different as a search makes them."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from archgauge_client import strip_weights
from graphs import read, write_onnx

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

from mobile_space import GENES, Architecture, graph_of


def mobile_graphs(number: int, seed: int) -> list[dict[str, Any]]:
    """That many different networks of the examples' mobile search space, in the JSON form."""
    rng = random.Random(seed)
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < number:
        drawn.add(tuple(rng.randrange(possible) for possible in GENES))
    return [graph_of(Architecture(genes)) for genes in sorted(drawn)]


def as_json(graph: dict[str, Any]) -> bytes:
    """The body of POST /v1/predictions."""
    return json.dumps({"architecture": {"format": "graph", "graph": graph}}).encode()


def as_line(graph: dict[str, Any]) -> bytes:
    """A line of a batch, not to be kept."""
    return json.dumps({"architecture": {"format": "graph", "graph": graph}, "store": False}).encode() + b"\n"


def as_onnx(graph: dict[str, Any]) -> bytes:
    """The body of POST /v1/predictions/onnx, without weights."""
    return strip_weights(write_onnx(read(graph), initializers=True))

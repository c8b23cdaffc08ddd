"""What a batch says of a network is what a request of its own says, to the last digit."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

from mobile_space import GENES, Architecture, graph_of


def networks(number: int) -> list[dict[str, Any]]:
    """Candidates of a search, which share blocks; some of them come twice."""
    rng = random.Random(5)
    drawn = [graph_of(Architecture(tuple(rng.randrange(min(n, 2)) for n in GENES))) for _ in range(number)]
    return drawn + drawn[::7]


def test_batches_and_single_requests_agree(http: httpx.Client) -> None:
    requests = [{"architecture": {"format": "graph", "graph": graph}, "store": False} for graph in networks(40)]
    one_by_one = [http.post("/v1/predictions", json=request).json()["predictions"] for request in requests]
    listed = [http.post("/v1/predictions", json={**r, "detail": "kernels"}).json()["predictions"] for r in requests]
    lines = "\n".join(map(json.dumps, requests))
    for _ in range(3):  # blocks that come again are recalled
        answers = http.post("/v1/predictions/batch", content=lines, headers={"content-type": "application/x-ndjson"})
        assert [json.loads(line)["predictions"] for line in answers.text.splitlines()] == one_by_one
    for (single,), (whole,) in zip(one_by_one, listed, strict=True):
        assert {name: whole[name] for name in single} == single

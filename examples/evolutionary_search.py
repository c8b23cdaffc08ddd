"""Evolve mobile networks by NSGA-II: a proxy of accuracy against latency and energy on the device.

    pip install archgauge-client pymoo matplotlib
    python examples/evolutionary_search.py --generations 20 --plot pareto.svg

Every generation is priced in one batch over HTTP. Prints the Pareto front, the fastest first.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from mobile_space import GENES, Architecture, accuracy_proxy, graph_of
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize

from archgauge_client import Client, ProblemError


class MobileNetworks(Problem):  # type: ignore[misc]
    """Minimises (-proxy, milliseconds, millijoules) over `GENES`."""

    def __init__(self, client: Client, target: str | None) -> None:
        super().__init__(n_var=len(GENES), n_obj=3, xl=0, xu=np.array(GENES) - 1, vtype=int)
        self._client = client
        self._targets = [target] if target else []

    def _evaluate(self, population: Any, out: dict[str, Any], *_: Any, **__: Any) -> None:
        architectures = [Architecture(tuple(map(int, genes))) for genes in population]
        rows = []
        outcomes = self._client.predict_many((graph_of(a) for a in architectures), targets=self._targets)
        for architecture, outcome in zip(architectures, outcomes, strict=True):
            if isinstance(outcome, ProblemError):
                raise outcome
            (prediction,) = outcome.predictions
            energy_mj = prediction.energy_mj.value if prediction.energy_mj else np.nan
            rows.append((-accuracy_proxy(architecture), prediction.latency_ms.value, energy_mj))
        values = np.array(rows)
        # Where nothing can be said about energy, it decides nothing.
        out["F"] = np.where(np.isnan(values), 0.0, values)


def search(client: Client, target: str | None, population: int, generations: int, seed: int) -> list[dict[str, Any]]:
    """The Pareto front, the fastest first."""
    algorithm = NSGA2(
        pop_size=population, sampling=IntegerRandomSampling(), crossover=SBX(vtype=float, repair=RoundingRepair()),
        mutation=PM(vtype=float, repair=RoundingRepair()), eliminate_duplicates=True,
    )  # fmt: skip
    result = minimize(MobileNetworks(client, target), algorithm, ("n_gen", generations), seed=seed)
    front = [
        {
            "architecture": str(Architecture(tuple(map(int, genes)))), "proxy": -values[0],
            "latency_ms": values[1], "energy_mj": values[2] or None,
        }
        for genes, values in zip(result.X.reshape(-1, len(GENES)), result.F.reshape(-1, 3).tolist(), strict=True)
    ]  # fmt: skip
    return sorted(front, key=lambda point: point["latency_ms"])


def plot(front: list[dict[str, Any]], file: Path) -> None:
    """Latency against the proxy; colour is energy."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 5), layout="constrained")
    latencies, proxies = [p["latency_ms"] for p in front], [p["proxy"] for p in front]
    points = axes.scatter(latencies, proxies, c=[p["energy_mj"] or 0.0 for p in front], zorder=2)
    figure.colorbar(points, label="energy, mJ")
    axes.set(xlabel="latency, ms", ylabel="accuracy proxy", title=f"Pareto front: {len(front)} networks")
    axes.grid(alpha=0.3)
    figure.savefig(file)


def main() -> None:
    """Parse arguments, search, print, plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--target", help="id or alias; the one promoted last where it is not given")
    parser.add_argument("--population", type=int, default=48)
    parser.add_argument("--generations", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, help="where to draw the Pareto front (.svg, .png, .pdf)")
    given = parser.parse_args()
    with Client(given.url) as client:
        front = search(client, given.target, given.population, given.generations, given.seed)
    if given.plot:
        plot(front, given.plot)
    json.dump(front, sys.stdout, indent=1)


if __name__ == "__main__":
    main()

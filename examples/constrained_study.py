"""Find the best mobile network below a latency with Optuna.

    pip install archgauge-client optuna
    python examples/constrained_study.py --limit-ms 5 --trials 100

The sampler is told how far each network lies above the limit, so that it learns where those are that meet it. The upper
end of the interval counts: a network is only taken for fast enough where the prediction is sure of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from typing import Any

import optuna
from mobile_space import DEPTHS, EXPANSIONS, GENES, KERNELS, RESOLUTIONS, STAGES, Architecture, accuracy_proxy, graph_of

from archgauge_client import Client


def suggest(trial: optuna.Trial) -> Architecture:
    """An architecture from the parameters of a trial."""
    genes = [RESOLUTIONS.index(trial.suggest_categorical("resolution", RESOLUTIONS))]
    for stage in range(len(STAGES)):
        for name, options in (("kernel", KERNELS), ("expansion", EXPANSIONS), ("depth", DEPTHS)):
            genes.append(options.index(trial.suggest_categorical(f"{name}{stage}", options)))
    assert len(genes) == len(GENES)
    return Architecture(tuple(genes))


def study(client: Client, target: str | None, limit_ms: float, trials: int, seed: int) -> optuna.Study:
    """Maximise the proxy with the upper end of the latency's interval below the limit."""

    def objective(trial: optuna.Trial) -> float:
        architecture = suggest(trial)
        answer = client.predict(graph_of(architecture), targets=target or [])
        latency = answer.predictions[0].latency_ms
        trial.set_user_attr("architecture", str(architecture))
        trial.set_user_attr("latency_ms", latency.value)
        trial.set_user_attr("above_ms", (latency.upper or float("inf")) - limit_ms)
        return accuracy_proxy(architecture)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, constraints_func=lambda trial: [trial.user_attrs["above_ms"]])
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made = optuna.create_study(direction="maximize", sampler=sampler)
    made.optimize(objective, n_trials=trials)
    return made


def best(made: optuna.Study) -> dict[str, Any] | None:
    """The best network that meets the limit; None where none did."""
    meeting = [t for t in made.trials if t.value is not None and t.user_attrs["above_ms"] <= 0.0]
    if not meeting:
        return None
    winner = max(meeting, key=lambda trial: trial.value or 0.0)
    return {"proxy": winner.value, **winner.user_attrs, "of_trials": len(made.trials), "meeting": len(meeting)}


def main() -> None:
    """Parse arguments, search, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--target", help="id or alias; the one promoted last where it is not given")
    parser.add_argument("--limit-ms", type=float, default=5.0)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with Client(given.url) as client:
        found = best(study(client, given.target, given.limit_ms, given.trials, given.seed))
    if found is None:
        raise SystemExit(f"none of {given.trials} networks is below {given.limit_ms:g} ms for sure; raise the limit")
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()

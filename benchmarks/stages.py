"""How long one prediction takes in process, and where the time goes.

    python -m benchmarks.stages [--data-dir DIR]

Prices with the promoted predictor of the data directory; without one, this machine is profiled for a moment first.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import click
from threadpoolctl import threadpool_limits

from archgauge import options
from archgauge.networks import real_networks
from archgauge.output import stdout, table
from benchmarks.data import prepare, promoted
from graphs import Graph, Kernel, bind, infer, kernels_of, optimise, read, write_onnx
from graphs.memory import peak_memory
from graphs.spaces import sample
from predictors import Predictor

RUNS = 15


@click.command()
@options.data_dir
def main(data_dir: Path) -> None:
    """Time every stage of a prediction for some graphs."""
    threadpool_limits(1, user_api="blas")  # as the service
    with tempfile.TemporaryDirectory() as temporary:
        prepare(data_dir, Path(temporary) / "data")
        predictor = promoted(Path(temporary) / "data")
    columns = ("read", "bind", "infer", "optimise", "kernels", "estimate, new", "memory", "all, new", "all, warm")
    rows = table("graph", "nodes", "kernels", *columns)
    for name, data in _graphs().items():
        graph = infer(bind(read(data)))
        kernels = kernels_of(optimise(graph, predictor.target.lowering))
        times = _stages(predictor, data, graph, kernels)
        rows.add_row(name, str(len(graph.nodes)), str(len(kernels)), *(f"{time_ms:.2f}" for time_ms in times))
    click.echo(f"median milliseconds over {RUNS} runs, one thread; new: no estimate is remembered\n")
    stdout().print(rows)


def _stages(predictor: Predictor, data: bytes, graph: Graph, kernels: list[Kernel]) -> list[float]:
    profile_ = predictor.target.lowering
    optimised = optimise(graph, profile_)

    def everything() -> None:
        predictor.predict(infer(bind(read(data)))).to_json()

    unbound = read(data)
    bound = bind(unbound)
    return [
        _ms(lambda: read(data)),
        _ms(lambda: bind(unbound)),
        _ms(lambda: infer(bound)),
        _ms(lambda: optimise(graph, profile_)),
        _ms(lambda: kernels_of(optimised)),
        _ms(lambda: predictor.estimate(kernels), before=predictor.forget),
        _ms(lambda: peak_memory(optimised)),
        _ms(everything, before=predictor.forget),
        _ms(everything),
    ]


def _ms(call: Callable[[], object], before: Callable[[], None] = lambda: None) -> float:
    times = []
    for _ in range(RUNS):
        before()
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return median(times) * 1e3


def _graphs() -> dict[str, bytes]:
    networks = real_networks()
    found = {name: networks[name].read_bytes() for name in ("SqueezeNet", "ResNet-50", "DenseNet-121")}
    return {"a mobile network": write_onnx(sample("mbconv-whole", 6)), **found}


if __name__ == "__main__":
    main()

"""Items of a plan → records, failures included. Runs in the process that measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphs.errors import GraphError
from graphs.ir import Graph
from graphs.kernels import Kernel
from graphs.onnx_writer import write_onnx
from graphs.spaces import sample
from lookup_tables.plans import PlanItem
from lookup_tables.records import Measurement
from profilers.bench import Bench
from profilers.errors import MeasurementFailed
from profilers.failures import common_record, failed
from profilers.given import read_given
from profilers.inputs import random_inputs
from profilers.isolated import measure_alone
from profilers.matching import executed_kernels
from profilers.network import measure_network
from profilers.runtimes.base import Loading


def measure_item(
    bench: Bench, item: PlanItem, repetition: int, given: Mapping[str, Any] | None = None
) -> list[Measurement]:
    """All records of an item; one that says why where it could not be measured.

    ``given`` is the JSON of a graph to measure in place of the one that family and seed make.
    """
    common = common_record(item, repetition, bench.session)
    try:
        graph = sample(item.family, item.seed) if given is None else read_given(given)
        if item.mode == "isolated":
            return measure_alone(bench, kernels_inside(bench, graph), common)
        # A graph that somebody gave is wanted whole, even where its kernels cannot be told apart.
        kernels = item.mode in ("in_network", "network+whole") or (item.mode == "metered" and given is None)
        whole = item.mode != "in_network"
        return measure_network(bench, graph, common, kernels=kernels, whole=whole, meter=item.mode == "metered")
    except MeasurementFailed as error:
        return [failed(common, error.kind, str(error))]
    except GraphError as error:
        return [failed(common, "unsupported", str(error))]
    except MemoryError as error:
        return [failed(common, "oom", str(error) or "no memory for the model")]


def kernels_inside(bench: Bench, graph: Graph) -> list[Kernel]:
    """The kernels that the runtime makes of a graph, from one run of it."""
    with bench.runtime.load(write_onnx(graph), Loading(bench.target.threads, profile=True)) as session:
        session.feed(random_inputs(graph))
        session.run()
        return [executed.kernel for executed in executed_kernels(session, session.finish_profile())]

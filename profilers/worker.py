"""The process that measures, so that a crash of the runtime or a lack of memory is a recorded result.

Speaks NDJSON: requests on standard input, one answer each on what was standard output when it started (whatever a
library prints goes to standard error). The first request is ``start``; the process ends when its input does.

    {"do": "start", "target": {…}, "session": "…", "memory_limit": 2000000000 | null, "meter": "none"}
    {"do": "item", "item": {…}, "repetition": 0, "graph": {…} | null} → {"records": […]}
    {"do": "model", "file": "…", "binding": {…}, "seconds": 2.0}      → {"model": {…}}
    {"do": "target"}                                                  → {"target": id of what this machine is now}

A request that fails answers ``{"error": kind, "detail": text}``.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from typing import IO, Any

from lookup_tables.plans import PlanItem
from lookup_tables.targets import Target
from profilers.bench import Bench
from profilers.errors import MeasurementFailed
from profilers.scratch import remove_given

Answer = dict[str, Any]


def main() -> None:
    """Serve requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        _serve(answers)
    except BrokenPipeError:
        pass  # the parent is gone, and nobody wants the answer
    finally:
        remove_given()


def _serve(answers: IO[str]) -> None:
    bench: Bench | None = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "start":
            bench = _start(request, answers)
        elif bench is not None:
            _reply(answers, _carry_out(_DUTIES[request["do"]], bench, request))


def _start(request: Mapping[str, Any], answers: IO[str]) -> Bench | None:
    try:
        target = Target.from_json(request["target"])
        if request.get("memory_limit") and not target.device.accelerators:  # drivers map far more than they use
            _limit_memory(int(request["memory_limit"]))
        bench = Bench(target, request["session"], request.get("meter", "none"))
    except Exception as error:  # whatever it is, the parent must hear of it
        _reply(answers, {"error": getattr(error, "kind", "unsupported"), "detail": f"{type(error).__name__}: {error}"})
        return None
    _reply(answers, {"started": os.getpid(), "settled": bench.settled})
    return bench


def _carry_out(duty: Callable[[Bench, Mapping[str, Any]], Answer], bench: Bench, request: Mapping[str, Any]) -> Answer:
    try:
        return duty(bench, request)
    except MeasurementFailed as error:
        return {"error": error.kind, "detail": str(error)}
    except MemoryError as error:
        return {"error": "oom", "detail": str(error) or "out of memory"}
    except Exception as error:  # a defect of ours must not lose the run: it becomes a record that says so
        return {"error": "unsupported", "detail": f"{type(error).__name__}: {error}"}


def _item(bench: Bench, request: Mapping[str, Any]) -> Answer:
    from profilers.items import measure_item

    records = measure_item(bench, PlanItem.from_json(request["item"]), int(request["repetition"]), request.get("graph"))
    return {"records": [record.to_json() for record in records]}


def _model(bench: Bench, request: Mapping[str, Any]) -> Answer:
    from profilers.models import time_model

    return {"model": time_model(bench, request)}


def _target(bench: Bench, _request: Mapping[str, Any]) -> Answer:
    from profilers.device import local_target

    wanted = bench.target
    return {"target": local_target(wanted.threads, wanted.provider, wanted.runtime, wanted.options).id}


_DUTIES: dict[str, Callable[[Bench, Mapping[str, Any]], Answer]] = {"item": _item, "model": _model, "target": _target}


def _reply(answers: IO[str], answer: Answer) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def _limit_memory(limit: int) -> None:
    """Bytes of private memory, above which allocations fail instead of waking the system's out-of-memory killer."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


if __name__ == "__main__":
    main()

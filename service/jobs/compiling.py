"""The job ``compile``: a search space for a predictor version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from predictors import Predictor
from predictors.compiled import compile_space
from service.jobs.context import JobContext
from service.spaces.library import Library
from service.spaces.shelf import keep


def run(context: JobContext) -> None:
    """Compile, and leave the result beside the predictors.

    Arguments: ``space`` (id), ``target`` (id), ``predictor`` (version). Doing it twice does no harm.
    """
    arguments, store = context.job.arguments, context.store
    bound = Library(store.database).find(arguments["space"])
    record = store.predictor(arguments["predictor"], arguments["target"])
    predictor = Predictor.load(store.predictor_folder(record))
    context.log(f"compiling {bound.space.name} for {record.version}")
    compiled = compile_space(
        predictor, bound.space, batch_size=bound.batch_size, dims=bound.dims, progress=context.report
    )
    keep(store, bound, record, compiled, context.settings.max_compiled_spaces)
    errors = None if compiled.errors is None else compiled.errors.to_json()
    result = {"mode": compiled.mode, "architectures": str(compiled.architectures), "additivity_error": errors}
    context.patiently(lambda: _end(context, result))


def _end(context: JobContext, result: Mapping[str, Any]) -> None:
    with context.store.database.write() as session:
        context.finish(session, result)

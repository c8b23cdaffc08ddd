"""Windows of a stream: requests that are priced together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archgauge_client.wire import BatchRequest, PredictionRequest
from service.answers import answer_record
from service.batch.splitting import Item
from service.db import PredictionRecord
from service.engine import PricingEngine
from service.errors import ServiceError
from service.logs import log
from service.problems import problem_of
from service.requests import parse_request
from service.workers import Deadline

#: Predictions priced together: enough for one call per kernel kind to pay, few enough for the first to come soon.
TOGETHER = 64


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the answer, and the record where it is to be kept."""

    text: bytes
    record: PredictionRecord | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """One prediction of a window."""

    place: Mapping[str, int]
    body: bytes
    request: PredictionRequest


@dataclass(frozen=True, slots=True)
class Window:
    """Some requests of a stream, the first of them with the index ``first``."""

    engine: PricingEngine
    items: Sequence[Item]
    first: int

    def __call__(self, deadline: Deadline) -> list[Line]:
        """A line for every answer, in order. Raises only ClientGone."""
        asked = [one for index, item in enumerate(self.items, self.first) for one in _parse(index, item)]
        lines: list[Line] = []
        for begin in range(0, len(asked), TOGETHER):
            lines += self._answer(asked[begin : begin + TOGETHER], deadline)
        return lines

    def _answer(self, asked: Sequence[_Asked | Line], deadline: Deadline) -> list[Line]:
        requests = [one.request for one in asked if isinstance(one, _Asked)]
        outcomes = iter(self.engine.price_many(requests, deadline, renew=True))
        return [one if isinstance(one, Line) else _line(one, next(outcomes)) for one in asked]


def _parse(index: int, item: Item) -> list[_Asked | Line]:
    """The predictions that an item asks for; the line of its problem where it is none."""
    if isinstance(item, Exception):
        return [problem_line(item, {"index": index})]
    try:
        request = parse_request(item, BatchRequest)
    except ServiceError as error:
        return [problem_line(error, {"index": index})]
    sweeps = request.batch_sizes is not None
    return [
        _Asked({"index": index, "batch_size": one.batch_size or 1} if sweeps else {"index": index}, item, one)
        for one in request.sweep()
    ]


def _line(asked: _Asked, outcome: dict[str, Any] | Exception) -> Line:
    if isinstance(outcome, Exception):
        return problem_line(outcome, asked.place)
    record = answer_record(asked.request, asked.body, outcome, asked.place)
    return Line(record.answer + b"\n", record if asked.request.store else None)


def problem_line(error: Exception, place: Mapping[str, int]) -> Line:
    """The problem document of what went wrong with a request; defects are logged."""
    problem = problem_of(error).model_copy(update=dict(place))
    if problem.status == 500:
        log.error("unforeseen error in a batch", exc_info=error)
    return Line(problem.model_dump_json(exclude_none=True).encode() + b"\n")

"""What both clients share of batches: requests to chunks of lines, lines of answers to outcomes.

A batch is sent in chunks, each a request of its own. A chunk is small enough to be sent whole before its answer is
read, and can be sent again, from where it was interrupted, without anybody noticing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypedDict

import httpx
from pydantic import TypeAdapter, ValidationError

from archgauge_client._protocol import Model, architecture
from archgauge_client.errors import NotAModel, ProblemError, ServiceUnreachable, from_problem
from archgauge_client.retries import RETRIED
from archgauge_client.wire import BatchAnswer, BatchRequest, Detail, PredictionRequest, Problem

PATH = "/v1/predictions/batch"
HEADERS = {"content-type": "application/x-ndjson", "accept": "application/x-ndjson"}

#: Requests of a chunk at most, and bytes after which no more are added.
_CHUNK, _CHUNK_BYTES = 64, 4_000_000

Question: TypeAlias = "Model | PredictionRequest"
"""A model, or a request with options of its own."""

Outcome: TypeAlias = "BatchAnswer | ProblemError"
"""An answer, or the error that `predict` would have raised."""

_LINE: TypeAdapter[BatchAnswer | Problem] = TypeAdapter(BatchAnswer | Problem)


class Options(TypedDict, total=False):
    """How the models of a batch are priced; see `archgauge_client.wire.BatchRequest`."""

    targets: str | Sequence[str]
    predictor: str | None
    batch_size: int | None
    batch_sizes: Sequence[int] | None
    dims: Mapping[str, int]
    input_shapes: Mapping[str, Sequence[int]]
    detail: Detail
    confidence: float
    strict: bool
    store: bool


@dataclass
class Chunk:
    """Some requests of a batch, and what came back so far."""

    first: int
    lines: list[bytes] = field(default_factory=list)
    #: How many answers each request has.
    sizes: list[int] = field(default_factory=list)
    #: Requests that are answered.
    done: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    #: Why the answer broke off.
    interruption: ProblemError | None = None

    @property
    def complete(self) -> bool:
        return self.done == len(self.lines)

    @property
    def full(self) -> bool:
        return len(self.lines) >= _CHUNK or sum(map(len, self.lines)) >= _CHUNK_BYTES

    def add(self, request: BatchRequest) -> None:
        self.lines.append(request.model_dump_json(exclude_defaults=True).encode() + b"\n")
        self.sizes.append(len(request.batch_sizes or (None,)))

    def rest(self) -> bytes:
        """The body that asks for what is not answered yet."""
        return b"".join(self.lines[self.done :])

    def take(self, response: httpx.Response) -> bool:
        """Read the answer to `rest`; returns whether anything new was in it.

        Raises:
            ServiceUnreachable: who answered is no ArchGauge service.
        """
        before, found = self.done, list[Outcome]()
        for line in _read(response):
            if line.index is None or self.complete:
                break
            if isinstance(line, Problem) and line.status in RETRIED:
                self.interruption = from_problem(line)
                break
            place = {"index": self.first + self.done}
            answer = line.model_copy(update=place)
            found.append(from_problem(answer) if isinstance(answer, Problem) else answer)
            refused = isinstance(line, Problem) and line.batch_size is None
            if refused or len(found) == self.sizes[self.done]:
                self.outcomes += found
                self.done += 1
                found = []
        return self.done > before


def _read(response: httpx.Response) -> Iterator[BatchAnswer | Problem]:
    for line in response.content.splitlines():
        try:
            yield _LINE.validate_json(line)
        except ValidationError as error:
            if not line.endswith(b"}"):
                return  # it broke off in the middle of a line
            raise ServiceUnreachable(
                f"{response.request.url} answered {response.status_code}, but not as ArchGauge does: {error}"
            ) from error


def as_request(question: Question, options: Options) -> BatchRequest:
    """The request for one model. Raises as `archgauge_client._protocol.architecture`."""
    if isinstance(question, BatchRequest):
        return question
    if isinstance(question, PredictionRequest):
        given = {name: getattr(question, name) for name in PredictionRequest.model_fields}
        return BatchRequest.model_construct(**given, batch_sizes=None)
    targets = options.get("targets", ())
    fields = {"store": False, **options, "targets": [targets] if isinstance(targets, str) else list(targets)}
    return BatchRequest.model_validate({**fields, "architecture": architecture(question)})


def chunks(questions: Iterable[Question], options: Options) -> Iterator[Chunk]:
    """The batch in chunks, made as they are asked for."""
    chunk = Chunk(0)
    try:
        for question in questions:
            chunk.add(as_request(question, options))
            if chunk.full:
                yield chunk
                chunk = Chunk(chunk.first + len(chunk.lines))
    except (NotAModel, OSError):
        if chunk.lines:
            yield chunk  # those before it
        raise
    if chunk.lines:
        yield chunk

"""What goes over the wire: requests, answers and problem documents of the HTTP API, version 1.

Times are milliseconds, energies millijoules, sizes bytes. What cannot be said is null, never 0. Requests refuse
unknown fields; answers keep them, so that a client understands a newer service.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

PROBLEM_TYPE_PREFIX = "urn:archgauge:problem:"


def _decode(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a string of base64")
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except ValueError as error:
        raise ValueError(f"is not base64: {error}") from None


Base64 = Annotated[
    bytes,
    PlainValidator(_decode),
    PlainSerializer(lambda data: base64.b64encode(data).decode("ascii"), return_type=str),
    WithJsonSchema({"type": "string", "format": "byte", "description": "Standard base64 with padding."}),
]
"""Bytes that travel as standard base64; anything else in the string is refused."""


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN and no infinity, though parsers take them; what is kept must be JSON."""
    json.dumps(value, allow_nan=False)
    return value


Document = Annotated[dict[str, Any], AfterValidator(_plain)]
"""JSON that is kept as it is."""

Size = Annotated[int, Field(ge=0, le=2**63 - 1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class OnnxArchitecture(_Request):
    """An ONNX file. Weights are not needed; the client strips large ones before sending."""

    format: Literal["onnx"]
    onnx: Base64


class GraphArchitecture(_Request):
    """A graph in ArchGauge's JSON form: ONNX operator names and semantics, shapes instead of weights."""

    format: Literal["graph"]
    graph: dict[str, Any]


class SearchSpaceArchitecture(_Request):
    """An architecture of a search space: positions of its choices, or names of choices by layer."""

    format: Literal["search_space"]
    space: Annotated[str, Field(description="The id of a search space, or the name of a ready one.")]
    choices: Annotated[
        list[Size] | dict[str, str | int],
        Field(description="One position per layer; or names or positions by layer, the first choice for all others."),
    ]


Architecture = Annotated[OnnxArchitecture | GraphArchitecture | SearchSpaceArchitecture, Field(discriminator="format")]
Detail = Literal["summary", "kernels"]


class PredictionRequest(_Request):
    """One architecture to be priced on one or more targets."""

    architecture: Architecture
    name: Annotated[
        str | None, Field(max_length=200, description="What to call it in the answer instead of the graph's own name.")
    ] = None
    targets: Annotated[
        list[str],
        Field(max_length=64, description="Ids or aliases of targets; empty for the one promoted last."),
    ] = []
    predictor: Annotated[
        str | None, Field(description="A predictor version to pin instead of the target's promoted one.")
    ] = None
    batch_size: Annotated[
        int | None,
        Field(ge=1, description="Binds leading dimensions that are unnamed or named batch, batch_size or N."),
    ] = None
    dims: Annotated[dict[str, Size], Field(description="Sizes of the other symbolic dimensions by name.")] = {}
    input_shapes: Annotated[
        dict[str, Annotated[list[Size], FailFast()]], Field(description="Whole shapes of inputs by name.")
    ] = {}
    detail: Annotated[Detail, Field(description="`kernels` lists every kernel with its estimate.")] = "summary"
    confidence: Annotated[float, Field(ge=0.5, le=0.999, description="Nominal coverage of the intervals.")] = 0.9
    strict: Annotated[
        bool, Field(description="Refuse graphs with kernels that no source can price; else a lower bound is given.")
    ] = True
    store: Annotated[bool, Field(description="Keep the answer, so that its id can be fetched again.")] = True


class BatchRequest(PredictionRequest):
    """One request of a batch, or a sweep: one answer for each of ``batch_sizes``, in that order."""

    batch_sizes: Annotated[
        list[Annotated[int, Field(ge=1)]] | None,
        Field(min_length=1, max_length=64, description="Instead of `batch_size`: several, each with its own answer."),
    ] = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.batch_size is not None and self.batch_sizes is not None:
            raise ValueError("give batch_size or batch_sizes, not both")
        return self

    def sweep(self) -> list[PredictionRequest]:
        """The single requests that this one stands for; they share the architecture."""
        fields = {name: getattr(self, name) for name in PredictionRequest.model_fields}
        if self.batch_sizes is None:
            return [PredictionRequest.model_construct(**fields)]
        return [PredictionRequest.model_construct(**{**fields, "batch_size": n}) for n in self.batch_sizes]


class Estimate(_Answer):
    """A value in milliseconds with its interval; ``upper`` is null where the value is only a lower bound."""

    value: float
    lower: float | None
    upper: float | None


class Energy(_Answer):
    """Energy per run in millijoules, net of idle, with its interval; ``gross`` includes idle."""

    value: float
    lower: float | None
    upper: float | None
    gross: float | None = None
    method: Literal["meter", "counter", "vendor_model", "fitted", "tdp_guess"]
    scope: str


class Coverage(_Answer):
    """Shares of the priced time by source; ``unsupported`` is a share of the kernels by count."""

    table: Share
    regressor: Share
    roofline: Share
    unsupported: Share


class Provenance(_Answer):
    """Versions that made the prediction."""

    tables: list[str]
    predictor: str
    runtime: str
    protocol: int
    #: ``reference``: measured by others, and came with ArchGauge; never mixed with what was measured for this service.
    origin: Literal["own", "reference"] = "own"


class KernelEstimate(_Answer):
    """One kernel that the runtime will execute, and who priced it."""

    kind: str
    nodes: list[str]
    latency_ms: float | None
    lower: float | None
    upper: float | None
    energy_mj: float | None = None
    source: Literal["table", "regressor", "roofline", "unsupported"]
    bound: str | None = None
    precision: Annotated[str | None, Field(description="In which it computes: `fp32`, `int8` …")] = None
    flops: int | None = None
    bytes: Annotated[int | None, Field(description="Read and written by definition, everything once.")] = None
    live_bytes: Annotated[int | None, Field(description="Activations that are alive while it runs.")] = None


class MemoryParts(_Answer):
    """What `peak_memory_bytes` consists of."""

    constants_bytes: int
    packed_bytes: Annotated[int, Field(description="Copies of constants that kernels rearranged for themselves.")]
    activations_bytes: Annotated[int, Field(description="The block for all that is computed, and the outputs.")]


class Roofline(_Answer):
    """Measured peak rates of the target, arithmetic in float32, against which kernels can be seen."""

    flops_per_s: float
    bytes_per_s: float
    cache_bytes_per_s: float


class Prediction(_Answer):
    """What the architecture will cost on one target: one warm run of the whole batch."""

    target: str
    complete: bool
    latency_ms: Estimate
    overhead_ms: float
    throughput_per_s: float | None
    energy_mj: Energy | None
    peak_memory_bytes: int | None
    flops: int
    parameters: int
    confidence: float
    coverage: Coverage
    out_of_distribution: bool
    warnings: list[str]
    provenance: Provenance
    precision: Annotated[
        str | None, Field(description="The element type of most of the arithmetic; like what follows, with `kernels`.")
    ] = None
    memory: MemoryParts | None = None
    roofline: Roofline | None = None
    kernels: list[KernelEstimate] | None = None


class PredictionResponse(_Answer):
    """One prediction per requested target, in the order of the request; ``id`` fetches it again."""

    id: str
    name: str
    predictions: list[Prediction]


class BatchAnswer(PredictionResponse):
    """A line of the answer to a batch."""

    index: Annotated[int, Field(description="Which request of the batch it answers, from 0.")]
    batch_size: Annotated[int | None, Field(description="In a sweep, which of its sizes.")] = None


class Target(_Answer):
    """A target that can be asked for (or, while ``predictor`` is null, one that was only measured so far)."""

    id: str
    aliases: list[str]
    device: dict[str, Any]
    runtime: str
    provider: str
    threads: int | None
    emulated: bool
    created_at: str
    predictor: str | None
    tables: list[str]
    promoted_at: str | None
    accuracy: dict[str, Any]
    noise_floor: float | None
    coverage: dict[str, Any]


class TargetList(_Answer):
    """All targets, the one promoted last first."""

    targets: list[Target]


class LookupTable(_Answer):
    """An immutable lookup table version; ``manifest`` is with single tables only."""

    target: str
    version: str
    parent: str | None
    rows: int
    created_at: str
    manifest: dict[str, Any] | None = None


class LookupTableList(_Answer):
    """Lookup table versions, the newest first."""

    lookup_tables: list[LookupTable]


class Predictor(_Answer):
    """An immutable predictor version; ``report`` is with single predictors only."""

    target: str
    version: str
    tables: list[str]
    promoted: bool
    created_at: str
    report: dict[str, Any] | None = None


class PredictorList(_Answer):
    """Predictor versions, the newest first."""

    predictors: list[Predictor]


class Health(_Answer):
    """``checks`` says for each part whether it is ok, and if not, why."""

    status: str
    checks: dict[str, str] = {}


class FieldError(_Answer):
    """One thing that is wrong with a request: where (a path such as ``architecture.onnx``) and what."""

    location: str
    message: str


class Problem(_Answer):
    """An RFC 9457 problem document; every error has this shape."""

    type: str
    title: str
    status: int
    detail: str | None = None
    instance: str | None = None
    request_id: str | None = None
    errors: list[FieldError] | None = None
    operators: list[str] | None = None
    dimension: str | None = None
    tensor: str | None = None
    known: list[str] | None = None
    checks: dict[str, str] | None = None
    limit: float | None = None

    index: Annotated[int | None, Field(description="In batches: which request it is about, from 0.")] = None
    batch_size: Annotated[int | None, Field(description="In a sweep, which of its sizes.")] = None

    @property
    def slug(self) -> str:
        """The last part of ``type``: ``unknown-target``; empty for about:blank."""
        return self.type.removeprefix(PROBLEM_TYPE_PREFIX) if self.type.startswith(PROBLEM_TYPE_PREFIX) else ""

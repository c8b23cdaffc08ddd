"""What goes over the wire about search spaces: describing one, pricing rows of choices."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import FailFast, Field

from archgauge_client.latency_table import LatencyTable
from archgauge_client.wire import Document, Size, _Answer, _Request

Choice = Annotated[int, Field(ge=0, le=2**31 - 1)]


class SearchSpaceRequest(_Request):
    """A search space to be compiled: a ready one by name, or a description."""

    name: Annotated[str | None, Field(description="A ready space; GET /v1/search-spaces lists them.")] = None
    space: Annotated[Document | None, Field(description="A description; see docs/search-spaces.md.")] = None
    restrict: Annotated[
        dict[str, list[str]],
        Field(default_factory=dict, description="Choices to keep, by layer; layers left out keep all of theirs."),
    ]
    batch_size: Annotated[int | None, Field(ge=1, description="As in predictions.")] = None
    dims: Annotated[
        dict[str, Size], Field(default_factory=dict, description="Sizes of other symbolic dimensions by name.")
    ]
    target: Annotated[str | None, Field(description="Id or alias; null for the one promoted last.")] = None
    predictor: Annotated[str | None, Field(description="A predictor version to pin.")] = None


class SpaceLayer(_Answer):
    """A layer and the names of its choices, in the order of their positions."""

    name: str
    choices: list[str]


class Deviation(_Answer):
    """Mean and largest distance from full predictions, as shares of them."""

    mean: float
    max: float | None = None


class AdditivityError(_Answer):
    """How far compiled predictions are from full ones, on architectures drawn at random."""

    samples: int
    latency: Deviation
    energy: Deviation | None
    peak_memory: Deviation


class SearchSpace(_Answer):
    """A search space on a target. What compilation found is null until it is ``ready``."""

    id: str
    name: str
    description: str
    layers: list[SpaceLayer]
    encodings: Annotated[int, Field(description="Rows of choices; some may name the same architecture.")]
    batch_size: int | None
    dims: dict[str, int]
    target: str
    predictor: str
    status: Literal["ready", "compiling"]
    job: Annotated[str | None, Field(description="The job that compiles it, where that takes longer.")] = None
    architectures: Annotated[int | None, Field(description="Different architectures.")] = None
    mode: Annotated[
        Literal["chain", "enumerated", "direct"] | None,
        Field(
            description="Priced from a table of blocks in their neighbourhoods, from one of all architectures, or each "
            "architecture in full."
        ),
    ] = None
    additivity_error: AdditivityError | None = None
    compilation: Annotated[dict[str, Any], Field(default_factory=dict, description="How it was compiled.")]


class StoredSpace(_Answer):
    """A search space that was sent before."""

    id: str
    name: str
    created_at: str


class SearchSpaceList(_Answer):
    """Names of ready spaces, and spaces that were sent, the newest first."""

    ready: list[str]
    search_spaces: list[StoredSpace]


class RowsRequest(_Request):
    """Architectures of a compiled space, one row each: the positions of their choices, layer by layer."""

    choices: Annotated[list[Annotated[list[Choice], FailFast()]], Field(max_length=1_000_000), FailFast()]
    target: Annotated[str | None, Field(description="Id or alias; null for the one promoted last.")] = None
    predictor: Annotated[str | None, Field(description="A predictor version to pin.")] = None
    confidence: Annotated[float, Field(ge=0.5, le=0.999, description="Nominal coverage of the intervals.")] = 0.9


class Series(_Answer):
    """One value per row, with its interval."""

    value: list[float]
    lower: list[float]
    upper: list[float]


class RowPredictions(_Answer):
    """What the rows will cost, in their order: milliseconds, millijoules (null where nothing can be said), bytes."""

    space: str
    target: str
    predictor: str
    confidence: float
    latency_ms: Series
    energy_mj: Series | None
    peak_memory_bytes: list[int]
    out_of_distribution: list[bool]


class SpaceTable(LatencyTable):
    """The lookup table of a compiled space; ``error`` is that of its sums against compiled predictions."""

    space: str
    target: str
    predictor: str

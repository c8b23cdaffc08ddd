"""What goes over the wire between a service, the agents that measure for it, and who sends them to measure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from archgauge_client.wire import Architecture, Document, _Answer, _Request

_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=_PRINTABLE)]
#: JSON of `lookup_tables.Target`: the device with its runtime, version and options.
TargetDocument = Annotated[Document, Field(description="The device with runtime, version, threads and options.")]


class EnrolmentRequest(_Request):
    """A one-time token for an agent."""

    name: Annotated[Name, Field(description="What the agent will be called.")]
    expires_in_s: Annotated[int, Field(ge=60, le=604_800, description="Until when the token can be used.")] = 3600


class Enrolment(_Answer):
    """A token that one agent can use once; it is never shown again."""

    id: str
    name: str
    token: str
    expires_at: str


class AgentRequest(_Request):
    """A device that wants to measure."""

    token: Annotated[
        str | None,
        Field(max_length=200, description="The one-time token; null with a key that may measure, or without any keys."),
    ] = None
    name: Annotated[Name | None, Field(description="Null for the name that the token has.")] = None
    target: TargetDocument
    facts: Document = Field(
        default_factory=dict,
        description="`protocol` (of measuring), `peaks` (rates of the processor), `meter` (of energy, or null).",
    )


class Agent(_Answer):
    """A device that measures. ``target`` is the id of what it measures now; temperature and sentinel are its last."""

    id: str
    name: str
    target: str
    protocol: int | None = None
    temperature_c: float | None = None
    sentinel_us: float | None = None
    waits: Annotated[str | None, Field(description="Why it may not measure now, null where it may.")] = None
    enrolled_at: str
    seen_at: str


class NewAgent(Agent):
    """An agent with the ``key`` that is its own from now on, null where it uses another one or there are no keys."""

    key: str | None = None


class AgentList(_Answer):
    """All agents, the newest first."""

    agents: list[Agent]


class LeaseRequest(_Request):
    """An agent asks for work."""

    agent: Annotated[str | None, Field(max_length=40, description="Null with a key that is the agent's own.")] = None
    target: TargetDocument
    facts: Document = Field(default_factory=dict)
    wait_s: Annotated[float, Field(ge=0, le=30, description="How long to wait for work if there is none.")] = 0.0
    waits: Annotated[
        str | None,
        Field(
            max_length=200, pattern=_PRINTABLE,
            description="Why the device may not measure now, such as its quiet hours. It gets no task then; asking so "
            "every half a minute keeps it among those that are on.",
        ),
    ] = None  # fmt: skip


class TaskItem(_Answer):
    """One network to measure: an item of a plan (family and seed), or a graph in the JSON form."""

    #: Its place in the task, which is the number of its chunk of results.
    index: int
    item: dict[str, Any]
    graph: dict[str, Any] | None = None
    repetition: int = 0


class Limits(_Answer):
    """What measuring one item may take."""

    seconds: float
    memory_bytes: int | None = None


class Lease(_Answer):
    """A task, for one agent alone as long as it sends heartbeats. ``items`` are those that nobody has measured yet."""

    id: str
    fence: int
    campaign: str
    target: str
    protocol: int
    ttl_s: float
    until: str
    limits: Limits
    items: list[TaskItem]


class LeaseAnswer(_Answer):
    """A lease, or null where there is nothing to do."""

    lease: Lease | None = None


class HeartbeatRequest(_Request):
    """The agent is still at it, or gives its task back."""

    fence: Annotated[int, Field(ge=1)]
    temperature_c: Annotated[float | None, Field(ge=-100, le=250)] = None
    sentinel_us: Annotated[float | None, Field(gt=0)] = None
    release: Annotated[bool, Field(description="Give the task back, for somebody else.")] = False


class Heartbeat(_Answer):
    """Until when the lease holds; null once it was given back."""

    until: str | None = None


class ResultChunk(_Request):
    """What measuring one item gave; failures are records too."""

    fence: Annotated[int, Field(ge=1)]
    item: Annotated[str, Field(max_length=300, description="The key of the item: `family:seed/mode/split`.")]
    repetition: Annotated[int, Field(ge=0)] = 0
    seconds: Annotated[float, Field(ge=0, description="What it took.")]
    records: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=20_000)]


class ChunkReceipt(_Answer):
    """A chunk is on disk. ``new`` is false for one that was there; ``counts`` for one that came too late."""

    new: bool
    counts: bool


class CampaignRequest(_Request):
    """What is to be measured on a target. Without kinds, space or architectures: whatever teaches most."""

    target: Annotated[str | None, Field(description="Id or alias; null for that of the agent heard of last.")] = None
    name: Annotated[str, Field(max_length=100)] = ""
    kernel_kinds: list[str] = Field(default_factory=list, max_length=100, description="Learn about these kernels.")
    search_space: Annotated[str | None, Field(description="Learn about the kernels of this space.")] = None
    architectures: list[Architecture] = Field(
        default_factory=list, max_length=64, description="Be surer of these, or measure them."
    )
    goal: Annotated[
        Literal["learn", "measure"],
        Field(description="`learn` measures synthetic networks and trains; `measure` measures the architectures."),
    ] = "learn"
    precisions: Annotated[tuple[Literal["fp32", "int8", "fp16"], ...], Field(min_length=1)] = ("fp32",)
    budget_s: Annotated[float, Field(gt=0, le=2_592_000, description="Seconds of measuring, over all agents.")] = 600.0
    rounds: Annotated[int, Field(ge=1, le=20, description="What is measured next is decided so many times.")] = 3
    items_per_task: Annotated[int, Field(ge=1, le=64)] = 8
    promote: Literal["unless_worse", "never"] = "unless_worse"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


class TaskCounts(_Answer):
    """Tasks of a campaign by state."""

    queued: int = 0
    leased: int = 0
    done: int = 0
    quarantined: int = 0
    cancelled: int = 0


class Campaign(_Answer):
    """How a campaign is doing. ``result`` names the table, the predictor, whether it was promoted and why; for the
    goal `measure`, it has what was ``measured``.
    """

    id: str
    name: str
    target: str
    goal: str
    state: Literal["planning", "measuring", "paused", "training", "succeeded", "failed", "cancelled"]
    round: int
    rounds: int
    budget_s: float
    spent_s: float
    tasks: TaskCounts
    job: str | None = None
    result: dict[str, Any]
    error: str | None = None
    requested_by: str
    created_at: str
    finished_at: str | None = None


class CampaignList(_Answer):
    """The newest campaigns, the newest first."""

    campaigns: list[Campaign]

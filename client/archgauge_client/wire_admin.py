"""What goes over the wire to those who look after a service: API keys, jobs, promotions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from archgauge_client.wire import _Answer, _Request

Scope = Literal["predict", "agent", "admin"]


class KeyRequest(_Request):
    """An API key to be made."""

    name: Annotated[str, Field(min_length=1, max_length=100, description="Whose it is, for the list.")]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=3)] = ("predict",)
    expires_in_days: Annotated[int | None, Field(ge=1, le=36_500, description="Null for a key without an end.")] = None


class Key(_Answer):
    """An API key without its secret; ``state`` is active, expired or revoked."""

    id: str
    name: str
    scopes: list[str]
    state: str
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None


class NewKey(Key):
    """A new API key; ``token`` is what to send as bearer token, and is never shown again."""

    token: str


class KeyList(_Answer):
    """Every key there ever was, the newest first."""

    keys: list[Key]


class TrainingRequest(_Request):
    """A predictor to be trained on a lookup table that is there already."""

    target: Annotated[str | None, Field(description="Id or alias; null for the target measured last.")] = None
    table: Annotated[str | None, Field(description="A version of its lookup table; null for the newest.")] = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    promote: Annotated[
        Literal["unless_worse", "never"],
        Field(
            description="Whether it answers from then on, unless it is worse on networks that neither was trained on."
        ),
    ] = "unless_worse"


class PromotionRequest(_Request):
    """Why a predictor is promoted."""

    note: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] = ""


class LogLine(_Answer):
    """Something that happened while a job was carried out."""

    at: str
    text: str


class Job(_Answer):
    """Work that goes on whatever happens to the processes that do it; ``log`` is with single jobs only.

    ``progress`` is a share from 0 to 1, ``words`` what is going on, ``result`` what came of it and ``error`` why
    nothing did.
    """

    id: str
    kind: str
    arguments: dict[str, Any]
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    progress: float
    words: str
    result: dict[str, Any]
    error: str | None = None
    requested_by: str
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    log: list[LogLine] | None = None


class JobList(_Answer):
    """The newest jobs, the newest first."""

    jobs: list[Job]


class Promotion(_Answer):
    """Since when a predictor version answers for its target, and why."""

    version: str
    promoted_at: str
    note: str


class PromotionList(_Answer):
    """All promotions of a target, the newest first."""

    promotions: list[Promotion]

"""What goes over the wire to those who look after a service: API keys, jobs, promotions."""

from __future__ import annotations

from typing import Annotated, Literal

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
    expires_at: str | None
    revoked_at: str | None


class NewKey(Key):
    """A new API key; ``token`` is what to send as bearer token, and is never shown again."""

    token: str


class KeyList(_Answer):
    """Every key there ever was, the newest first."""

    keys: list[Key]

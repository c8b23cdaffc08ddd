"""API keys: list, make, revoke. For administrators only."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request

from archgauge_client.wire_admin import Key, KeyList, KeyRequest, NewKey
from service import examples_admin as examples
from service.auth import CurrentPrincipal, requires
from service.db import KeyRecord
from service.keys import create_key, list_keys, revoke_key, state_of
from service.logs import log
from service.openapi import answer, body, problem_responses
from service.routes._bodies import read_model
from service.routes.targets import timestamp
from service.state import CurrentService

router = APIRouter(tags=["keys"])


@router.get(
    "/v1/keys",
    summary="List API keys",
    operation_id="list_keys",
    responses=answer("All keys", {"keys": [examples.KEY]}),
)
@requires("admin")
def list_(service: CurrentService) -> KeyList:
    """Every key there ever was, revoked and expired ones too, the newest first."""
    return KeyList(keys=[describe(record) for record in list_keys(service.store.database)])


@router.post(
    "/v1/keys",
    summary="Make an API key",
    operation_id="create_key",
    status_code=201,
    responses=answer("The key with its token", examples.NEW_KEY, status=201)
    | problem_responses(400, 408, 413, 415, 422),
    openapi_extra=body("application/json", "KeyRequest", examples.KEY_REQUESTS),
)
@requires("admin")
async def create(request: Request, service: CurrentService, principal: CurrentPrincipal) -> NewKey:
    """The token is in this answer and nowhere else. From the first key on, the service wants one of everybody."""
    wanted = await read_model(request, KeyRequest, service.settings.request_time_limit_s)
    lifetime = None if wanted.expires_in_days is None else timedelta(days=wanted.expires_in_days)
    made = await asyncio.to_thread(create_key, service.store.database, wanted.name, wanted.scopes, lifetime)
    record, token = made
    log.info("key made", extra={"fields": {"key": record.id, "scopes": sorted(record.scopes), "by": principal.id}})
    return NewKey(**describe(record).model_dump(), token=token)


@router.post(
    "/v1/keys/{key_id}/revoke",
    summary="Revoke an API key",
    operation_id="revoke_key",
    responses=answer("The key", {**examples.KEY, "state": "revoked", "revoked_at": "2026-01-03T00:00:00Z"})
    | problem_responses(404),
)
@requires("admin")
def revoke(
    key_id: Annotated[str, Path(examples=[examples.KEY["id"]])], service: CurrentService, principal: CurrentPrincipal
) -> Key:
    """The key is worth nothing from then on; all replicas notice within seconds. There is no way back."""
    record = revoke_key(service.store.database, key_id)
    log.info("key revoked", extra={"fields": {"key": record.id, "by": principal.id}})
    return describe(record)


def describe(record: KeyRecord) -> Key:
    """What may be shown of a key."""
    return Key(
        id=record.id, name=record.name, scopes=sorted(record.scopes), state=state_of(record),
        created_at=timestamp(record.created_at), expires_at=_when(record.expires_at),
        revoked_at=_when(record.revoked_at),
    )  # fmt: skip


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)

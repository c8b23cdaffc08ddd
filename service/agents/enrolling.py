"""How a device becomes known: with a token ``ae_<id>_<secret>`` that works once, for a key of its own.

As with keys, the database has the id and a hash of the secret only. Where the service has no keys, devices on the same
machine need neither token nor key.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from lookup_tables import Target
from lookup_tables.errors import InvalidRecord
from service.db import AgentRecord, Agents, ApiKeys, Database, EnrolmentRecord, TargetRecord, Versions
from service.db.clocks import now_of
from service.errors import InvalidRequest, KeysNeeded, NotAuthenticated
from service.keys import Principal, digest, new_key

_TOKEN = re.compile(r"ae_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


def add_enrolment(
    database: Database, name: str, lifetime_s: float, principal: Principal
) -> tuple[EnrolmentRecord, str]:
    """A one-time token for an agent that will be called ``name``.

    Raises:
        KeysNeeded: the service has no keys; the agent's would be the first, and lock everybody else out.
    """
    if principal.key is None:
        raise KeysNeeded(
            "this service has no API keys, so an agent on this machine needs no token; for other machines make a key "
            "for yourself first: archgauge keys create me --scope admin"
        )
    enrolment_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    with database.write() as session:
        now = now_of(session)
        record = EnrolmentRecord(
            enrolment_id, name, digest(enrolment_id, secret), principal.id, now, now + timedelta(seconds=lifetime_s)
        )
        Agents(session).add_enrolment(record)
    return record, f"ae_{enrolment_id}_{secret}"


def enrol_with_token(
    database: Database, token: str, name: str | None, target: Target, facts: Mapping[str, Any]
) -> tuple[AgentRecord, str]:
    """A new agent and its key's token.

    Raises:
        NotAuthenticated: the token is not one of ours, was used before or is too old.
    """
    match = _TOKEN.fullmatch(token)
    with database.write() as session:
        agents = Agents(session)
        record = agents.enrolment(match[1]) if match else None
        if match is None or record is None or not hmac.compare_digest(record.digest, digest(match[1], match[2])):
            raise NotAuthenticated("the enrolment token is not one of this service")
        if record.used_at is not None or record.expires_at <= now_of(session):
            how = "was used before" if record.used_at is not None else "is too old"
            raise NotAuthenticated(f"the enrolment token {how}; ask for another one")
        agents.use_enrolment(record.id)
        key, key_token = new_key(f"agent {name or record.name}"[:100], ["agent"])
        ApiKeys(session).add(key)
        know_target(session, target)
        return agents.add(name or record.name, key.id, target.id, facts), key_token


def enrol_with_key(
    database: Database, principal: Principal, name: str | None, target: Target, facts: Mapping[str, Any]
) -> AgentRecord:
    """A new agent for somebody who may measure already."""
    with database.write() as session:
        know_target(session, target)
        key_id = None if principal.key is None else principal.key.id
        return Agents(session).add(name or target.device.slug, key_id, target.id, facts)


def read_target(document: Mapping[str, Any]) -> Target:
    """A target as an agent describes it. Raises InvalidRequest."""
    try:
        return Target.from_json(document)
    except InvalidRecord as error:
        raise InvalidRequest(f"not a target: {error}", [("target", str(error))]) from None


def know_target(session: Any, target: Target) -> None:
    """Make a target known that may be known already."""
    record = TargetRecord(target.id, target.to_json(), target.emulated, now_of(session))
    Versions(session).add_target(record)

"""API keys: making, checking and revoking them.

A key is a token ``ag_<id>_<secret>`` that is shown once. The database has the id and a hash of the secret: BLAKE2b,
keyed with the id. A fast hash is right here. Slow ones (argon2, bcrypt) are for passwords, which can be guessed; nobody
guesses 256 random bits, and a request must not pay 100 ms for showing its key. The id as the hash's key ties a hash to
its row.

Scopes: ``predict`` asks and looks, ``agent`` measures, ``admin`` may do everything.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from service.db import ApiKeys, Database, KeyRecord
from service.errors import InvalidRequest, NotAuthenticated, UnknownKey

SCOPES = ("predict", "agent", "admin")

_TOKEN = re.compile(r"ag_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,100}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks; ``key`` is None where the service has no keys yet and everybody on this machine may do everything."""

    key: KeyRecord | None

    @property
    def id(self) -> str:
        """For logs and limits: the key's id, or ``anonymous``."""
        return "anonymous" if self.key is None else self.key.id

    def may(self, scope: str) -> bool:
        return self.key is None or scope in self.key.scopes or "admin" in self.key.scopes


def create_key(
    database: Database, name: str, scopes: Iterable[str], lifetime: timedelta | None = None
) -> tuple[KeyRecord, str]:
    """A new key and its token, which nobody can tell again later. Raises as `new_key` does."""
    record, token = new_key(name, scopes, lifetime)
    with database.write() as session:
        ApiKeys(session).add(record)
    return record, token


def new_key(name: str, scopes: Iterable[str], lifetime: timedelta | None = None) -> tuple[KeyRecord, str]:
    """A key that is not in the database yet, and its token.

    Raises:
        InvalidRequest: no name, no scope or one that does not exist.
    """
    chosen = frozenset(scopes)
    wrong = []
    if not _NAME.fullmatch(name):
        wrong.append(("name", "must be 1 to 100 characters of text"))
    if not chosen or not chosen <= set(SCOPES):
        wrong.append(("scopes", f"must name some of {', '.join(SCOPES)}"))
    if wrong:
        raise InvalidRequest("; ".join(" ".join(pair) for pair in wrong), wrong)
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    record = KeyRecord(key_id, name, chosen, digest(key_id, secret), now, None if lifetime is None else now + lifetime)
    return record, f"ag_{key_id}_{secret}"


def list_keys(database: Database) -> list[KeyRecord]:
    """Every key there ever was, the newest first."""
    with database.read() as session:
        return ApiKeys(session).all()


def revoke_key(database: Database, key_id: str) -> KeyRecord:
    """Make a key worthless. Services notice within their `refresh_s`.

    Raises:
        UnknownKey: no key has that id.
    """
    with database.write() as session:
        record = ApiKeys(session).revoke(key_id, datetime.now(UTC))
    if record is None:
        raise UnknownKey(f"there is no key {key_id!r}; `archgauge keys list` shows those that there are")
    return record


def state_of(record: KeyRecord, now: datetime | None = None) -> str:
    """``active``, ``expired`` or ``revoked``."""
    if record.revoked_at is not None:
        return "revoked"
    expired = record.expires_at is not None and record.expires_at <= (now or datetime.now(UTC))
    return "expired" if expired else "active"


class KeyRing:
    """All keys of a database, at most ``refresh_s`` old; thread-safe."""

    def __init__(self, database: Database, refresh_s: float) -> None:
        self._database = database
        self._refresh_s = refresh_s
        self._lock = threading.Lock()
        self._keys: dict[str, KeyRecord] = {}
        self._read_at = float("-inf")

    async def check(self, token: str | None) -> Principal | None:
        """Whose token it is; None where there are no keys at all, so that tokens mean nothing.

        Raises:
            NotAuthenticated: there are keys, and it is not a valid one.
        """
        if time.monotonic() - self._read_at > self._refresh_s:
            await asyncio.to_thread(self._refresh)
        keys = self._keys
        if not keys:
            return None
        if token is None:
            raise NotAuthenticated("this service wants an API key: send it as `Authorization: Bearer ag_…`")
        match = _TOKEN.fullmatch(token)
        record = keys.get(match[1]) if match else None
        if match is None or record is None or not hmac.compare_digest(record.digest, digest(match[1], match[2])):
            raise NotAuthenticated("the API key is not one of this service")
        if (state := state_of(record)) != "active":
            raise NotAuthenticated(f"the API key {record.id} is {state}")
        return Principal(record)

    def _refresh(self) -> None:
        with self._lock:
            if time.monotonic() - self._read_at > self._refresh_s:  # else another thread did meanwhile
                self._keys = {record.id: record for record in list_keys(self._database)}
                self._read_at = time.monotonic()


def digest(key_id: str, secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.blake2b(secret.encode(), key=key_id.encode(), digest_size=32).hexdigest()

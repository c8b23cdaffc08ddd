"""API keys: who may ask for what, on both databases."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from archgauge_client.wire_admin import NewKey
from service.auth import COOKIE, is_loopback, is_public
from service.db import Database
from service.errors import Forbidden, InvalidRequest, UnknownKey
from service.keys import create_key, list_keys, revoke_key, state_of
from service.logs import JsonFormatter
from service.server import check_exposure, in_background, listen
from service.settings import Settings
from service.store import Store

Check = Callable[..., dict[str, Any]]


class Guarded(NamedTuple):
    """A service with a key of each scope."""

    url: str
    database: Database
    tokens: dict[str, str]

    def ids(self) -> dict[str, str]:
        """Ids of the keys by name."""
        return {record.name: record.id for record in list_keys(self.database)}

    def ask(self, path: str, scope: str | None = None, method: str = "GET", **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.tokens[scope]}"} if scope else {}
        return httpx.request(method, f"{self.url}{path}", headers={**headers, **more.pop("headers", {})}, **more)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    with Store.open(folder) as store:
        tokens = {scope: create_key(store.database, scope, [scope])[1] for scope in ("predict", "agent", "admin")}
        with in_background(Settings(data_dir=folder, refresh_s=0.0)) as url:
            yield Guarded(url, store.database, tokens)


def test_a_key_is_stored_without_its_secret(database: Database) -> None:
    record, token = create_key(database, "job", ["predict", "agent"], timedelta(days=1))
    assert list_keys(database) == [record]
    assert record.id in token and token.rpartition("_")[2] not in repr(record)
    assert record.expires_at == record.created_at + timedelta(days=1)
    assert state_of(record) == "active"
    assert create_key(database, "job", ["predict"])[1] != token


@pytest.mark.parametrize(("name", "scopes"), [("", ["predict"]), ("a\0b", ["predict"]), ("a", []), ("a", ["root"])])
def test_keys_that_make_no_sense_are_refused(database: Database, name: str, scopes: list[str]) -> None:
    with pytest.raises(InvalidRequest):
        create_key(database, name, scopes)
    assert list_keys(database) == []


def test_revoking_is_for_ever(database: Database) -> None:
    record, _ = create_key(database, "job", ["predict"])
    first = revoke_key(database, record.id)
    assert state_of(first) == "revoked" and revoke_key(database, record.id) == first == list_keys(database)[0]
    for unknown in ("0" * 12, "a\0b"):
        with pytest.raises(UnknownKey):
            revoke_key(database, unknown)


def test_scopes_decide_what_may_be_asked(guarded: Guarded, check_problem: Check) -> None:
    assert guarded.ask("/v1/targets", "predict").status_code == 200
    assert guarded.ask("/v1/keys", "admin").status_code == guarded.ask("/v1/targets", "admin").status_code == 200
    problem = check_problem(guarded.ask("/v1/keys", "predict"), 403, "forbidden")
    assert "'admin'" in problem["detail"]
    check_problem(guarded.ask("/v1/targets", "agent"), 403, "forbidden")


@pytest.mark.parametrize("token", ["ag_", "secret", "ag_0a1b2c3d4e5f_" + 43 * "x", "ä"])
def test_what_is_no_key_is_refused(guarded: Guarded, check_problem: Check, token: str) -> None:
    response = guarded.ask("/v1/targets", headers={"authorization": f"Bearer {token}".encode()})
    check_problem(response, 401, "not-authenticated")
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_right_id_with_a_wrong_secret_is_refused(guarded: Guarded, check_problem: Check) -> None:
    token = guarded.tokens["admin"]
    for wrong in (token[:-1] + ("A" if token[-1] != "A" else "B"), token + "A", token.upper()):
        response = guarded.ask("/v1/targets", headers={"authorization": f"Bearer {wrong}"})
        check_problem(response, 401, "not-authenticated")


def test_every_endpoint_wants_a_key_unless_it_is_public(guarded: Guarded, check_problem: Check) -> None:
    document = guarded.ask("/openapi.json").json()
    scheme = document["components"]["securitySchemes"]["APIKey"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            response = guarded.ask(path, method=method.upper())
            if is_public(path):
                assert response.status_code != 401 and "security" not in operation
            else:
                check_problem(response, 401, "not-authenticated")
                assert operation["security"] == [{"APIKey": []}] and {"401", "403"} <= set(operation["responses"])
    assert guarded.ask("/docs").status_code == 200
    assert guarded.ask("/").status_code in (303, 401)


def test_expired_and_revoked_keys_are_refused(guarded: Guarded, check_problem: Check) -> None:
    _, expired = create_key(guarded.database, "old", ["predict"], timedelta(seconds=-1))
    record, revoked = create_key(guarded.database, "bad", ["predict"])
    assert guarded.ask("/v1/targets", headers={"authorization": f"bearer {revoked}"}).status_code == 200
    assert guarded.ask(f"/v1/keys/{record.id}/revoke", "admin", "POST").json()["state"] == "revoked"
    for token, state in ((expired, "expired"), (revoked, "revoked")):
        problem = check_problem(
            guarded.ask("/v1/targets", headers={"authorization": f"Bearer {token}"}), 401, "not-authenticated"
        )
        assert problem["detail"].endswith(state)
    check_problem(guarded.ask("/v1/keys/nothing/revoke", "admin", "POST"), 404, "unknown-key")


def test_keys_are_made_over_http(guarded: Guarded, check_problem: Check) -> None:
    response = guarded.ask("/v1/keys", "admin", "POST", json={"name": "board", "scopes": ["agent"]})
    assert response.status_code == 201
    made = NewKey.model_validate(response.json())
    assert made.expires_at is None and made.scopes == ["agent"]
    listed = guarded.ask("/v1/keys", "admin")
    assert made.id in listed.text and made.token.rpartition("_")[2] not in listed.text
    wrong = guarded.ask("/v1/keys", "admin", "POST", json={"name": "board", "scopes": ["root"]})
    assert check_problem(wrong, 422, "invalid-request")["errors"][0]["location"] == "scopes.0"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What our loggers write at their most talkative, whatever other tests have told them."""
    text, logger = io.StringIO(), logging.getLogger("archgauge")
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonFormatter())
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    yield text
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_tokens_are_never_logged(guarded: Guarded, logged: io.StringIO) -> None:
    for scope in guarded.tokens:
        guarded.ask("/v1/keys", scope)
    made = guarded.ask("/v1/keys", "admin", "POST", json={"name": "x"}).json()
    text = logged.getvalue()
    assert made["id"] in text
    requests = [line for line in text.split("\n") if '"message": "request"' in line]
    assert any(guarded.ids()["agent"] in line and '"status": 403' in line for line in requests)
    for token in (*guarded.tokens.values(), made["token"]):
        assert token.rpartition("_")[2] not in text


def test_browsers_send_the_key_as_a_cookie(guarded: Guarded, check_problem: Check) -> None:
    cookie = {"cookie": f"{COOKIE}={guarded.tokens['admin']}"}
    assert guarded.ask("/v1/keys", headers=cookie).status_code == 200
    body = {"json": {"name": "x"}}
    ours = guarded.ask("/v1/keys", method="POST", headers={**cookie, "origin": guarded.url}, **body)
    assert ours.status_code == 201
    theirs = guarded.ask("/v1/keys", method="POST", headers={**cookie, "origin": "https://evil.example"}, **body)
    check_problem(theirs, 403, "forbidden")


def test_without_keys_only_this_machine_is_answered(tmp_path: Path, check_problem: Check) -> None:
    with in_background(Settings(data_dir=tmp_path, refresh_s=0.0)) as url:
        assert httpx.get(f"{url}/v1/keys").status_code == 200
        for host in ("rebound.example", "192.168.1.7:8080"):
            check_problem(httpx.get(f"{url}/v1/targets", headers={"host": host}), 403, "forbidden")
        evil = {"origin": "https://evil.example"}
        check_problem(httpx.post(f"{url}/v1/keys", json={"name": "x"}, headers=evil), 403, "forbidden")
        assert httpx.post(f"{url}/v1/keys", json={"name": "x"}).status_code == 201
        time.sleep(0.01)
        check_problem(httpx.get(f"{url}/v1/targets"), 401, "not-authenticated")  # the first key closes the door


def test_who_says_so_answers_everybody(tmp_path: Path) -> None:
    with in_background(Settings(data_dir=tmp_path, allow_without_keys=True)) as url:
        assert httpx.get(f"{url}/v1/targets", headers={"host": "gauge.example"}).status_code == 200


def test_without_keys_no_other_address_is_served(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with listen("127.0.0.1") as here, listen("0.0.0.0") as everywhere:
        check_exposure(settings, here)
        with pytest.raises(Forbidden, match="archgauge keys create"):
            check_exposure(settings, everywhere)
        check_exposure(Settings(data_dir=tmp_path, allow_without_keys=True), everywhere)
        with Store.open(tmp_path) as store:
            create_key(store.database, "first", ["admin"])
        check_exposure(settings, everywhere)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("[::1]", True), ("LocalHost.", True),
     ("a.localhost", True),
     ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("localhost.evil.example", False), ("", False)],
)  # fmt: skip
def test_loopback_addresses_are_known(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected

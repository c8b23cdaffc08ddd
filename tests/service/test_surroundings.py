"""What surrounds the endpoints: the framework's errors, request ids, headers, logs, pages, settings."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from lookup_tables import DeviceFingerprint, Target
from service import errors
from service.app import create_app
from service.logs import JsonFormatter, TextFormatter, request_id
from service.problems import TABLE, kind_of, problem_of
from service.server import in_background
from service.settings import Settings
from service.store import Store
from service.ui import assets

Check = Callable[..., dict[str, Any]]


def test_paths_and_methods_that_are_not_there(http: httpx.Client, check_problem: Check) -> None:
    problem = check_problem(http.get("/v1/nothing"), 404, "not-found")
    assert problem["instance"] == "/v1/nothing"
    response = http.put("/v1/targets")
    check_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "GET"
    assert http.put("/v1/predictors").headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    "path", ["/docs/assets/index.html", "/docs/assets/..%2f__init__.py", "/static/x/..%2fapp.py", "/static/x/app.py"]
)
def test_only_listed_files_are_served(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/v1/lookup-tables", "/v1/predictors"])
def test_versions_are_listed_and_fetched(http: httpx.Client, check_problem: Check, path: str) -> None:
    (listed,) = next(iter(http.get(path, params={"target": "example"}).json().values()))
    one = http.get(f"{path}/{listed['version']}").json()
    assert one["manifest"]["rows"] == listed["rows"] if "tables" in path else one["report"] and listed["promoted"]
    kind = "unknown-lookup-table" if "tables" in path else "unknown-predictor"
    problem = check_problem(http.get(f"{path}/v9999-00000000"), 404, kind)
    assert problem["known"] == [listed["version"]]
    check_problem(http.get(path, params={"target": "phone"}), 404, "unknown-target")


def test_targets_tell_their_accuracy(http: httpx.Client) -> None:
    (target,) = http.get("/v1/targets").json()["targets"]
    assert target["aliases"] == ["example"] and target["predictor"] and target["accuracy"]
    assert target["runtime"] == "onnxruntime 1.31.1" and target["threads"] == 1


def test_request_ids_are_taken_over_or_made(http: httpx.Client) -> None:
    assert http.get("/healthz", headers={"x-request-id": "job-7.a_b"}).headers["x-request-id"] == "job-7.a_b"
    for odd in ("a b", "x" * 65, '"', ""):
        made = http.get("/healthz", headers={"x-request-id": odd}).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f-]{36}", made)


def test_every_response_tells_browsers_to_trust_nothing_else(http: httpx.Client) -> None:
    for path in ("/", "/docs", "/v1/targets", "/nowhere"):
        headers = http.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_have_no_inline_code_and_nothing_foreign(http: httpx.Client, path: str) -> None:
    page = http.get(path).text
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\son\w+=|\sstyle=|javascript:", page)
    for link in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert link.startswith(("/", "#")) and not link.startswith("//")
        assert link.startswith("#") or http.get(link).status_code == 200, link


def test_documentation_shows_our_description(http: httpx.Client) -> None:
    assert "SwaggerUIBundle" in http.get(assets.url("docs.js")).text
    assert len(http.get("/docs/assets/swagger-ui-bundle.js").content) > 500_000


def test_names_on_pages_are_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    with Store.open(tmp_path) as store:
        target = store.register_target(Target(DeviceFingerprint(evil), runtime=evil, runtime_version="1"), alias=evil)
    with in_background(Settings(data_dir=tmp_path)) as url:
        pages = [httpx.get(f"{url}/targets").text, httpx.get(f"{url}/targets/{target.id}").text]
    for page in pages:
        assert "<script>" not in page and "&lt;script&gt;" in page


def test_a_page_without_targets_says_what_to_do(tmp_path: Path) -> None:
    with in_background(Settings(data_dir=tmp_path)) as url:
        assert "archgauge profile" in httpx.get(url).text


def test_a_defect_is_logged_and_not_shown(
    tmp_path: Path, check_problem: Check, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Store, name: str) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(Store, "target", broken)
    with in_background(Settings(data_dir=tmp_path)) as url, caplog.at_level(logging.INFO, "archgauge.service"):
        response = httpx.get(f"{url}/v1/targets/x")
    problem = check_problem(response, 500, "internal-error")
    assert "hunter2" not in response.text
    assert any(record.exc_info and "hunter2" in str(record.exc_info[1]) for record in caplog.records)
    assert problem["request_id"]


def test_every_error_of_the_service_has_a_status() -> None:
    def subclasses(cls: type[BaseException]) -> set[type[BaseException]]:
        return {cls} | {s for c in cls.__subclasses__() for s in subclasses(c)}

    abstract = {errors.ServiceError, errors.NotThere, errors.LimitExceeded}
    for cls in subclasses(errors.ServiceError) - abstract:
        assert kind_of(cls.__new__(cls)) is not None, cls
    for cls, kind in TABLE.items():
        assert issubclass(cls, Exception) and 400 <= kind.status < 600 and re.fullmatch("[a-z-]+", kind.slug)


def test_a_subclass_is_answered_like_its_base() -> None:
    class TooHot(errors.Overloaded):
        pass

    problem = problem_of(TooHot("later"))
    assert (problem.status, problem.slug, problem.detail) == (503, "overloaded", "later")


def test_requests_are_logged_without_secrets(http: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "archgauge.service"):
        http.get("/v1/targets?key=secret", headers={"authorization": "Bearer secret", "x-request-id": "abc"})
        http.get("/healthz")  # on the same connection: the line of the first request is written by then
    entries = [json.loads(JsonFormatter().format(record)) for record in caplog.records if record.message == "request"]
    (entry,) = [entry for entry in entries if entry["path"] == "/v1/targets"]
    assert entry["status"] == 200 and entry["duration_ms"] > 0
    assert "secret" not in json.dumps(entries)


def test_log_lines_are_json_with_the_request_id() -> None:
    try:
        raise ValueError("line one\nline two")
    except ValueError as error:
        record = logging.LogRecord("archgauge", logging.ERROR, __file__, 1, "failed %s", ("here",), None)
        record.exc_info = (ValueError, error, error.__traceback__)
    token = request_id.set("r-1")
    text = JsonFormatter().format(record)
    request_id.reset(token)
    assert "\n" not in text
    entry = json.loads(text)
    assert (entry["message"], entry["request_id"], entry["level"]) == ("failed here", "r-1", "error")
    assert "ValueError" in entry["exception"]
    record.fields = {"path": "/a\nb"}
    record.exc_info = record.exc_text = None
    assert "\n" not in TextFormatter().format(record)


def test_nothing_is_opened_before_the_application_starts(tmp_path: Path) -> None:
    create_app(Settings(data_dir=tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {"ARCHGAUGE_DATA_DIR": str(tmp_path), "ARCHGAUGE_THREADS": "3"}, log_level="DEBUG"
    )
    assert (settings.data_dir, settings.worker_threads, settings.log_level) == (tmp_path, 3, "DEBUG")
    assert Settings.from_environment(settings.to_environment()) == settings
    assert replace(settings, threads=0).worker_threads >= 1
    with pytest.raises(ValueError, match="ARCHGAUGE_THREADS must be a number"):
        Settings.from_environment({"ARCHGAUGE_THREADS": "many"})

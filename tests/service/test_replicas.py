"""Several servers over one database and one store: promotions reach all of them, and no request suffers."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from service import examples
from service.server import in_background
from service.settings import Settings
from service.store import Store

Fill = Callable[..., Path]
REQUEST = examples.REQUESTS["graph"]["value"]
#: A promotion must reach every replica so soon.
NOTICED_S = 2.0


@dataclass
class Asking:
    """Asks a server all the time, and keeps who answered when."""

    url: str
    stop: threading.Event
    answers: list[tuple[float, int, str]] = field(default_factory=list)

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=30.0) as client:
            while not self.stop.is_set():
                asked_at = time.monotonic()
                response = client.post("/v1/predictions", json=REQUEST)
                version = ""
                if response.status_code == 200:
                    version = response.json()["predictions"][0]["provenance"]["predictor"]
                self.answers.append((asked_at, response.status_code, version))


def second_version(folder: Path, trained: Any, **urls: str) -> str:
    with Store.open(folder, **urls) as store:
        table = store.tables()[0].version
        return store.register_predictor(trained, "example", [table]).version


def test_a_promotion_reaches_all_replicas_and_drops_no_request(
    tmp_path: Path, database_url: str, fill: Fill, trained: Any, start_service: Callable[..., Any]
) -> None:
    """Each replica has a data directory of its own; what they share is the database and the store."""
    urls = {"database_url": database_url, "store_url": f"file://{tmp_path}/shared"}
    fill(tmp_path / "admin", **urls)
    new = second_version(tmp_path / "admin", trained, **urls)
    services = [start_service(data_dir=tmp_path / name, **urls, embedded_worker="no") for name in ("a", "b")]
    stop = threading.Event()
    asking = [Asking(service.url, stop) for service in services for _ in range(2)]
    threads = [threading.Thread(target=one.run) for one in asking]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    old = httpx.get(f"{services[0].url}/v1/targets/example").json()["predictor"]
    assert httpx.post(f"{services[0].url}/v1/predictors/{new}/promote").json()["promoted"]
    promoted_at = time.monotonic()
    time.sleep(2 * NOTICED_S)
    back = httpx.post(f"{services[1].url}/v1/targets/example/rollback").json()
    back_at = time.monotonic()
    time.sleep(2 * NOTICED_S)
    stop.set()
    for thread in threads:
        thread.join()
    assert back["version"] == old
    for one in asking:
        assert {status for _, status, _ in one.answers} == {200}
        assert {version for at, _, version in one.answers if at < promoted_at - 1} == {old}
        assert {version for at, _, version in one.answers if promoted_at + NOTICED_S < at < back_at - 1} == {new}
        assert {version for at, _, version in one.answers if at > back_at + NOTICED_S} == {old}
    notes = [p["note"] for p in httpx.get(f"{services[0].url}/v1/targets/example/promotions").json()["promotions"]]
    assert notes[:2] == ["rolled back", "by anonymous"]


def test_a_predictor_that_does_not_fit_is_not_promoted(
    tmp_path: Path, fill: Fill, trained: Any, check_problem: Callable[..., dict[str, Any]]
) -> None:
    fill(tmp_path)
    damaged, newer = second_version(tmp_path, trained), second_version(tmp_path, trained)
    with Store.open(tmp_path) as store:
        (store.predictor_folder(store.predictor(damaged)) / "manifest.json").write_text("{}")
        with pytest.raises(Exception, match="not those that were registered"):
            store.promote(damaged)
    with in_background(Settings(data_dir=tmp_path)) as url:
        old = httpx.get(f"{url}/v1/targets/example").json()["predictor"]
        check_problem(httpx.post(f"{url}/v1/predictors/{damaged}/promote"), 503, "predictor-unavailable")
        check_problem(httpx.post(f"{url}/v1/predictors/v9999-0/promote"), 404, "unknown-predictor")
        check_problem(httpx.post(f"{url}/v1/targets/example/rollback"), 409, "nothing-before")
        assert httpx.get(f"{url}/v1/targets/example").json()["predictor"] == old
        assert httpx.post(f"{url}/v1/predictors/{newer}/promote", json={"note": "why"}).status_code == 200


def test_a_promotion_that_cannot_be_followed_leaves_the_one_before(tmp_path: Path, fill: Fill, trained: Any) -> None:
    """As when a replica's copy is damaged, or its code older than the artifact."""
    fill(tmp_path)
    new = second_version(tmp_path, trained)
    with in_background(Settings(data_dir=tmp_path, refresh_s=0.0)) as url, Store.open(tmp_path) as store:
        old = httpx.post(f"{url}/v1/predictions", json=REQUEST).json()["predictions"][0]["provenance"]["predictor"]
        folder = store.predictor_folder(store.predictor(new))
        store.promote(new)
        shutil.move(folder, tmp_path / "aside")
        (folder / "kinds").mkdir(parents=True)
        answer = httpx.post(f"{url}/v1/predictions", json=REQUEST)
        assert answer.json()["predictions"][0]["provenance"]["predictor"] == old
        ready = httpx.get(f"{url}/readyz")
        assert ready.status_code == 200 and f"{old} still answers" in ready.json()["checks"]["promotions"]
        shutil.rmtree(folder)
        shutil.move(tmp_path / "aside", folder)
        answer = httpx.post(f"{url}/v1/predictions", json=REQUEST)
        assert answer.json()["predictions"][0]["provenance"]["predictor"] == new
        assert "promotions" not in httpx.get(f"{url}/readyz").json()["checks"]

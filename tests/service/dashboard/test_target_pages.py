"""What is shown of targets, in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from service.server import in_background
from service.settings import Settings
from service.store import Store


def test_targets_and_one_of_them(page: Page) -> None:
    page.goto("/targets")
    rows = page.get_by_role("region", name="Targets").locator("tbody tr")
    expect(rows).to_have_count(2)
    assert re.search(r"\d+\.\d %", rows.first.inner_text()) and "answers by default" in rows.first.inner_text()
    page.get_by_role("link", name="example", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("example")
    for chart in ("#calibration", "#scatter"):
        expect(page.locator(f"{chart} .scatterlayer .trace").first).to_be_attached()
    kinds = page.get_by_role("region", name="Error by kernel kind").inner_text()
    assert "Conv" in kinds and "%" in kinds
    assert "resnet" in page.get_by_role("region", name="Error by family").inner_text()
    covered = page.get_by_role("group", name="Who answers for the time").inner_text()
    assert re.search(r"regressor \d+ %", covered)
    assert re.search(r"[\d,]+ distinct kernels of \d+ kinds were measured", page.inner_text("main"))
    versions = page.get_by_role("region", name="Predictor versions").locator("tbody tr")
    expect(versions).to_have_count(2)


def test_the_drift_of_the_sentinel_is_drawn(page: Page) -> None:
    page.goto("/targets")
    page.get_by_role("link", name="onerror=alert(1)").click()  # its alias
    page.locator("#drift").scroll_into_view_if_needed()
    expect(page.locator("#drift .scatterlayer .trace")).to_be_attached()
    assert "Slower than the reference" in page.inner_text("#drift")


def test_a_predictor_is_rolled_back(
    open_page: Callable[..., Page], fill: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = fill(tmp_path / "data")
    with Store.open(folder) as store:
        (first,) = store.predictors("example")
        from predictors import Predictor, TrainedPredictor

        trained = TrainedPredictor(Predictor.load(store.predictor_folder(first)))
        second = store.register_predictor(trained, "example", list(first.tables))
        store.promote(second.version, "example")
    with in_background(Settings(data_dir=folder, refresh_s=0.01)) as url:
        page = open_page(url)
        page.goto("/targets/example", wait_until="networkidle")
        page.get_by_role("button", name="Roll back to it").click()
        expect(page.get_by_role("dialog")).to_contain_text(first.version)
        page.get_by_role("button", name="No", exact=True).click()
        assert _promoted(folder) == second.version
        page.get_by_role("button", name="Roll back to it").click()
        page.get_by_label("Note").fill("the new one is wrong")
        page.get_by_role("button", name="Yes").click()
        row = page.get_by_role("region", name="Predictor versions").locator("tbody tr").filter(has_text=first.version)
        expect(row).to_contain_text("answers")
        expect(row).to_contain_text("the new one is wrong")
    assert _promoted(folder) == first.version


def _promoted(folder: Path) -> str:
    with Store.open(folder) as store:
        return store.promoted("example").version


def test_nothing_was_profiled_yet(open_page: Callable[..., Page], tmp_path: Path) -> None:
    with in_background(Settings(data_dir=tmp_path)) as url:
        page = open_page(url)
        for path in ("/", "/compare", "/targets"):
            page.goto(path)
            expect(page.get_by_role("heading", name="No target yet")).to_be_visible()
            assert "archgauge profile" in page.inner_text("main")


def test_a_table_without_a_predictor(
    open_page: Callable[..., Page], fill: Callable[..., Path], tmp_path: Path
) -> None:  # fmt: skip
    with in_background(Settings(data_dir=fill(tmp_path / "data", promote=False))) as url:
        page = open_page(url)
        page.goto("/")
        expect(page.get_by_text("no predictor was promoted")).to_be_visible()
        page.goto("/targets/example", wait_until="networkidle")
        expect(page.get_by_role("button", name="Promote")).to_be_visible()
        assert "which does not answer" in page.inner_text("main")

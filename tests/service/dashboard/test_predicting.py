"""From a dropped model to its page, in a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from graphs.light_models import light_models
from service.examples import TINY_GRAPH


def choose_example(page: Page, *names: str) -> None:
    page.goto("/")
    for name in names:
        page.get_by_role("button", name=name, exact=True).click()


def predict(page: Page) -> None:
    page.get_by_role("button", name="Predict", exact=True).click()
    page.wait_for_url(re.compile(r"/predictions/[0-9a-f-]{36}"))


def graph(folder: Path, **changes: Any) -> Path:
    file = folder / "graph.json"
    file.write_text(json.dumps({**TINY_GRAPH, **changes}))
    return file


def test_an_example_on_two_targets_against_a_budget(page: Page) -> None:
    choose_example(page, "SqueezeNet")
    for target in page.get_by_role("checkbox").all():
        target.check()
    page.get_by_label("Batch size").fill("1")
    page.get_by_label("Latency").fill("100000")
    page.get_by_label("Memory").fill("0.001")
    predict(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("SqueezeNet")
    costs = page.get_by_role("region", name="Costs by target")
    expect(costs.locator("tbody tr")).to_have_count(2)
    for row in costs.locator("tbody tr").all():
        assert "meets the budget" in row.inner_text() and "misses the budget" in row.inner_text()
        assert re.search(r"[\d,.]+ ms", row.inner_text()) and "regressor" in row.inner_text()
    assert "meets the budget on none of 2 targets" in page.inner_text("main")
    assert page.get_by_role("region", name="Slowest kernels").locator("tbody tr").count() == 20
    page.locator("#roofline").scroll_into_view_if_needed()  # it is drawn when it is seen
    expect(page.locator("#roofline .scatterlayer .trace").first).to_be_visible()
    moment, most = page.locator("#moment"), page.inner_text("#moment")
    assert re.search(r"Most at [\d.]+ ms: [\d.]+ MB in \w+", most)
    page.locator("#memory").hover(position={"x": 1, "y": 50})
    expect(moment).to_contain_text("MB at 0")
    page.mouse.move(0, 0)
    expect(moment).to_have_text(most)
    slider = page.get_by_label("Moment of the run")
    slider.press("End")
    expect(moment).not_to_have_text(most)
    assert "MB at" in (slider.get_attribute("aria-valuetext") or "")
    slider.press("Tab")
    expect(moment).to_have_text(most)


def test_a_page_can_be_shared_and_downloaded(page: Page, open_page: Callable[..., Page], dashboard: str) -> None:
    choose_example(page, "ShuffleNet")
    page.get_by_label("Latency").fill("7")
    predict(page)
    assert "ms=7" in page.url
    shown = page.get_by_role("region", name="Costs by target").inner_text()
    other = open_page(dashboard)
    other.goto(page.url)
    assert other.get_by_role("region", name="Costs by target").inner_text() == shown
    with page.expect_download() as json_download:
        page.get_by_role("link", name="JSON").click()
    answer = json.loads(Path(json_download.value.path()).read_text())
    with page.expect_download() as csv_download:
        page.get_by_role("link", name="CSV").click()
    names = [json_download.value.suggested_filename, csv_download.value.suggested_filename]
    assert names == ["ShuffleNet-prediction.json", "ShuffleNet-prediction.csv"]
    lines = Path(csv_download.value.path()).read_text().splitlines()
    assert len(lines) == 1 + len(answer["predictions"][0]["kernels"]) and lines[0].startswith("target,position,kind")
    page.get_by_role("link", name=re.compile("Show all")).click()
    rows = page.get_by_role("region", name="Slowest kernels").locator("tbody tr")
    expect(rows).to_have_count(len(answer["predictions"][0]["kernels"]))


def test_the_commands_on_the_page_give_what_it_shows(page: Page, tmp_path: Path) -> None:
    choose_example(page, "SqueezeNet")
    page.get_by_label("Batch size").fill("1")
    predict(page)
    curl, python = (block.inner_text() for block in page.locator(".copyable code").all())
    (tmp_path / "SqueezeNet.onnx").write_bytes(light_models()["SqueezeNet"].read_bytes())
    shown = page.locator(".cost b").first.inner_text()
    done = subprocess.run([sys.executable, "-c", python], cwd=tmp_path, capture_output=True, text=True, check=True)
    said = re.search(r"latency_ms=Estimate\(value=([\d.]+)", done.stdout)
    assert said and f"{float(said[1]):.6f}".startswith(shown.split()[0].replace(",", "")[:3])
    done = subprocess.run(["sh", "-c", f"{curl} --silent"], cwd=tmp_path, capture_output=True, text=True, check=False)
    if done.returncode != 127:  # curl is installed
        assert json.loads(done.stdout)["predictions"][0]["latency_ms"]["value"] == pytest.approx(float(said[1]))


def test_a_dimension_without_a_size_is_asked_for(page: Page, tmp_path: Path) -> None:
    inputs = [{"name": "x", "dtype": "float32", "shape": ["batch", 3, "height", 32]}]
    page.goto("/")
    page.get_by_label("Choose files").set_input_files(graph(tmp_path, inputs=inputs))
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("height")
    field = page.get_by_label("Size of the dimension “height”")
    expect(field).to_be_focused()
    field.fill("32")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/predictions/"))
    assert "height" in page.inner_text(".facts")


def test_what_cannot_be_priced_is_named_and_may_be_left_out(page: Page, tmp_path: Path) -> None:
    nodes = [*TINY_GRAPH["nodes"], {"op": "Unique", "name": "odd", "inputs": ["y"], "outputs": ["z"]}]
    page.goto("/")
    page.get_by_label("Choose files").set_input_files(graph(tmp_path, nodes=nodes, outputs=["z"]))
    page.get_by_role("button", name="Predict", exact=True).click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Unique")
    if alert.get_by_role("button").count():
        alert.get_by_role("button", name="Predict what can be priced").click()
        page.wait_for_url(re.compile("/predictions/"))
        assert "≥" in page.inner_text(".cost") and "left out" in page.inner_text(".warning")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.onnx", b"\x89PNG\r\n\x1a\n" + bytes(100), "not an ONNX file"),
        ("model.pt", b"PK\x03\x04" + bytes(100), "zip archive"),
        ("empty.onnx", b"", "not an ONNX file"),
        ("graph.json", b'{"name": ', "JSON"),
        ("graph.json", b'{"name": "x", "opset": {"": 17}}', "architecture"),
    ],
)
def test_files_that_are_no_models(page: Page, name: str, content: bytes, said: str) -> None:
    page.goto("/")
    page.get_by_label("Choose files").set_input_files({"name": name, "mimeType": "", "buffer": content})
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(said)
    expect(page.get_by_role("button", name="Predict", exact=True)).to_be_enabled()


def test_nothing_chosen(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Choose a file")


def test_a_model_that_fails_can_be_left_out(page: Page) -> None:
    choose_example(page, "SqueezeNet")
    page.get_by_label("Choose files").set_input_files({"name": "a.onnx", "mimeType": "", "buffer": b"no model"})
    page.get_by_role("button", name="ShuffleNet", exact=True).click()
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("a.onnx")
    page.get_by_role("button", name="Leave it out").click()
    page.wait_for_url(re.compile("/compare"))
    names = page.get_by_role("region", name="Models and targets").get_by_role("rowheader").all_inner_texts()
    assert names == ["SqueezeNet", "ShuffleNet"]


def test_a_batch_size_that_a_file_rules_out_can_be_left_to_it(page: Page) -> None:
    choose_example(page, "SqueezeNet")
    page.get_by_label("Batch size").fill("8")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("cannot run with batch size 8")
    page.get_by_role("button", name="Take the batch size of the file").click()
    page.wait_for_url(re.compile("/predictions/"))
    assert "batch size 1" in page.inner_text(".facts")


def test_a_budget_that_is_no_number_is_refused_before_anything_is_sent(page: Page) -> None:
    choose_example(page, "SqueezeNet")
    page.get_by_label("Latency").fill("-1")
    page.get_by_role("button", name="Predict", exact=True).click()
    assert page.get_by_label("Latency").evaluate("field => !field.validity.valid && document.activeElement === field")
    assert page.url.endswith("/")


def test_a_server_that_is_gone_is_told(page: Page) -> None:
    choose_example(page, "SqueezeNet")
    page.route("**/v1/predictions/**", lambda route: route.abort("connectionrefused"))
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")


def test_files_can_be_dropped_and_removed(page: Page) -> None:
    page.goto("/")
    transfer = page.evaluate_handle(
        """() => {
            const transfer = new DataTransfer();
            for (const name of ["one.json", "two.json"]) transfer.items.add(new File(["{}"], name));
            return transfer;
        }"""
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    chosen = page.get_by_role("list", name="Chosen models")
    expect(chosen.get_by_role("listitem")).to_have_count(2)
    page.get_by_role("button", name="Remove one.json").click()
    expect(chosen.get_by_role("listitem")).to_have_count(1)
    expect(chosen).to_contain_text("two.json")


def test_by_keyboard_alone(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "SqueezeNet":
            break
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "submit":
            break
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/predictions/"))
    expect(page.get_by_role("heading", level=1)).to_have_text("SqueezeNet")

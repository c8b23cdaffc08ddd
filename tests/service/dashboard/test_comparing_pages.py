"""Several models side by side, in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect


def test_models_are_compared_and_the_front_is_marked(page: Page) -> None:
    page.goto("/compare")
    for name in ("SqueezeNet", "ShuffleNet", "AlexNet"):
        page.get_by_role("button", name=name, exact=True).click()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_url(re.compile(r"/compare\?p="))
    rows = page.get_by_role("region", name="Models and targets").locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(page.locator("#scatter .scatterlayer .trace").first).to_be_attached()
    assert page.locator("tr.front").count() >= 1

    page.get_by_label("Own number", exact=True).fill("accuracy, %")
    for name, value in (("SqueezeNet", "50"), ("ShuffleNet", "40"), ("AlexNet", "99.5")):
        page.get_by_label(re.compile(f"of {name}")).fill(value)
    page.get_by_role("button", name="Update").click()
    page.wait_for_url(re.compile("label="))
    assert page.get_by_label("Up").input_value() == "value"  # as soon as there are own numbers
    assert page.get_by_label("accuracy, % of AlexNet").input_value() == "99.5"
    best = rows.filter(has_text="AlexNet")
    expect(best).to_contain_text("on the front")
    expect(page.locator("#scatter")).to_contain_text("accuracy, %")

    page.reload()  # everything is in the address
    expect(rows).to_have_count(3)
    page.get_by_label("accuracy, % of SqueezeNet").fill("51")  # typed, and not sent yet
    page.get_by_role("button", name="Remove ShuffleNet").click()
    expect(rows).to_have_count(2)
    assert "without" not in page.url
    page.get_by_label("accuracy, % of AlexNet").fill("98")
    page.get_by_role("button", name="ZFNet-512", exact=True).click()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(rows).to_have_count(3)
    numbers = [page.get_by_label(f"accuracy, % of {name}").input_value() for name in ("SqueezeNet", "AlexNet")]
    assert numbers == ["51", "98"]
    page.get_by_label("Up").select_option("energy")
    page.get_by_role("button", name="Update").click()
    page.wait_for_url(re.compile("y=energy"))
    assert page.get_by_label("Up").input_value() == "energy"


def test_models_are_added_to_a_comparison(page: Page) -> None:
    page.goto("/")
    for name in ("SqueezeNet", "ShuffleNet"):
        page.get_by_role("button", name=name, exact=True).click()
    page.get_by_label("Memory").fill("0.5")
    page.get_by_role("button", name="Predict", exact=True).click()
    page.wait_for_url(re.compile(r"/compare\?mb="))
    page.get_by_role("button", name="ZFNet-512", exact=True).click()
    for target in page.get_by_role("checkbox").all():
        if (target.get_attribute("name") or "") == "target":
            target.check()
    page.get_by_role("button", name="Add", exact=True).click()
    rows = page.get_by_role("region", name="Models and targets").locator("tbody tr")
    expect(rows).to_have_count(4)
    assert page.get_by_text("misses the budget").count() == 4  # the budget came along
    rows.first.get_by_role("link").click()
    expect(page.locator(".headline")).to_contain_text("misses the budget")
    page.get_by_role("link", name="Compare with others").click()
    expect(rows).to_have_count(1)
    assert page.get_by_label("Memory budget").input_value() == "0.5"
    page.go_back()
    page.go_back()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "comparison.csv"


def test_lost_predictions_are_told(page: Page) -> None:
    page.goto("/compare?p=00000000-0000-7000-8000-000000000000")
    expect(page.locator(".warning")).to_contain_text("no longer stored")

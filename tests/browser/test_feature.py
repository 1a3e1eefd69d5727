"""The page of one feature in a real browser: keys, clicks in the figure, hover, details, notes."""

import pytest
from stores import HOOKPOINT

pytestmark = pytest.mark.browser
ZERO = f"/feature?cache=made&feature={HOOKPOINT}/0"
HOSTILE = "<img src=x onerror=alert(1)> **b**"


def click_place(visitor, place):
    """Click in the accuracy figure between its dots, over one place of its axis, from 0."""
    page = visitor.page
    page.wait_for_selector(".x2tick text")
    tick = page.locator(".x2tick text").nth(place).bounding_box()
    foot = page.locator(".y2tick text").first.bounding_box()
    x, y = tick["x"] + tick["width"] / 2, foot["y"] - 12
    page.mouse.move(x - 8, y - 8)
    page.mouse.move(x, y)
    page.wait_for_timeout(200)
    page.mouse.click(x, y)
    page.wait_for_timeout(300)
    visitor.still()


def groups(visitor):
    return visitor.page.locator(".grp b").all_inner_texts()


def test_a_click_on_a_decile_filters_the_contexts_and_a_second_one_does_not(visitor):
    visitor.open(ZERO)
    visitor.at_feature(0)
    click_place(visitor, 1)  # deciles in pairs, for there are few contexts
    assert groups(visitor) == ["Decile 4", "Decile 3"]
    visitor.at("decile=3%E2%80%934")
    click_place(visitor, 1)
    assert groups(visitor)[:2] == ["Decile 10", "Decile 9"]
    visitor.not_at("decile")


def test_p_keeps_an_explanation_beside_the_next_one(visitor):
    visitor.open(f"{ZERO}&explanation=1")
    visitor.at_feature(0)
    visitor.press("p")
    visitor.at("against=1")
    visitor.page.get_by_role("button", name="Show explanation 5").click()
    visitor.still()
    assert visitor.page.locator(".two .ex").count() == 2
    assert visitor.page.locator(".row.ids").inner_text().split() == ["#5", "#1"]
    assert visitor.page.locator(".row:not(.ids)").first.locator(".vd").count() == 2


def test_a_token_says_its_value_and_its_id(visitor):
    visitor.open(f"{ZERO}&show=Strongest")
    visitor.at_feature(0)
    token = visitor.page.locator(".tx b.p").first
    token.hover()
    said = token.evaluate("e => getComputedStyle(e, '::after').content")
    value, number = token.get_attribute("data-v"), token.get_attribute("data-t")
    assert number
    assert f"{value} · id {number}" in said.replace('" "', "").replace('"', "")


def test_details_open_beside_the_page_and_close(visitor):
    visitor.open(f"{ZERO}&explanation=1")
    visitor.at_feature(0)
    visitor.page.get_by_role("button", name="Details").click()
    dialog = visitor.page.get_by_role("dialog")
    dialog.locator("table.scores").wait_for()
    assert "3 failed" in dialog.inner_text()
    visitor.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")


def test_b_sets_a_bookmark_and_a_hostile_label_is_text(visitor):
    visitor.open(f"/feature?cache=made&feature={HOOKPOINT}/9")
    visitor.at_feature(9)
    visitor.press("b")
    visitor.page.get_by_text("Bookmarked").first.wait_for()
    visitor.page.locator(".st-key-notes button").first.click()
    visitor.page.get_by_label("Label").fill(HOSTILE)
    visitor.page.get_by_role("button", name="Keep").click()
    visitor.page.locator(".who .label").wait_for()
    assert visitor.page.locator(".who .label").inner_text() == HOSTILE
    assert visitor.page.locator(".fx img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_line_fits_at_1024_pixels_and_a_drawer_can_be_read(window, served, scheme):
    narrow = {"viewport": {"width": 1024, "height": 800}, "scheme": scheme}
    page = window(served.address, **narrow).page
    page.goto(f"{served.address}{ZERO}&explanation=1")
    page.wait_for_selector("#mark", state="attached")
    page.get_by_role("button", name="Details").click()
    page.locator("table.scores").wait_for()
    ends = page.locator(".st-key-reexplain button").first.bounding_box()
    begins = page.get_by_role("button", name="Previous").bounding_box()
    assert ends["x"] + ends["width"] <= 1024
    assert abs(ends["y"] - begins["y"]) < 4
    ink = page.locator("table.scores td").first.evaluate("e => getComputedStyle(e).color")
    assert ink == {"light": "rgb(27, 34, 48)", "dark": "rgb(228, 232, 238)"}[scheme]

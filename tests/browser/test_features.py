"""The page of features in a real browser: what AppTest cannot see of addresses, clicks and Back."""

import re
from contextlib import suppress

import pytest
from playwright.sync_api import TimeoutError

ROW = 35  # pixels, as the table's header
SORTED = """order => decodeURIComponent(location.search).replaceAll('+', ' ')
    .includes(`by detection, ${order} first`)"""

pytestmark = pytest.mark.browser


def click_row(visitor, row):
    canvas = visitor.page.locator("[data-testid=stDataFrame] canvas").first
    box = canvas.bounding_box()
    where = box["x"] + 300, box["y"] + ROW * (row + 1.5)
    visitor.page.mouse.move(where[0] - 40, where[1], steps=3)  # the grid follows the pointer
    visitor.page.mouse.click(*where)


def test_a_badly_explained_feature_is_two_clicks_away_and_back_keeps_the_list(visitor):
    visitor.open()
    visitor.page.get_by_text("Worst explained", exact=True).click()
    visitor.still()
    listed = re.search(r"1–(\d) of \1", visitor.text)  # other tests may have scored one more
    assert listed
    click_row(visitor, 0)
    visitor.at_feature(1)
    for _ in range(2):  # leaving for another page is two steps of the history
        visitor.page.go_back()
        visitor.page.wait_for_function("() => !document.querySelector('#mark')")
        visitor.still()
        visitor.sees(listed[0])
    visitor.at("preset=Worst")


def test_a_header_sorts_all_pages_and_its_next_click_turns_the_order(visitor):
    visitor.open("/?explained=explained")
    for order in ("low", "high"):
        click_until(visitor, order)
        visitor.still()


def detection_header(visitor):
    """Where it is: labels and judges, which other tests may have brought, stand before it."""
    headers = visitor.page.locator("[data-testid=stDataFrame] th")
    headers.get_by_text("Detection", exact=True).wait_for(state="attached")
    names = headers.all_text_contents()
    x = 528 + 130 * ("Label" in names) + 90 * ("Judge" in names)  # pixels, as in table.py
    box = visitor.page.locator("[data-testid=stDataFrame] canvas").first.bounding_box()
    return box["x"] + x, box["y"] + ROW / 2


def click_until(visitor, order):
    """Click a header until the order is this one: a grid that is being drawn hears no click."""
    for _ in range(4):
        where = detection_header(visitor)
        visitor.page.mouse.move(where[0] - 5, where[1], steps=3)
        visitor.page.mouse.click(*where)
        with suppress(TimeoutError):
            visitor.page.wait_for_function(SORTED, arg=order, timeout=8_000)
            return
    raise AssertionError(f"no click on the header sorts {order} first")


def test_a_filter_is_in_the_address_and_a_click_takes_it_away(visitor):
    visitor.open()
    visitor.page.get_by_role("button", name="Filter").click()
    visitor.page.get_by_role("button", name="scarce").click()
    visitor.still()
    visitor.page.get_by_text("Only features that fire").click()
    visitor.still()
    visitor.page.keyboard.press("Escape")
    visitor.at("alive=true")
    visitor.at("flags=scarce")
    visitor.sees("1–1 of 1")
    visitor.page.reload()
    visitor.still()
    visitor.sees("1–1 of 1")
    visitor.page.locator(".st-key-words").get_by_text("scarce").first.click()
    visitor.still()
    visitor.sees("1–15 of 15")
    visitor.not_at("flags")


def test_a_saved_view_puts_its_filter_into_the_address(visitor):
    visitor.open("/?flags=dead&sort=by+density%2C+high+first")
    visitor.page.get_by_role("button", name="Views").click()
    visitor.page.get_by_placeholder("a name for this view").fill("<b>dead</b> $x$")
    visitor.page.get_by_text("Save view").click()
    visitor.still()
    visitor.open("/")
    visitor.sees("1–16 of 16")
    visitor.page.get_by_role("button", name="Views").click()
    visitor.page.get_by_role("button", name="<b>dead</b> $x$").click()
    visitor.still()
    visitor.sees("1–1 of 1")
    visitor.at("flags=dead")
    assert "sort=by+density" in visitor.page.url.replace("%20", "+")


def test_a_point_of_the_chart_opens_its_feature(visitor):
    visitor.open("/?view=Chart")
    visitor.page.wait_for_selector(".scatterlayer .point")
    box = visitor.page.locator(".scatterlayer .point").first.bounding_box()
    visitor.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visitor.at_feature(0)


def test_the_whole_table_is_a_file(visitor):
    visitor.open("/?alive=true")
    with visitor.page.expect_download() as caught:
        visitor.page.locator(".stDownloadButton").get_by_text("CSV of the features").first.click()
    lines = caught.value.path().read_text().splitlines()
    assert len(lines) == 1 + 15
    assert "Fires on the days of the week" in lines[1]

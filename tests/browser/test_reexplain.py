"""Asking again in a real browser: three actions, a reload in the middle, two windows, Cancel."""

import pytest
from answering import by_text
from driving import Visitor
from scripted_server import serving
from stores import HOOKPOINT, make_store

pytestmark = pytest.mark.browser
RESULT = "() => location.search.includes('explanation=')"


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory):
    store = tmp_path_factory.mktemp("asking") / "store"
    make_store(store, sequences=120)
    return serve(store).address


@pytest.fixture
def windows(window, address):
    return [window(address) for _ in range(2)]


def at_drawer(visitor: Visitor, feature: int):
    visitor.open(f"/feature?feature={HOOKPOINT}/{feature}")
    visitor.at_feature(feature)
    visitor.press("e")
    return visitor.page.get_by_role("dialog")


def with_model(visitor: Visitor, drawer, url: str) -> None:
    pick(visitor, drawer.get_by_role("combobox").first, "plain —")
    pick(visitor, drawer.get_by_role("combobox").nth(1), "another address")
    for label, text in (("Address", url), ("Model", "test-model")):
        drawer.get_by_role("textbox", name=label, exact=True).fill(text)
        visitor.press("Enter")
    drawer.get_by_text("quick", exact=True).click()
    visitor.still()


def pick(visitor: Visitor, box, option: str) -> None:
    box.click()
    visitor.page.get_by_role("option").filter(has_text=option).click()
    visitor.still()


def test_re_explaining_with_other_settings_takes_three_actions(windows):
    visitor = windows[0]
    visitor.open(f"/feature?feature={HOOKPOINT}/2")
    visitor.at_feature(2)
    visitor.press("e")
    visitor.page.get_by_role("dialog").get_by_text("mdl", exact=True).click()
    visitor.still()
    visitor.page.get_by_role("button", name="Start").click()
    visitor.page.wait_for_selector(".two .ex.old", timeout=30_000)
    visitor.still()
    visitor.at("against=")
    assert "Detection" in visitor.page.locator(".two .dif").inner_text()
    assert visitor.page.get_by_role("dialog").count() == 0


def test_keys_of_the_page_rest_while_a_dialog_is_open(windows):
    visitor = windows[0]
    drawer = at_drawer(visitor, 2)
    pick(visitor, drawer.get_by_role("combobox").first, "cot —")
    drawer.get_by_text("Feature 2 ·").click()  # no field has the keys now
    for key in ("ArrowRight", "n", "s", "p", "b"):
        visitor.press(key)
    assert drawer.is_visible()
    assert drawer.get_by_role("checkbox", name="Chain of thought").is_checked()
    assert visitor.page.locator("#mark").text_content() == "2"
    assert visitor.page.get_by_role("button", name="Bookmarked").count() == 0
    visitor.press("Escape")
    drawer.wait_for(state="detached")
    visitor.press("ArrowRight")
    visitor.at_feature(3)
    visitor.press("s")
    visitor.page.get_by_role("dialog").wait_for()
    visitor.press("Escape")


def test_a_job_outlives_back_and_a_reload_and_is_joined_by_another_window(windows):
    first = windows[0]
    first.open(f"/feature?feature={HOOKPOINT}/6")
    first.at_feature(6)
    first.press("ArrowRight")
    first.at_feature(7)
    first.press("e")
    drawer = first.page.get_by_role("dialog")
    with serving(by_text, latency=25.0) as server:
        with_model(first, drawer, server.base_url)
        drawer.get_by_role("button", name="Start").click()
        first.page.wait_for_selector(".job.wait")
        first.page.go_back()
        first.at_feature(6)
        assert first.page.locator(".job.wait").count() == 0  # the job is of the other feature
        first.page.go_forward()
        first.at_feature(7)
        first.press("e")
        drawer.locator(".job.wait").wait_for()
        first.page.reload()
        for window in windows:
            at_drawer(window, 7).locator(".job.wait").wait_for()
        server.script.latency = 0.0
        for window in windows:
            window.page.wait_for_function(RESULT, timeout=60_000)
            window.still()
            assert "test-model" in window.page.locator(".ex.cur").inner_text()
        assert max(server.log.asked.values()) == 1


def test_cancel_ends_the_job_and_the_drawer_stays(windows):
    visitor = windows[0]
    with serving(by_text, latency=1.5) as server:
        drawer = at_drawer(visitor, 8)
        with_model(visitor, drawer, server.base_url)
        drawer.get_by_role("button", name="Start").click()
        drawer.get_by_role("button", name="Cancel").click()
        drawer.get_by_text("Cancelled. What was answered").wait_for(timeout=10_000)
        assert drawer.get_by_role("button", name="Start").is_visible()
        drawer.get_by_role("button", name="Close").click()
        visitor.still()
        assert visitor.page.get_by_role("dialog").count() == 0


def test_words_of_ones_own_become_a_card(windows):
    visitor = windows[0]
    visitor.open(f"/feature?feature={HOOKPOINT}/9")
    visitor.at_feature(9)
    visitor.page.get_by_role("button", name="Write").click()
    drawer = visitor.page.get_by_role("dialog")
    drawer.get_by_role("textbox", name="What the feature means").fill("<b>mine</b> $x$")
    visitor.page.keyboard.press("Control+Enter")
    visitor.still()
    drawer.get_by_role("button", name="Save").click()
    visitor.page.wait_for_function(RESULT, timeout=30_000)
    visitor.still()
    assert visitor.page.locator(".ex.cur .t").inner_text() == "<b>mine</b> $x$"

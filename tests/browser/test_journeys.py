"""Journeys through the dashboard in a real browser; nothing may leave this machine."""

import pytest
from stores import HOOKPOINT

ROW = 35  # pixels, as the table's header
pytestmark = pytest.mark.browser


def test_from_the_table_to_a_feature_to_the_next_and_back(visitor):
    visitor.open()
    canvas = visitor.page.locator("[data-testid=stDataFrame] canvas").first
    box = canvas.bounding_box()
    visitor.page.mouse.click(box["x"] + 300, box["y"] + ROW * 1.5)  # first row, its explanation
    visitor.at_feature(0)
    visitor.sees("Fires on the days of the week")
    visitor.press("ArrowRight")
    visitor.at_feature(1)
    visitor.at(f"feature={HOOKPOINT}%2F1")
    visitor.press("ArrowLeft")
    visitor.at_feature(0)
    visitor.page.go_back()
    visitor.at_feature(1)
    visitor.page.go_back()
    visitor.at_feature(0)


def test_a_filter_stays_from_feature_to_feature_and_back_undoes_one_step(visitor):
    visitor.open(f"/feature?feature={HOOKPOINT}/0")
    visitor.page.get_by_text("Strongest", exact=True).click()
    visitor.still()
    visitor.page.evaluate("document.activeElement.blur()")
    visitor.press("ArrowRight")
    visitor.at_feature(1)
    visitor.at("show=Strongest")
    visitor.sees("Strongest 40")
    visitor.page.go_back()
    visitor.at_feature(0)
    visitor.sees("Strongest 40")


def test_leaving_a_comparison_is_one_step_for_back(visitor):
    visitor.open(f"/feature?cache=made&feature={HOOKPOINT}/0&explanation=1&against=5")
    visitor.at_feature(0)
    visitor.press("ArrowRight")
    visitor.at_feature(1)
    visitor.not_at("against")
    visitor.page.go_back()
    visitor.at_feature(0)
    visitor.at("explanation=1&against=5")
    assert visitor.page.locator(".two .ex").count() == 2


def test_a_search_is_in_the_address_and_survives_a_visit(visitor):
    visitor.open("/?q=river")
    visitor.sees("1–1 of 1")
    visitor.page.get_by_placeholder("words of an explanation").fill(f"{HOOKPOINT}/7")
    visitor.page.keyboard.press("Enter")
    visitor.at_feature(7)


def test_back_after_a_number_search_does_not_open_it_again(visitor):
    visitor.open()
    visitor.page.get_by_placeholder("words of an explanation").fill("7")
    visitor.page.keyboard.press("Enter")
    visitor.at_feature(7)
    for _ in range(2):  # leaving for another page is two steps of the history
        visitor.page.go_back()
        visitor.page.wait_for_function("() => !document.querySelector('#mark')")
        visitor.still()
        visitor.sees("1–16 of 16")


def test_a_deep_link_shows_exactly_that_view(visitor):
    visitor.open(f"/feature?cache=made&feature={HOOKPOINT}/0&explanation=5&show=Wrong+verdicts")
    visitor.at_feature(0)
    assert visitor.page.locator(".ex.cur .t").inner_text() == "Fires on “ Monday”, “ Friday”"
    visitor.sees("Detection: missed")
    visitor.page.get_by_role("button", name="Show explanation 1").click()
    visitor.still()
    visitor.at("explanation=1")
    assert visitor.page.locator(".ex.cur .t").inner_text() == "Fires on the days of the week"


def test_re_explaining_puts_two_cards_side_by_side(visitor):
    visitor.open(f"/feature?feature={HOOKPOINT}/2")
    visitor.at_feature(2)
    visitor.press("e")
    visitor.page.get_by_text("mdl", exact=True).click()
    visitor.still()
    visitor.page.get_by_role("button", name="Start").click()
    visitor.page.wait_for_selector(".two .ex.old", timeout=30_000)
    visitor.still()
    assert visitor.page.locator(".two .ex").count() == 2
    assert "Detection" in visitor.page.locator(".two .dif").inner_text()
    visitor.at("against=")
    visitor.sees("all train tokens · mdl")


def test_hostile_tokens_are_text_and_nothing_runs(visitor):
    visitor.open(f"/feature?feature={HOOKPOINT}/1&show=Strongest")
    visitor.at_feature(1)
    for token in ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "$x$", "&amp;",
                  "[202E]right", ":material/home:", "[0000]", "[200B]", "**bold**"):  # fmt: skip
        assert token in visitor.text, token
    assert visitor.page.locator("[data-testid=stMain] .fx img, .fx script").count() == 0
    visitor.sees("😴")


@pytest.mark.parametrize("path", ["/", "/feature", "/runs"])
def test_an_empty_store_says_one_sentence(window, served_empty, path):
    empty = window(served_empty.address)
    empty.open(path)
    empty.sees("gloss demo")
    assert "Traceback" not in empty.text


def test_it_works_at_1024_pixels_in_the_dark(window, served):
    look = {"viewport": {"width": 1024, "height": 800}, "scheme": "dark"}
    narrow = window(served.address, **look)
    narrow.open(f"/feature?feature={HOOKPOINT}/0")
    narrow.at_feature(0)
    wide = narrow.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert wide <= 1024
    body = narrow.page.evaluate(
        "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
    )
    assert body == "rgb(17, 21, 28)"

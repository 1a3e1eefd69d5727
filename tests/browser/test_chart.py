"""A chart in a real browser: drawn in place, in the theme's colours, as a picture of its own."""

import pytest
from stores import HOOKPOINT

pytestmark = pytest.mark.browser
ZERO = f"/feature?cache=made&feature={HOOKPOINT}/0"
DRAWN = ".gloss-chart .main-svg"
PAPER = f"getComputedStyle(document.querySelector('{DRAWN}')).backgroundColor"


def opened(visitor):
    visitor.open(ZERO)
    visitor.at_feature(0)
    visitor.page.wait_for_selector(DRAWN)


def test_the_next_feature_is_drawn_into_the_same_place(visitor):
    opened(visitor)
    page = visitor.page
    page.evaluate(f"document.querySelector('{DRAWN}').id = 'same'")
    before = page.locator("#same").inner_html()
    visitor.press("ArrowRight")
    visitor.at_feature(1)
    page.wait_for_function("before => document.querySelector('#same')?.innerHTML !== before",
                           arg=before)  # fmt: skip
    assert page.locator(DRAWN).first.get_attribute("id") == "same"


def test_a_chart_follows_the_theme_and_the_width_of_the_window(visitor):
    opened(visitor)
    page = visitor.page
    assert page.evaluate(PAPER) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"() => {PAPER} === 'rgb(17, 21, 28)'")
    words = page.locator(".gloss-chart .annotation-text").first
    assert "rgb(228, 232, 238)" in words.inner_html() or "#E4E8EE" in words.inner_html()
    wide = page.locator(DRAWN).first.bounding_box()["width"]
    size = page.viewport_size
    page.set_viewport_size({"width": size["width"] - 300, "height": size["height"]})
    page.wait_for_function(
        f"wide => document.querySelector('{DRAWN}').getBoundingClientRect().width < wide - 50",
        arg=wide,
    )
    page.set_viewport_size(size)
    page.emulate_media(color_scheme="light")


def test_a_chart_can_be_had_as_a_picture(visitor):
    opened(visitor)
    visitor.page.locator(".gloss-chart").first.hover()
    with visitor.page.expect_download() as caught:
        visitor.page.locator(".gloss-chart .modebar-btn").first.click()
    assert caught.value.suggested_filename == "gloss-figure.png"
    assert caught.value.path().read_bytes().startswith(b"\x89PNG")


def test_without_plotly_a_chart_says_what_is_missing(visitor):
    visitor.page.route("**/charts/plotly.*", lambda route: route.abort())
    visitor.open(ZERO)
    visitor.page.wait_for_selector(".gloss-chart p")
    assert "gloss serve" in visitor.page.locator(".gloss-chart").inner_text()
    visitor.page.unroute("**/charts/plotly.*")

"""Comparing two runs in a real browser: three actions, a point that opens its feature, and Back."""

import pytest
from stores import HOOKPOINT

pytestmark = pytest.mark.browser
POINT = ".xy .scatterlayer path.point"
BLUE, ORANGE = "rgb(0, 114, 178)", "rgb(213, 94, 0)"  # the theme's first two chart colours


def pick(visitor, label, words):
    visitor.page.get_by_role("combobox", name=label).click()
    visitor.page.get_by_role("option").filter(has_text=words).click()
    visitor.still()


def click(visitor, point):
    """Where the point is; what takes clicks lies above all points."""
    box = point.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    visitor.page.mouse.move(x - 1, y - 1)
    visitor.page.mouse.move(x, y)
    visitor.page.wait_for_selector(".hoverlayer .hovertext")
    visitor.page.mouse.click(x, y)


def test_compare_a_and_b_then_a_point_and_back(visitor):
    visitor.open()
    visitor.page.get_by_role("link", name="Compare").click()
    visitor.still()
    pick(visitor, "A, the reference", "made:2")
    pick(visitor, "B (square)", "made:1")
    visitor.sees("over 1 feature;")
    visitor.at("a=made%3A2")
    click(visitor, visitor.page.locator(POINT).first)
    visitor.page.wait_for_function("() => location.search.includes('mode=one')")
    visitor.still()
    visitor.at(f"feature={HOOKPOINT}%2F0")
    visitor.sees("Fires on the days of the week")
    visitor.sees("Fires on “ Monday”, “ Friday”")
    visitor.page.go_back()
    visitor.page.wait_for_selector(POINT)
    visitor.still()
    visitor.sees("over 1 feature;")
    visitor.not_at("mode=one")
    assert visitor.left == []


def test_the_sides_have_the_first_two_colours_of_the_theme(visitor):
    visitor.open("/compare?a=made:2&b=made:1")
    visitor.page.wait_for_selector(POINT)
    fills = visitor.page.locator(".x3y3 .scatterlayer path.point").evaluate_all(
        "found => [...new Set(found.map(one => getComputedStyle(one).fill))]"
    )
    assert set(fills) == {BLUE, ORANGE}

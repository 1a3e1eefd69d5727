"""What the page of comparisons chose by itself stands in the address, and Back is not caught."""

from urllib.parse import parse_qs, urlsplit

import pytest

NAMES = {"many": ("a", "b"), "one": ("cache", "feature", "explanations"), "figures": ("settings",)}


def back(visitor, steps=1):
    for _ in range(steps):
        visitor.page.go_back()
        visitor.page.wait_for_timeout(500)
        visitor.still()


@pytest.mark.parametrize("mode", NAMES)
def test_a_copied_address_shares_the_view_and_back_leaves_the_page(visitor, mode):
    visitor.open("/")
    visitor.page.evaluate("m => history.pushState({}, '', m)", f"/compare?mode={mode}")
    visitor.page.reload()
    visitor.still()
    query = parse_qs(urlsplit(visitor.page.url).query)
    assert set(NAMES[mode]) <= query.keys(), visitor.page.url
    back(visitor, 2)  # one entry is the address as it was typed
    assert urlsplit(visitor.page.url).path == "/"


def test_from_another_page_back_needs_two_steps_at_most(visitor):
    visitor.open("/runs")
    visitor.page.get_by_role("link", name="Compare").first.click()
    visitor.page.wait_for_function("() => location.search.includes('b=')")
    visitor.still()
    back(visitor, 2)
    assert urlsplit(visitor.page.url).path == "/runs"


def test_a_step_to_another_feature_is_one_step_of_back(visitor):
    visitor.open("/compare?mode=one&cache=made")
    before = visitor.page.url
    visitor.page.get_by_label("Feature", exact=True).first.fill("1")
    visitor.press("Enter")
    visitor.page.wait_for_function("before => location.href !== before", arg=before)
    visitor.still()
    visitor.at("explanations=")
    back(visitor)
    assert visitor.page.url == before

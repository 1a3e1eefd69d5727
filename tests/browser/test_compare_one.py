"""One feature's explanations and a sweep, as a person goes about them."""

import pytest
from stores import HOOKPOINT

pytestmark = pytest.mark.browser


def test_choosing_explanations_is_in_the_address_and_back_undoes_it(visitor):
    visitor.open(f"/compare?mode=one&cache=made&feature={HOOKPOINT}/0")
    assert visitor.page.locator(".cols .col").count() == 2
    visitor.page.get_by_role("button", name="Remove").first.click()
    visitor.still()
    assert visitor.page.locator(".cols .col").count() == 1
    visitor.at("explanations=5")
    visitor.page.go_back()
    visitor.page.wait_for_function("() => document.querySelectorAll('.cols .col').length === 2")
    visitor.page.get_by_role("button", name="Open feature").click()
    visitor.at_feature(0)
    visitor.at("explanation=1")


def test_a_sweep_is_started_watched_and_shown_in_five_clicks(visitor):
    visitor.open("/compare?mode=figures&cache=made")
    visitor.page.get_by_role("button", name="Sweep settings").click()
    visitor.still()
    field = visitor.page.get_by_role("textbox", name="Features")
    field.fill("7-8")
    field.press("Enter")
    visitor.still()
    visitor.page.get_by_text("mdl", exact=True).click()
    visitor.page.get_by_text("2 settings × 2 features").wait_for()
    visitor.page.get_by_role("button", name="Start", exact=True).click()
    visitor.page.get_by_text("Sweep at work").wait_for()
    visitor.page.get_by_text("The sweep has ended").wait_for(timeout=60_000)
    visitor.still()
    visitor.page.get_by_text("Sweeps of this cache (1)").click()
    visitor.page.get_by_role("button", name="Side by side").click()
    visitor.page.wait_for_function("() => location.search.includes('settings=')")
    visitor.still()
    visitor.sees("objective mdl")

"""A page that is open while the command line writes, and what keys do on every page."""

import os
import subprocess
import sys

import pytest
from stores import HOOKPOINT, make_store

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A store that the test writes to."""
    store = tmp_path_factory.mktemp("written") / "store"
    make_store(store, sequences=240)
    return store


@pytest.fixture(scope="module")
def address(written, serve):
    return serve(written).address


@pytest.fixture
def two_windows(window, address):
    return [window(address) for _ in range(2)]


def explain(store, features):
    command = [sys.executable, "-m", "core.cli", "explain", "made", "--features", features,
               "--workers", "1"]  # fmt: skip
    return subprocess.Popen(
        command, env=os.environ | {"GLOSS_STORE": str(store)}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def test_two_windows_stay_usable_and_see_what_the_command_line_writes(two_windows, written):
    first, second = two_windows
    first.open(f"/feature?cache=made&feature={HOOKPOINT}/6")
    second.open("/?cache=made")
    first.at_feature(6)
    first.sees("Not explained yet")
    process = explain(written, "6-9")
    number = 6
    while process.poll() is None:
        number = 7 if number == 6 else 6
        first.press("ArrowRight" if number == 7 else "ArrowLeft")
        first.at_feature(number)
        second.page.reload()
        second.still()
        second.sees("1–16 of 16")
    assert process.returncode == 0
    first.open(f"/feature?cache=made&feature={HOOKPOINT}/7")
    first.at_feature(7)
    assert "Not explained yet" not in first.text
    assert first.page.locator(".ex.cur .t").count() == 1


def test_s_finds_a_feature_from_any_page(two_windows):
    visitor = two_windows[0]
    visitor.open("/runs")
    visitor.press("s")
    visitor.page.wait_for_function("() => document.activeElement?.matches('[role=dialog] input')")
    visitor.page.keyboard.type("river")
    visitor.press("Enter")
    visitor.page.get_by_role("dialog").get_by_role("button", name="#2 ·").click()
    visitor.at_feature(2)
    visitor.press("s")
    visitor.page.wait_for_function("() => document.activeElement?.matches('[role=dialog] input')")
    visitor.page.keyboard.type("7")
    visitor.page.keyboard.press("Enter")
    visitor.at_feature(7)


def test_why_a_score_is_low_is_one_click_and_the_address_shares_it(two_windows):
    first, second = two_windows
    first.open(f"/feature?cache=made&feature={HOOKPOINT}/0")
    first.page.get_by_text("Wrong verdicts", exact=True).click()
    first.page.wait_for_selector("text=Detection: missed")
    first.still()
    second.open(first.page.url.removeprefix(first.address))
    second.at_feature(0)
    second.sees("Detection: missed")

"""The next feature's words in a real browser: there before the server says so, and inert."""

import os
import signal

import pytest
from stores import HOOKPOINT

from dashboard.scripts import source

pytestmark = pytest.mark.browser
ZERO = f"/feature?cache=made&feature={HOOKPOINT}/0"
CARD, LIST = ".st-key-cards .gloss-words", ".st-key-list .gloss-words"
FACTS, BARS = ".st-key-facts .gloss-words", ".st-key-figure-box .barlayer"
HOSTILE = "<p class=a onclick='alert(1)'>a<img src=x onerror='alert(2)'><script>alert(3)</script>" \
          "<a href='javascript:alert(4)'>b</a></p>"  # fmt: skip


def words(visitor):
    return [visitor.page.locator(one).text_content() for one in (CARD, LIST, FACTS)]


def bars(visitor):
    return visitor.page.locator(BARS).first.inner_html()


@pytest.fixture
def halted(served):
    """The server stopped in its tracks, as behind a bad line."""
    os.kill(served.process.pid, signal.SIGSTOP)
    yield lambda: os.kill(served.process.pid, signal.SIGCONT)
    os.kill(served.process.pid, signal.SIGCONT)


def test_a_press_shows_the_next_words_before_the_server_has_heard_of_it(visitor, request):
    visitor.open(ZERO)
    visitor.at_feature(0)
    visitor.page.wait_for_selector(BARS)
    before, bars_before, page = words(visitor), bars(visitor), visitor.page
    page.wait_for_function("() => window.glossAhead?.sent?.of")
    go_on = request.getfixturevalue("halted")
    page.keyboard.press("ArrowRight")
    ahead = words(visitor)
    assert all(new != old for new, old in zip(ahead, before, strict=True))
    page.wait_for_function(
        f"old => document.querySelector('{BARS}').innerHTML !== old", arg=bars_before
    )
    assert page.locator(".st-key-head input").input_value() == "1"
    page.wait_for_function(
        f"old => document.querySelector('{CARD}').textContent === old", arg=before[0]
    )  # nothing came
    page.wait_for_function(
        f"old => document.querySelector('{BARS}').innerHTML === old", arg=bars_before
    )
    go_on()
    visitor.at_feature(1)
    visitor.still()
    assert words(visitor) == ahead


def test_after_a_filter_the_next_words_wait_for_the_server(visitor):
    visitor.open(ZERO)
    visitor.at_feature(0)
    visitor.page.wait_for_function("() => window.glossAhead?.sent?.of")
    visitor.page.locator(".st-key-show").get_by_text("Strongest").click()
    visitor.still()
    listed = visitor.page.evaluate(f"document.querySelector('{LIST}').shown")
    visitor.page.evaluate("""() => window.dispatchEvent(
        new KeyboardEvent('keydown', {key: 'ArrowRight'}))""")
    assert visitor.page.evaluate(f"document.querySelector('{LIST}').shown") == listed


def test_a_page_that_has_come_puts_right_what_was_shown_too_early(visitor):
    visitor.open(ZERO)
    visitor.at_feature(0)
    visitor.still()
    before = words(visitor)
    for part in (CARD, LIST, FACTS):
        visitor.page.evaluate(f"document.querySelector('{part}').show('<p>another</p>')")
    assert words(visitor) == ["another"] * 3
    visitor.press("b")  # a bookmark: the same page again
    visitor.page.wait_for_function(f"!document.querySelector('{LIST}').innerText.includes('anoth')")
    assert words(visitor) == before
    visitor.press("b")


def test_a_part_that_is_not_there_yet_is_left_to_its_own_script(visitor):
    visitor.page.set_content(
        "<div class=st-key-list><div class=gloss-words></div></div>"
        "<div class=st-key-figure-box><div class=gloss-chart></div></div>"
    )
    visitor.page.evaluate("""source => import('data:text/javascript,' + encodeURIComponent(source))
        .then(script => script.default({data: {of: 0, key: 'ArrowRight', list: '<p>1</p>'}}))""",
        source("ahead.js"))  # fmt: skip
    visitor.page.keyboard.press("ArrowRight")
    assert visitor.page.locator(LIST).inner_text() == ""


@pytest.mark.parametrize("means", ["the browser's", "ours"])
def test_words_look_as_they_were_sent(visitor, means):
    visitor.open(f"{ZERO}&explanation=1")
    visitor.at_feature(0)
    if means == "ours":
        visitor.page.evaluate("delete Element.prototype.setHTML")
    for part in (CARD, LIST, FACTS):
        shown, sent = visitor.page.evaluate(
            """at => {
                const place = document.querySelector(at);
                const whole = document.createElement('template');
                whole.innerHTML = place.sent;
                place.show('');
                place.show(place.sent);
                return [place.innerHTML, whole.innerHTML];
            }""", part)  # fmt: skip
        assert shown == sent


def test_escape_gives_the_keys_back(visitor):
    visitor.open(ZERO)
    visitor.at_feature(0)
    visitor.page.locator(".st-key-head input").click()
    visitor.page.keyboard.press("Escape")
    visitor.page.wait_for_function("document.activeElement === document.body")
    visitor.press("ArrowRight")
    visitor.at_feature(1)


@pytest.mark.parametrize("means", ["the browser's", "ours"])
def test_words_are_cleaned_of_all_that_runs(visitor, means):
    visitor.open(ZERO)
    visitor.at_feature(0)
    if means == "ours":
        visitor.page.evaluate("delete Element.prototype.setHTML")
    visitor.page.evaluate(f"html => document.querySelector('{LIST}').show(html)", HOSTILE)
    shown = visitor.page.locator(LIST).inner_html()
    assert shown.startswith('<p class="a">a')
    for word in ("onclick", "onerror", "script", "<img"):
        assert word not in shown
    assert not visitor.alerts

"""A static report in a real browser: opened from a folder, by keys, and inert."""

import pytest
from playwright.sync_api import Page
from stores import make_store

from core.exporting.report import ReportRequest, export_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    made = make_store(tmp_path_factory.mktemp("made"), sequences=240)
    out = tmp_path_factory.mktemp("report") / "out"
    for _ in export_report(made.catalogue, ReportRequest("made", out, features="all")):
        pass
    return out


@pytest.fixture
def open_report(browser, report):
    """Opens pages of the report; none may ask for anything but files of it, or complain."""
    seen: list[str] = []
    opened: list[Page] = []

    def open_on(name: str, **look) -> Page:
        page = browser.new_page(**{"viewport": {"width": 1440, "height": 900}} | look)
        opened.append(page)
        page.on("console", lambda message: seen.append(message.text))
        page.on("dialog", lambda dialog: (seen.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: request.url.startswith(report.as_uri())
                or seen.append(request.url))  # fmt: skip
        page.goto((report / name).as_uri())
        return page

    yield open_on
    for page in opened:
        page.close()
    assert seen == []


def test_arrows_go_from_feature_to_feature_and_i_to_the_table(open_report):
    page = open_report("layers-1-mlp/0.html")
    for key, title in (("ArrowRight", "Feature 1"), ("ArrowRight", "Feature 2"),
                       ("ArrowLeft", "Feature 1")):  # fmt: skip
        page.keyboard.press(key)
        page.wait_for_function("t => document.querySelector('h1').textContent === t", arg=title)
    page.keyboard.press("i")
    page.wait_for_selector("table.all")


def test_the_table_is_searched_and_sorted(open_report):
    page = open_report("index.html")
    page.keyboard.press("s")
    page.keyboard.type("days week")
    rows = page.locator("table.all tbody tr:visible")
    assert rows.count() == 1
    assert page.inner_text("#shown") == "1 of 15 features"
    page.fill("#find", "")
    page.get_by_role("button", name="Max").click()
    first = float(rows.nth(0).locator("td").last.inner_text())
    last = float(rows.nth(14).locator("td").last.inner_text())
    assert first > last
    page.get_by_role("button", name="Detection").click()
    assert rows.nth(0).locator("td").first.inner_text() == "layers.1.mlp/0"


@pytest.mark.parametrize("width", [1024, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_follows_light_and_dark(open_report, width, scheme):
    look = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    for name in ("index.html", "layers-1-mlp/1.html"):
        page = open_report(name, **look)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 21, 28)"}[scheme]
        page.click("#theme")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != background


def test_hostile_tokens_are_text(open_report):
    page = open_report("layers-1-mlp/1.html")
    assert page.locator("main img, main script").count() == 0
    assert "<script>alert(1)</script>" in page.inner_text("main")
    marked = page.locator(".tx b").first
    marked.hover()
    shown = marked.evaluate("e => getComputedStyle(e, '::after').content")
    assert float(shown.strip('"')) > 0

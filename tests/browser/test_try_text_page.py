"""The page of texts in a real browser, with the bundled subject: paste, click, steer, share."""

from dataclasses import replace

import pytest
from conftest import Served
from small import SMALL

from core.pipeline.caching import cache_stage
from data.catalogue import Catalogue

TEXT = "Returns a new array.\n\n    >>> np.zeros((2, 3), dtype=float)\n<img src=x onerror=alert(1)>"
PATIENCE = 60_000  # ms, for the subject to load
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served_subject(tmp_path_factory):
    """The dashboard of a very small cache of the bundled subject."""
    store = tmp_path_factory.mktemp("texts") / "store"
    list(cache_stage(Catalogue(store), replace(SMALL, n_tokens=4_000)))
    server = Served(store)
    yield server.wait()
    server.end()


@pytest.fixture
def visitor(window, served_subject):
    return window(served_subject.address)


def test_a_text_is_pasted_read_and_steered(visitor):
    visitor.open("/try-text")
    box = visitor.page.get_by_placeholder("Type or paste a text")
    box.fill(TEXT)
    box.press("Control+Enter")
    visitor.page.wait_for_selector(".chips .tk", timeout=PATIENCE)  # two steps: open, paste
    visitor.still()
    visitor.at("text=Returns+a+new+array")
    chips = visitor.page.locator(".chips .tk")
    assert "".join(chips.all_inner_texts()).replace("↵", "").replace("\n", "") == (
        TEXT.replace("\n", "")
    )
    chips.nth(1).hover()
    assert "gpt_neox.layers" in visitor.page.inner_text(".chips p")
    chips.nth(1).click()
    visitor.still()
    visitor.at("tokens=1")
    chips.nth(3).click(modifiers=["Shift"])
    visitor.still()
    visitor.at("tokens=1%2C2%2C3")
    visitor.sees("sorted by the sum over 3 tokens")
    field = visitor.page.get_by_placeholder("look at one feature")
    field.fill("17")
    field.press("Enter")
    visitor.still()
    visitor.at("layers.2%2F17")
    visitor.page.get_by_role("button", name="Steer it").click()
    visitor.still()
    visitor.page.get_by_role("button", name="Write on").click()
    visitor.page.wait_for_selector(".cont", timeout=PATIENCE)
    visitor.still()
    visitor.sees("KL at the next token")
    shared, before = visitor.page.url, visitor.page.inner_text(".cont")
    visitor.open(shared.removeprefix(visitor.address))  # a copy of the address is the same view
    visitor.page.wait_for_selector(".cont", timeout=PATIENCE)
    visitor.still()
    assert visitor.page.inner_text(".cont") == before


def test_a_row_opens_its_feature_and_its_box_shades_the_text(visitor):
    visitor.open("/try-text?text=Returns+a+new+array.")
    load = visitor.page.get_by_role("button", name="Load the subject")
    if load.count():
        load.click()
    visitor.page.wait_for_selector(".chips .tk", timeout=PATIENCE)
    visitor.still()
    box = visitor.page.locator("[data-testid=stDataFrame] canvas").first.bounding_box()
    visitor.page.mouse.click(box["x"] + 16, box["y"] + 35 * 1.5)
    visitor.still()
    visitor.sees("shaded by feature")
    assert visitor.page.locator(".chips .tk[class*=' a']").count() > 0
    box = visitor.page.locator("[data-testid=stDataFrame] canvas").first.bounding_box()
    visitor.page.mouse.click(box["x"] + 100, box["y"] + 35 * 2.5)
    visitor.page.wait_for_function("() => location.pathname === '/feature'")
    visitor.still()
    visitor.at("feature=gpt_neox.layers.2%2F")

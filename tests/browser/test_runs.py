"""The page of runs in a real browser: an interrupted run goes on after two clicks."""

from time import monotonic

import pytest
from made_runs import interrupted, many
from stores import make_store

from data import run_queries
from data.catalogue import Catalogue

pytestmark = pytest.mark.browser
ROW = 35  # pixels, as the table's header
COMMAND = ("gloss", "explain", "made", "--features", "6-8", "--workers", "1")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A finished cache whose explanations stopped before the first."""
    folder = tmp_path_factory.mktemp("runs") / "store"
    make_store(folder, sequences=60, judged=False)
    catalogue, record = interrupted(folder, command=COMMAND)
    many(catalogue, record, 120)
    return folder


@pytest.fixture
def runner(window, serve, store):
    return window(serve(store).address)


def ended(catalogue, run_id, page):
    give_up = monotonic() + 60
    while monotonic() < give_up:
        with catalogue.reading() as con:
            if run_queries.run(con, run_id)["status"] == "done":
                return True
        page.wait_for_timeout(200)
    return False


def test_a_click_opens_a_run_and_back_leads_to_all(runner):
    runner.open("/runs")
    box = runner.page.locator("[data-testid=stDataFrame] canvas").first.bounding_box()
    runner.page.mouse.click(box["x"] + 300, box["y"] + ROW * 1.5)
    runner.page.wait_for_url("**/runs?run=121")
    runner.still()
    runner.sees("Run 121: explain made")
    runner.page.go_back()
    runner.page.wait_for_selector("[data-testid=stDataFrame]")
    runner.sees("1–50 of 121")
    runner.page.go_forward()
    runner.page.wait_for_url("**/runs?run=121")
    runner.page.get_by_role("button", name="All runs").click()
    runner.page.wait_for_selector("[data-testid=stDataFrame]")
    assert runner.page.url.endswith("/runs")


def test_an_interrupted_run_goes_on_after_two_clicks_and_outlives_its_page(runner, store):
    runner.open("/")
    runner.page.get_by_role("link", name="Runs").click()
    runner.page.get_by_role("button", name="Resume").click()
    runner.page.wait_for_selector("text=/is starting|explaining made/")
    runner.page.goto("about:blank")
    catalogue = Catalogue(store)
    with catalogue.reading() as con:
        newest = con.value("select max(run_id) from run")
    give_up = monotonic() + 60
    while newest == 121 and monotonic() < give_up:  # the real command has settings of its own
        with catalogue.reading() as con:
            newest = con.value("select max(run_id) from run")
        runner.page.wait_for_timeout(200)
    assert ended(catalogue, newest, runner.page)
    runner.open(f"/runs?run={newest}")
    runner.sees("3 of 3 features")
    assert "explaining layers.1.mlp" in runner.text  # its log

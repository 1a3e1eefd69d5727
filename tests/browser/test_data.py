"""The Data page in a real browser: questions by keyboard, answers as text, an export."""

import pytest

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def ask(visitor, sql):
    box = visitor.page.get_by_label("SQL", exact=True)
    box.fill(sql)
    box.press("Control+Enter")
    visitor.page.wait_for_timeout(100)
    visitor.still()


def test_control_and_enter_asks_and_hostile_answers_run_nothing(visitor):
    visitor.open("/data?part=SQL")
    ask(visitor, f"select '{HOSTILE}' as \"{HOSTILE}\", count(*) as n from run")
    visitor.page.wait_for_selector("[data-testid=stDataFrame]")
    visitor.sees("1 row,")
    ask(visitor, f"select * from '{HOSTILE}'")
    visitor.page.wait_for_selector("text=does not exist")
    assert visitor.page.locator("[data-testid=stMain] img, .fx script").count() == 0
    ask(visitor, "drop table run")
    visitor.page.wait_for_selector("text=One statement that reads")
    assert visitor.page.locator("[data-testid=stDataFrame]").count() == 0


def test_a_question_is_in_the_address(visitor):
    visitor.open("/data?part=SQL&sql=select+41+as+n")
    assert visitor.page.get_by_label("SQL", exact=True).input_value() == "select 41 as n"
    assert visitor.page.locator("[data-testid=stDataFrame]").count() == 0
    visitor.page.get_by_role("button", name="Run").click()
    visitor.page.wait_for_selector("[data-testid=stDataFrame]")


def test_an_export_is_two_clicks(visitor):
    visitor.open("/data")
    visitor.page.get_by_text("Export", exact=True).click()
    visitor.page.wait_for_selector("text=One table")
    visitor.page.get_by_role("button", name="Export").last.click()
    visitor.page.wait_for_selector("text=/rows as of .* lie in/", timeout=20_000)
    visitor.sees("exports/made-parquet")


def test_a_slow_question_says_how_long_it_takes_and_can_be_cancelled(visitor):
    visitor.open("/data?part=SQL&sql=select+count(*)+from+range(1000000000000)")
    visitor.page.get_by_role("button", name="Run").click()
    visitor.page.wait_for_selector("text=/Asking the catalogue … [1-9] s/")
    visitor.page.get_by_role("button", name="Cancel").click()
    visitor.page.wait_for_selector("text=The question was cancelled.", timeout=4_000)
    assert visitor.page.get_by_role("button", name="Cancel").count() == 0

from pathlib import Path

import pytest

from core.llm.presets import PRESETS, resolve
from core.llm.prices import Price, listed_price, price_of, quote
from data.errors import BadInput

TABLE = """\
["org/model"]
input = 0.15
output = 0.6

["gpt-4.1"]
input = 2
output = 8
base_url = "https://one.example/v1/"

[["several"]]
input = 1
output = 1

[["several"]]
input = 3
output = 4
base_url = "https://one.example/v1"
"""
OPENROUTER = {"id": "org/model", "pricing": {"prompt": "0.0000025", "completion": "0.00001"}}


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "prices.toml"
    path.write_text(TABLE, encoding="utf-8")
    return path


def dollars_per_million(price: Price | None) -> tuple[float, ...]:
    assert price is not None
    return tuple(round(each * 1e6, 9) for each in price)


def test_the_users_table_goes_before_the_endpoints_list(table):
    found = quote("org/model", table, [OPENROUTER])
    assert dollars_per_million(found.price) == (0.15, 0.6)
    assert found.source == str(table)


def test_a_model_that_is_not_in_the_table_has_the_listed_price(tmp_path):
    found = quote("org/model", tmp_path / "none.toml", [{"id": "other"}, OPENROUTER])
    assert dollars_per_million(found.price) == (2.5, 10.0)
    assert found.source == "the endpoint's model list"


def test_an_unknown_price_is_none_and_says_what_to_do(table):
    found = quote("nobody's", table, [OPENROUTER, {"id": "nobody's"}])
    assert found.price is None
    assert found.source == f"price unknown: add the model to {table}"


def test_a_price_for_one_endpoint_holds_there_alone(table):
    there, elsewhere = "https://one.example/v1", "https://two.example/v1"
    assert dollars_per_million(price_of("gpt-4.1", table, [], base_url=there)) == (2, 8)
    assert price_of("gpt-4.1", table, [], base_url=elsewhere) is None
    assert price_of("gpt-4.1", table, []) is None


def test_a_price_for_this_endpoint_goes_before_one_for_all(table):
    there, elsewhere = "https://one.example/v1/", "https://two.example/v1"
    assert dollars_per_million(price_of("several", table, [], base_url=there)) == (3, 4)
    assert dollars_per_million(price_of("several", table, [], base_url=elsewhere)) == (1, 1)


def test_tokens_times_price_is_the_cost():
    assert Price(2e-6, 8e-6).cost(1000, 500) == pytest.approx(0.006)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[m", "cannot read the prices"),
        ("m = 3", "is no table"),
        ("[gpt-4.1]\ninput = 1\noutput = 2", 'has "1"'),
        ('["m"]\ninput = 1', "has no output"),
        ('["m"]\ninput = 1\noutput = 2\ncached = 3', 'has "cached"'),
        ('["m"]\ninput = "1"\noutput = 2', "no number"),
        ('["m"]\ninput = true\noutput = 2', "no number"),
        ('["m"]\ninput = -1\noutput = 2', "0 or more"),
        ('["m"]\ninput = nan\noutput = 2', "0 or more"),
        ('["m"]\ninput = 1\noutput = 2\nbase_url = 3', "no text"),
    ],
)
def test_a_bad_table_is_one_line_that_names_the_file(tmp_path, text, said):
    path = tmp_path / "prices.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as error:
        price_of("m", path, [])
    assert said in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_free_model_costs_nothing_because_the_list_says_so():
    assert listed_price({"pricing": {"prompt": "0", "completion": "0"}}) == Price(0, 0)


def test_prices_that_carry_their_unit_are_read():
    per_token = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
    per_million = {"input_usd_per_1m_tokens": 1.0, "output_usd_per_1m_tokens": 2.0}
    for entry in (per_token, per_million):
        assert dollars_per_million(listed_price(entry)) == (1, 2)


@pytest.mark.parametrize(
    "pricing",
    [
        None,
        "free",
        {},
        {"prompt": "0.000001"},
        {"prompt": "-1", "completion": "-1"},
        {"prompt": 2.5, "completion": 10},
        {"prompt": "ask us", "completion": "0"},
        {"prompt": "nan", "completion": "0"},
        {"prompt": "0.000001", "completion": "0.000002", "request": "0.01"},
    ],
)
def test_a_listed_price_that_is_not_sure_is_unknown(pricing):
    assert listed_price({"pricing": pricing}) is None


def test_a_named_endpoint_has_an_address_and_local_ones_a_command():
    for preset in PRESETS:
        assert resolve(preset.name) == preset
        assert preset.base_url.endswith("/v1")
        assert preset.local == bool(preset.start)
        assert not (preset.key_needed and preset.key_variable is None)


def test_an_address_is_recognised_however_this_machine_is_called():
    assert resolve("http://127.0.0.1:11434").name == "ollama"
    assert resolve("http://127.0.0.1:11434").base_url == "http://127.0.0.1:11434/v1"
    assert resolve("https://openrouter.ai/api/v1/").name == "openrouter"


def test_an_unknown_address_is_one_that_nothing_is_known_of():
    found = resolve("https://models.example/api/")
    assert (found.name, found.base_url) == ("", "https://models.example/api")
    assert (found.local, found.structured) == (False, "unknown")
    assert resolve("http://localhost:8000/v1").name == ""  # two servers use this port
    assert resolve("http://[::1]:9999/v1").local


@pytest.mark.parametrize("said", ["", "gpt", "ftp://x/v1", "http://", "http://x:99999/v1"])
def test_what_is_neither_name_nor_address_is_refused_with_the_names(said):
    with pytest.raises(BadInput, match=r"openai, openrouter, vllm, ollama, llama\.cpp"):
        resolve(said)


@pytest.mark.parametrize("said", ["https://me:secret@x.example/v1", "https://x/v1?key=secret"])
def test_an_address_with_a_secret_in_it_is_refused_without_repeating_it(said):
    with pytest.raises(BadInput) as error:
        resolve(said)
    assert "secret" not in str(error.value)

"""What a model's tokens cost: from a table that the user edits, else from the endpoint's own list.

The table, <store>/prices.toml, has one entry a model, in dollars for a million tokens:

    ["org/model"]
    input = 0.15
    output = 0.6
    base_url = "https://example.org/v1"    # optional: the price at this endpoint alone

A model with several endpoints is written as [["org/model"]], once for each. Prices that are not
known are None, never 0; 0 is a price that somebody stated.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from data.errors import BadInput

PER_MILLION = 1e-6
KEYS = {"input", "output", "base_url"}
# A dearer token is a price in another unit: some lists give dollars for a million tokens under the
# names that OpenRouter uses for dollars a token. The dearest models cost 0.0006 dollars a token.
DEAREST = 0.001
# Names that carry their unit, as LiteLLM and others list them: input, output, dollars for 1.
SPELLINGS = (
    ("input_cost_per_token", "output_cost_per_token", 1.0),
    ("input_usd_per_1m_tokens", "output_usd_per_1m_tokens", PER_MILLION),
)
SHAPE = 'write ["model id"] in quotes, then input and output in dollars for a million tokens'


class Price(NamedTuple):
    """What one token costs."""

    input_usd: float  # dollars for each token of a prompt
    output_usd: float  # dollars for each token of an answer

    def cost(self, input_tokens: float, output_tokens: float) -> float:
        """Dollars for so many tokens."""
        return input_tokens * self.input_usd + output_tokens * self.output_usd


class Quote(NamedTuple):
    """A price and where it was found."""

    price: Price | None  # None = unknown
    source: str  # for people


def price_of(
    model: str,
    table: Path,
    listed: Sequence[Mapping[str, object]],
    *,
    base_url: str | None = None,
) -> Price | None:
    """Find the price of a model's tokens; None = unknown."""
    return quote(model, table, listed, base_url=base_url).price


def quote(
    model: str,
    table: Path,
    listed: Sequence[Mapping[str, object]],
    *,
    base_url: str | None = None,
) -> Quote:
    """Find a model's price and say where it comes from: the user's table goes before the list.

    listed: entries of the endpoint's model list, as it sent them.
    """
    stated = _stated(model, table, base_url)
    if stated is not None:
        return Quote(stated, str(table))
    for entry in listed:
        if entry.get("id") == model and (price := listed_price(entry)) is not None:
            return Quote(price, "the endpoint's model list")
    return Quote(None, f"price unknown: add the model to {table}")


def _stated(model: str, table: Path, base_url: str | None) -> Price | None:
    """Look a model up in the table; an entry for this endpoint goes before one for all."""
    entries = read_table(table).get(model, ())
    here = [
        price for address, price in entries if address and base_url and _same(address, base_url)
    ]
    anywhere = [price for address, price in entries if address is None]
    return next(iter(here + anywhere), None)


def _same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


Entries = tuple[tuple[str | None, Price], ...]


def read_table(path: Path) -> dict[str, Entries]:
    """Read the user's table: for each model, address (None = any endpoint) and price; {} = none."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"cannot read the prices in {path}: {error}") from error
    return {model: _entries(path, model, value) for model, value in found.items()}


def _entries(path: Path, model: str, value: object) -> Entries:
    several = value if isinstance(value, list) else [value]
    return tuple(_entry(f'{path}: the price of "{model}"', one) for one in several)


def _entry(what: str, entry: object) -> tuple[str | None, Price]:
    if not isinstance(entry, dict):
        raise BadInput(f"{what} is no table: {SHAPE}")
    if unknown := sorted(entry.keys() - KEYS):
        raise BadInput(
            f'{what} has "{unknown[0]}", which is not input, output or base_url: {SHAPE}'
        )
    address = entry.get("base_url")
    if address is not None and not isinstance(address, str):
        raise BadInput(f"{what} has a base_url that is no text")
    dollars = [_dollars(what, name, entry.get(name)) for name in ("input", "output")]
    return address, Price(*(number * PER_MILLION for number in dollars))


def _dollars(what: str, name: str, value: object) -> float:
    if value is None:
        raise BadInput(f"{what} has no {name}: {SHAPE}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{what} has an {name} that is no number: {SHAPE}")
    if not math.isfinite(value) or value < 0:
        raise BadInput(f"{what} has {name} = {value}: give dollars, 0 or more")
    return float(value)


def listed_price(entry: Mapping[str, object]) -> Price | None:
    """Read the price in one entry of a model list; None if there is none that is sure.

    OpenRouter writes {"pricing": {"prompt": "0.0000025", "completion": "0.00001"}}, dollars a
    token, -1 where the price depends on where a request goes, and may charge for each request
    besides, which a price for tokens would hide.
    """
    pricing = entry.get("pricing")
    if isinstance(pricing, Mapping) and _number(pricing.get("request", 0)) == 0:
        return _price(pricing.get("prompt"), pricing.get("completion"), 1.0)
    for name_in, name_out, unit in SPELLINGS:
        if name_in in entry and name_out in entry:
            return _price(entry[name_in], entry[name_out], unit)
    return None


def _price(for_input: object, for_output: object, unit: float) -> Price | None:
    found = [_number(value) for value in (for_input, for_output)]
    sure = [value * unit for value in found if value is not None and 0 <= value * unit <= DEAREST]
    return Price(*sure) if len(sure) == 2 else None


def _number(value: object) -> float | None:
    """Read a number that may be written as text; None if it is neither."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None

"""One measured figure beside its bar: what every bench module yields."""

from typing import NamedTuple


class Figure(NamedTuple):
    """A figure; ratios are to a limit or peer measured in the same process."""

    name: str
    value: float
    unit: str
    bar: str  # what it is held to, as in "<= 1.10"; "" for context
    met: bool | None  # None where there is no bar


def at_most(name: str, value: float, unit: str, bar: float) -> Figure:
    """Make a figure that must not be larger than its bar."""
    return Figure(name, value, unit, f"<= {bar:g}", value <= bar)


def at_least(name: str, value: float, unit: str, bar: float) -> Figure:
    """Make a figure that must not be smaller than its bar."""
    return Figure(name, value, unit, f">= {bar:g}", value >= bar)


def context(name: str, value: float, unit: str) -> Figure:
    """Make a figure that says under what conditions the others were measured."""
    return Figure(name, value, unit, "", None)

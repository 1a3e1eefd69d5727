"""One measured figure beside its bar: what every bench module yields."""

from typing import NamedTuple


class Figure(NamedTuple):
    """A figure; ratios are to a limit or peer measured in the same process."""

    name: str
    value: float
    unit: str
    bar: str  # what it is held to, as in "<= 1.10"; "" for context
    met: bool | None  # None where there is no bar

    def __str__(self) -> str:
        """One line, e.g. "caching, CPU time: 1.07 x the limit (bar <= 1.1: met)"."""
        value = f"{self.value:,.0f}" if abs(self.value) >= 1000 else f"{self.value:.3g}"
        shown = f"{self.name}: {value} {self.unit}".rstrip()
        if self.met is None:
            return shown
        return f"{shown} (bar {self.bar}: {'met' if self.met else 'not met'})"


def at_most(name: str, value: float, unit: str, bar: float) -> Figure:
    """Make a figure that must not be larger than its bar."""
    return Figure(name, value, unit, f"<= {bar:g}", value <= bar)


def at_least(name: str, value: float, unit: str, bar: float) -> Figure:
    """Make a figure that must not be smaller than its bar."""
    return Figure(name, value, unit, f">= {bar:g}", value >= bar)


def context(name: str, value: float, unit: str) -> Figure:
    """Make a figure that says under what conditions the others were measured."""
    return Figure(name, value, unit, "", None)

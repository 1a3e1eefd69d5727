"""What fired on a text, over several hookpoints, as a page lists it; knows nothing of Streamlit.

Raw activations of two hookpoints are not comparable, so each feature also has its share: the
activation over the largest that the feature has in the cache.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import pandas as pd

from core.drawing.cards import two
from core.drawing.spans import plain
from core.fired import Everything, Fired
from data.catalogue import Row
from data.records import HookpointRecord

Found = Mapping[str, Everything]  # by hookpoint
Maxima = Mapping[str, Mapping[int, float]]  # by hookpoint and feature, raw


class Order(StrEnum):
    """Orders of the features of a text."""

    ACTIVATION = "by activation"
    SHARE = "by share of maximum"


class Line(NamedTuple):
    """One feature that fired."""

    hookpoint: HookpointRecord
    fired: Fired
    largest: float  # in the cache, raw; 0 of a feature that never fired there

    @property
    def address(self) -> str:
        """HOOKPOINT/INDEX."""
        return f"{self.hookpoint.name}/{self.fired.feature}"

    @property
    def share(self) -> float | None:
        """Activation over the largest in the cache; above 1 where the text beats the corpus."""
        return self.fired.peak / self.largest if self.largest > 0 else None


class Strongest(NamedTuple):
    """The feature that stands for a token: of all hookpoints the one with the largest share."""

    address: str
    activation: float  # raw
    share: float


def lines(
    found: Found,
    hookpoints: Sequence[HookpointRecord],
    maxima: Maxima,
    tokens: Sequence[int],
    order: Order,
) -> list[Line]:
    """Every feature that fired, the strongest first; with tokens chosen, by the sum over those."""
    listed = [
        Line(hookpoint, fired, maxima[hookpoint.name].get(fired.feature, 0.0))
        for hookpoint in hookpoints
        if hookpoint.name in found
        for fired in found[hookpoint.name].fired(tokens)
    ]

    def rank(line: Line) -> tuple[float, float]:
        by_share = order is Order.SHARE
        unit = 1 / line.largest if by_share and line.largest > 0 else float(not by_share)
        return -line.fired.total * unit, -line.fired.peak * unit

    return sorted(listed, key=rank)


def starts(pieces: Sequence[str]) -> list[int]:
    """Places of tokens that are drawn: a character split over tokens stands at its first."""
    return [place for place, piece in enumerate(pieces) if piece]


def whole(places: Sequence[int], pieces: Sequence[str]) -> list[int]:
    """Drawn tokens with those that only continue their last character.

    >>> whole([0], ["€", "", "b"])
    [0, 1]
    """
    drawn = starts(pieces)
    ends = dict(zip(drawn, [*drawn[1:], len(pieces)], strict=True))
    return [token for place in places if place in ends for token in range(place, ends[place])]


def strongest(found: Found, maxima: Maxima) -> dict[int, Strongest]:
    """What each token is strongest in, where anything fires."""
    out: dict[int, Strongest] = {}
    for name, everything in found.items():
        features = everything.strongest()
        values = dict(zip(zip(everything.token.tolist(), everything.feature.tolist(), strict=True),
                          everything.activation.tolist(), strict=True))  # fmt: skip
        for token, feature in enumerate(features.tolist()):
            if feature < 0:
                continue
            value, largest = values[token, feature], maxima[name].get(feature, 0.0)
            share = value / largest if largest > 0 else 1.0
            if token not in out or share > out[token].share:
                out[token] = Strongest(f"{name}/{feature}", value, share)
    return out


def table(
    listed: Sequence[Line], pieces: Sequence[str], described: Mapping[str, Row], *, summed: bool
) -> pd.DataFrame:
    """The features as a table; described: the explanation shown, by address."""
    rows = []
    for line in listed:
        row = described.get(line.address)
        judged = row is not None and row["value"] is not None
        rows.append(
            {
                "Feature": line.address,
                "Activation": line.fired.peak,
                "Share of max": line.share,
                "Sum": line.fired.total,
                "Token": plain(pieces[line.fired.token]) or "…",
                "Place": line.fired.token,
                "Explanation": plain(row["text"]) if row else None,
                "Detection": row["value"] if row and judged else None,
                "Low": row["low"] if row and judged else None,
                "High": row["high"] if row and judged else None,
                "Judged": row["n_judged"] if row and judged else None,
                "Failed": row["n_failed"] if row and judged else None,
            }
        )
    frame = pd.DataFrame(rows)
    return frame if summed or frame.empty else frame.drop(columns="Sum")


def score_words(row: Row | None) -> str:
    """What stands beside a detection score: its interval, n and failures.

    >>> score_words({"value": 0.77, "low": 0.71, "high": 0.83, "n_judged": 200, "n_failed": 3})
    '[.71, .83] · n 200 · 3 failed'
    """
    if row is None or row["n_judged"] is None:
        return "not scored" if row else ""
    low, high = row["low"], row["high"]
    interval = "" if low is None or high is None else f"[{_short(low)}, {_short(high)}] · "
    failed = f" · {row['n_failed']} failed" if row["n_failed"] else ""
    return f"{interval}n {row['n_judged']}{failed}"


def _short(share: float) -> str:
    return two(share).removeprefix("0")

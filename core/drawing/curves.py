"""The points of a feature's two charts: activations by size, and accuracy by decile.

Where they are drawn, and with what, is not known here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.score.statistics import wilson
from data.catalogue import Row
from data.records import Interval, Score, Tally

FEW = 100  # test contexts below which one feature's deciles are shown two by two
SILENT_PLACES = {"random": (11.7, "none"), "wrong-mark": (13.1, "wrong<br>marks")}


@dataclass(frozen=True, slots=True)
class Histogram:
    """Activating contexts by peak; bin k covers [k, k + 1) * bin_width from `first` on."""

    bin_width: float  # activation
    counts: Sequence[int]
    first: float = 0.0  # activation at which the first bin begins
    of: str = "contexts"  # an export counts "tokens" by their activation instead


def histogram_of(facts: Row) -> Histogram:
    """What is known of how a feature's activations are spread; no counts where nothing is."""
    centres, counts = facts.get("value_centres"), facts.get("value_counts")
    if facts.get("counts") or not centres or not counts:
        return Histogram(facts.get("bin_width") or 1.0, facts.get("counts") or [])
    width = (centres[-1] - centres[0]) / (len(centres) - 1) if len(centres) > 1 else centres[0]
    first = max(0.0, centres[0] - width / 2)
    return Histogram(width or 1.0, [round(n) for n in counts], first, "tokens")


@dataclass(frozen=True, slots=True)
class Point:
    """The share of right verdicts at one place of the axis."""

    x: float
    label: str  # "decile 3", "deciles 3–4", "non-activating"
    share: Interval
    tally: Tally
    deciles: str = ""  # as the filter names them: "3", "3–4"; "" = none


@dataclass(frozen=True, slots=True)
class Curve:
    """One scorer's points for one explanation."""

    scorer: str
    points: Sequence[Point]
    is_second: bool = False  # of the pinned explanation: open marks
    explanation_id: int | None = None


def curve(score: Score, *, is_second: bool = False, explanation_id: int | None = None) -> Curve:
    """The points of a score: deciles (two by two when few), then the silent kinds apart."""
    points = [point for place in by_deciles(score) if (point := _point(*place))]
    for kind, (x, _) in SILENT_PLACES.items():
        tally = score.non_activating.get(kind)
        if tally and (share := wilson(tally.correct, tally.n)):
            label = "wrong marks" if kind == "wrong-mark" else "non-activating"
            points.append(Point(x, label, share, tally))
    return Curve(score.scorer, points, is_second, explanation_id)


def _point(first: int, last: int, pooled: Tally) -> Point | None:
    share = wilson(pooled.correct, pooled.n)
    if share is None:
        return None
    label = f"decile {first}" if first == last else f"deciles {first}–{last}"
    name = str(first) if first == last else f"{first}–{last}"
    return Point((first + last) / 2, label, share, pooled, name)


def by_deciles(score: Score) -> Iterator[tuple[int, int, Tally]]:
    """First and last decile of every point that a feature's figure shows, with its verdicts.

    Deciles are shown two by two where verdicts are few, and where a run cut contexts into fifths.
    """
    asked = sum(t.n + t.failed for t in score.by_decile.values())
    step = 1 if asked >= FEW and not in_fifths(score) else 2
    for first in range(1, 11, step):
        deciles = range(first, first + step)
        yield first, deciles[-1], _pooled([score.by_decile[d] for d in deciles
                                           if d in score.by_decile])  # fmt: skip


def in_fifths(score: Score) -> bool:
    """Whether contexts were cut into fifths, as imported ones may be: these stand at even deciles.

    >>> in_fifths(score_of({2: ..., 4: ..., 10: ...}))
    True
    """
    found = [decile for decile, tally in score.by_decile.items() if tally.n + tally.failed]
    return bool(found) and not any(decile % 2 for decile in found)


def _pooled(tallies: Sequence[Tally]) -> Tally:
    return Tally(
        n=sum(t.n for t in tallies),
        correct=sum(t.correct for t in tallies),
        failed=sum(t.failed for t in tallies),
    )

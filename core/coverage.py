"""How much of a dictionary is explained, scored, and above chance; and what all of it would cost.

Coverage counts features that fire at all. "Above the null" is a score above the 95th percentile of
the same explanations judged on other features' contexts (methods 6.5): one in twenty features with
a meaningless explanation lies there, too. Prices are in coverage_price.py.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from core.coverage_price import Priced, price
from core.drawing.words import explain_words
from core.nulls.figures import FEWEST, HIGH, summarise
from data import caches, coverage, nulls
from data.catalogue import Catalogue, Connection, Row
from data.nulls import Series
from data.percents import percent
from data.records import CacheRecord, HookpointRecord, Interval

SUMS = ("alive", "explainable", "scorable", "explained", "failed")  # that add up over hookpoints


@dataclass(frozen=True, slots=True)
class Scored:
    """One scorer with its judge, over the explanations of one explainer."""

    scorer: str
    judge: str
    preset: str
    explainer: str  # name, model and settings in words
    n: int  # features with a score
    null_n: int  # null scores
    threshold: float | None  # 95th percentile of the null; None below 20 null scores
    n_above: int | None  # features above it
    above: Interval | None  # their share of the scored ones
    series: tuple[int, int]  # scorer_id and explainer_id: words alone may be those of several


@dataclass(frozen=True, slots=True)
class Covered:
    """What is known of the features of one hookpoint, or of all."""

    hookpoint: str  # "" = all
    n_features: int | None  # None = the size of the SAE is not known
    alive: int  # fire at least once
    explainable: int  # with contexts enough for an explanation
    scorable: int  # with contexts enough for a score
    explained: int
    failed: int  # tried, without a usable explanation
    scored: tuple[Scored, ...]

    def share(self, n: int | None) -> float | None:
        """Of the features that fire."""
        return n / self.alive if self.alive and n is not None else None


class Coverage(NamedTuple):
    """Everything about one cache."""

    cache: str
    hookpoints: tuple[Covered, ...]
    total: Covered

    @property
    def every(self) -> tuple[Covered, ...]:
        """The hookpoints, and all together where there are several."""
        return (*self.hookpoints, self.total) if len(self.hookpoints) > 1 else self.hookpoints


def covered(catalogue: Catalogue, cache: str, hookpoints: Sequence[str] = ()) -> Coverage:
    """Count everything."""
    record = caches.cache(catalogue, cache)
    chosen = [caches.hookpoint(record, name) for name in hookpoints] or list(record.hookpoints)
    with catalogue.reading() as con:
        found = tuple(_covered(con, one) for one in chosen)
    return Coverage(record.name, found, _total(found))


def _covered(con: Connection, hookpoint: HookpointRecord) -> Covered:
    row = coverage.counted(con, hookpoint.hookpoint_id)
    every = [_scored(con, hookpoint, one) for one in coverage.series(con, hookpoint.hookpoint_id)]
    size = hookpoint.n_features if hookpoint.is_size_known else None
    return Covered(hookpoint.name, size, **row, scored=tuple(every))


def _scored(con: Connection, hookpoint: HookpointRecord, one: Row) -> Scored:
    at = Series(hookpoint.hookpoint_id, one["scorer_id"], one["explainer_id"])
    values = [found.value for found in nulls.real_scores(con, at)]
    found = summarise(values, nulls.distribution(con, at).values)
    known = np.array([value for value in values if value is not None])
    n_above = None if found.threshold is None else int((known > found.threshold).sum())
    settings = json.loads(one["settings"]) if one["settings"] else {}
    who = ", ".join(dict.fromkeys([one["model"] or one["explainer"], *explain_words(settings)]))
    return Scored(one["scorer"], one["judge"], one["preset"], who, found.n, found.null_n,
                  found.threshold, n_above, found.above,
                  (one["scorer_id"], one["explainer_id"]))  # fmt: skip


def _total(found: Sequence[Covered]) -> Covered:
    """All hookpoints; scores are not added up, since each hookpoint has a null of its own."""
    sizes = [one.n_features for one in found]
    size = None if None in sizes else sum(n for n in sizes if n is not None)
    sums = {name: sum(getattr(one, name) for one in found) for name in SUMS}
    return Covered("", size, **sums, scored=_added(found))


def _added(found: Sequence[Covered]) -> tuple[Scored, ...]:
    """Features with a score and above their own hookpoint's null, by scorer, judge and explainer.

    n_above is None where a hookpoint has no null, so that a part is never taken for the whole.
    """
    by: dict[tuple[int, int], list[Scored]] = {}
    for one in found:
        for part in one.scored:
            by.setdefault(part.series, []).append(part)
    added = []
    for parts in by.values():
        counts = [part.n_above for part in parts]
        known = None if None in counts else sum(n for n in counts if n is not None)
        n, null_n = sum(part.n for part in parts), sum(part.null_n for part in parts)
        added.append(replace(parts[0], n=n, null_n=null_n, threshold=None, n_above=known,
                             above=None))  # fmt: skip
    return tuple(added)


def objects(
    catalogue: Catalogue, cache: str, hookpoints: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """One object a hookpoint, one for all, then one for prices."""
    found = covered(catalogue, cache, hookpoints)
    for one in found.every:
        yield _object(found.cache, one)
    yield from priced(catalogue, found).objects()


def priced(catalogue: Catalogue, found: Coverage) -> Priced:
    """What explaining and scoring all that can be would cost."""
    record: CacheRecord = caches.cache(catalogue, found.cache)
    chosen = [one.hookpoint for one in found.hookpoints]
    return price(catalogue, record, found.total.explainable, found.total.scorable, chosen)


def _object(cache: str, one: Covered) -> dict[str, Any]:
    return {
        "cache": cache, "hookpoint": one.hookpoint or None, "features": one.n_features,
        "alive": one.alive, "explainable": one.explainable, "scorable": one.scorable,
        "explained": one.explained, "explanations_failed": one.failed,
        "explained_share": one.share(one.explained),
        "scores": [
            {"scorer": s.scorer, "judge": s.judge, "preset": s.preset, "explainer": s.explainer,
             "n": s.n, "share": one.share(s.n), "null_n": s.null_n, "null_95": s.threshold,
             "above": s.n_above, "above_share": one.share(s.n_above),
             "above_of_scored": s.above and s.above.value,
             "interval": [s.above.low, s.above.high] if s.above else [None, None]}
            for s in one.scored
        ],
    }  # fmt: skip


def lines(catalogue: Catalogue, cache: str, hookpoints: Sequence[str] = ()) -> Iterator[str]:
    """The same for people."""
    found = covered(catalogue, cache, hookpoints)
    for one in found.every:
        yield from words(one)
    yield ""
    yield from priced(catalogue, found).lines()


def words(one: Covered) -> Iterator[str]:
    """One hookpoint in a few lines."""
    size = "?" if one.n_features is None else f"{one.n_features:,}"
    yield f"{one.hookpoint or 'all hookpoints'}: {one.alive:,} of {size} features fire"
    yield (f"  explained {_of(one, one.explained)}, {one.failed:,} failed; contexts suffice to "
           f"explain {one.explainable:,} and to score {one.scorable:,}")  # fmt: skip
    if not one.scored:
        yield "  none is scored yet"
    for part in one.scored:
        yield f"  {part.scorer} ({part.judge}, {part.preset}; {part.explainer}): " + scored_words(
            one, part
        )


def scored_words(one: Covered, part: Scored) -> str:
    """How many are scored, and above their null."""
    said = f"scored {_of(one, part.n)}"
    if part.n_above is None:
        return f"{said}; {lacking(one, part)}"
    high = percent(HIGH)
    limit = "" if part.threshold is None else f" ({part.threshold:.2f})"
    return f"{said}; above {high} of the null{limit} {_of(one, part.n_above)}"


def lacking(one: Covered, part: Scored) -> str:
    """Why nothing can be said to lie above the null."""
    if not part.null_n:
        return "no null to compare with"
    if not one.hookpoint:
        return f"a hookpoint has fewer than {FEWEST} null scores of its own"
    return f"{part.null_n:,} null scores are too few for a 95th percentile"


def _of(one: Covered, n: int) -> str:
    share = one.share(n)
    return f"{n:,}" + ("" if share is None else f" ({whole(share)} of those that fire)")


def whole(share: float) -> str:
    """A share as a whole per cent; what there is of is never nought, e.g. 0.004 -> "< 1 %"."""
    return "< 1 %" if 0 < share < 0.005 else f"{percent(share)}"

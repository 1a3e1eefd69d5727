"""Scores and counts as an export states them, where no verdicts stand behind.

What is not a number of the kind that it should be is left out, and unknown.
"""

from collections.abc import Mapping
from typing import Any

from core.examples.draw import KINDS
from core.importing.judging import UNKNOWN_USAGE
from data.imports.foreign import clean
from data.imports.neuronpedia_scores import ScoreRow
from data.records import Score, Tally


def stated(row: ScoreRow, judge: str, preset: str) -> Score:
    """A score whose verdicts are not there: as it is written, counts included."""
    gloss = row.gloss
    low, high, *_ = [*_numbers(gloss.get("ci")), None, None]
    metric = gloss.get("metric")
    raw = _number(gloss.get("rawValue"))
    return Score(
        scorer=row.scorer,
        metric=clean(metric) if isinstance(metric, str) else "as published",
        value=row.value if raw is None else raw,
        low=low,
        high=high,
        tpr=_number(gloss.get("tpr")),
        tnr=_number(gloss.get("tnr")),
        n=_count(gloss, "n") or _count(gloss, "nPos") + _count(gloss, "nNeg"),
        failed=_count(gloss, "nFailed"),
        judge=judge,
        preset=preset,
        by_decile={int(one["decile"]): _tally(one) for one in _objects(gloss, "deciles")
                   if one.get("decile") in range(1, 11)},
        non_activating={str(one["kind"]): _tally(one) for one in _objects(gloss, "kinds")
                        if one.get("kind") in KINDS},
        detail={"flags": ["verdicts_unknown"]},
        usage=UNKNOWN_USAGE,
    )  # fmt: skip


def _number(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and abs(value) < 1e300 else None


def _numbers(value: Any) -> list[float | None]:
    return [_number(one) for one in value] if isinstance(value, list) else []


def _count(found: Mapping[str, Any], key: str) -> int:
    value = found.get(key)
    return value if type(value) is int and 0 <= value < 2**31 else 0


def _tally(found: Mapping[str, Any]) -> Tally:
    return Tally(_count(found, "n"), _count(found, "correct"), _count(found, "failed"))


def _objects(found: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    listed = found.get(key)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def firings(row: ScoreRow) -> int | None:
    """How often the feature fires, as Gloss writes it beside its scores; None where it does not."""
    said = row.gloss.get("nActive")
    return said if type(said) is int and 0 < said < 2**63 else None

"""Two explanations on the same questions: the paired difference in words; no Streamlit.

Only items with a usable verdict on both sides count; what is left out is said.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from core.score.statistics import FEWEST_DISCORDANT, Comparison, compare
from data.catalogue import Row
from data.records import ExplanationRecord

SCORERS = ("detection", "fuzzing")
USUAL = "gloss"  # the preset that goes without saying
SIDES = ("the left one", "the right one")
SEED = 0  # of the bootstrap, so that a page says the same thing twice


def differences(
    verdicts: Sequence[Row], shown: ExplanationRecord, against: ExplanationRecord
) -> list[str]:
    """One sentence for each scorer and judge that judged both; verdicts: of all scores."""
    found = by_judge(verdicts, shown.explanation_id, against.explanation_id)
    words = [in_words(scorer, result, by) for scorer, by, result in found]
    return words or ["Not comparable: no scorer has judged both explanations."]


def by_judge(
    verdicts: Sequence[Row], first: int, second: int
) -> Iterator[tuple[str, str, Comparison]]:
    """Scorer, by whom, and the comparison, for each scorer and judge that judged both."""
    for scorer in SCORERS:
        for judge, preset in _common_judges(verdicts, scorer, first, second):
            rows = [r for r in verdicts if (r["judge"], r["preset"]) == (judge, preset)]
            if (result := paired(rows, scorer, first, second)) is not None:
                yield scorer, _by_whom(judge, preset), result


def _common_judges(
    verdicts: Sequence[Row], scorer: str, first: int, second: int
) -> list[tuple[str, str]]:
    """Judge and preset of a scorer's verdicts on both explanations, in the order of the rows."""
    found: dict[tuple[str, str], set[int]] = {}
    for row in verdicts:
        if row["scorer"] == scorer and row["explanation_id"] in (first, second):
            found.setdefault((row["judge"], row["preset"]), set()).add(row["explanation_id"])
    return [who for who, ids in found.items() if len(ids) == 2]


def _by_whom(judge: str, preset: str) -> str:
    """Who judged and on what, where that is not the grammar on the usual contexts."""
    words = [f"by {judge}"] if judge != "grammar" else []
    words += [f"on {preset} contexts"] if preset != USUAL else []
    return " ".join(words)


def paired(
    verdicts: Sequence[Row], scorer: str, first: int, second: int
) -> Comparison | None:  # fmt: skip
    """The comparison on items that both were asked about; None when there are none."""
    by_item: dict[tuple, dict[int, Row]] = {}
    for row in verdicts:
        if row["scorer"] == scorer and row["explanation_id"] in (first, second):
            item = (row["judge"], row["preset"], row["kind"], row["context_kind"],
                    row["first_token"],
                    tuple(row["marks"] or ()))  # fmt: skip
            by_item.setdefault(item, {})[row["explanation_id"]] = row
    both = [pair for pair in by_item.values() if len(pair) == 2]
    if not both:
        return None
    kinds = sorted({pair[first]["kind"] for pair in both}, key=lambda kind: kind != "activating")
    silent = [kind for kind in kinds if kind != "activating"]
    weight = [0.5 if kind == "activating" else 0.5 / len(silent) for kind in kinds]
    return compare(
        np.array([_right(pair[first]) for pair in both], np.int8),
        np.array([_right(pair[second]) for pair in both], np.int8),
        np.array([kinds.index(pair[first]["kind"]) for pair in both]),
        np.array(weight),
        seed=SEED,
    )


def _right(row: Row) -> int:
    """1 right, 0 wrong, -1 no usable verdict."""
    return -1 if row["predicted"] is None else int(row["predicted"] == row["expected"])


def in_words(scorer: str, found: Comparison, by: str = "") -> str:
    """What the difference is, its interval, the counts behind it, the test, and what they say.

    by: who judged, e.g. "by test-model"; "" = as usual.
    """
    name = " ".join(filter(None, [scorer.capitalize(), by]))
    if found.difference is None or found.low is None or found.high is None:
        return f"{name}: the difference is undefined on {found.n} common items"
    left_out = f" · {found.excluded} without a verdict on both" if found.excluded else ""
    return (
        f"{name} {signed(found.difference)} [{signed(found.low)}, "
        f"{signed(found.high)}] (balanced accuracy, left minus right, 95 % bootstrap interval) · "
        f"right only on the left: {found.only_first}, only on the right: {found.only_second}, of "
        f"{found.n} (McNemar {_p(found.p)}) · {finding(found, *SIDES)}{left_out}"
    )


def finding(found: Comparison, first: str, second: str) -> str:
    """Which one is better; where test and interval do not agree, what each says.

    first, second: what the two are called, e.g. "the left one" or "B".
    """
    n = found.only_first + found.only_second
    excludes = (found.low or 0) > 0 or (found.high or 0) < 0
    if n < FEWEST_DISCORDANT:
        return f"too few differing contexts to tell ({n}; {FEWEST_DISCORDANT} are needed)"
    better = {"first": first, "second": second}.get(found.finding)
    if better and excludes and ((found.difference or 0) > 0) == (better == first):
        return f"{better} is better"
    if better:
        reach = "excludes" if excludes else "includes"
        return f"by the test {better} is better, but the interval {reach} 0"
    if excludes:
        return "the test does not tell them apart, but the interval excludes 0"
    return "not distinguishable"


def _p(value: float) -> str:
    if value < 0.001:
        return "p < 0.001"
    return f"p = {value:.2g}" if value < 0.1 else f"p = {value:.2f}"


def signed(value: float | None) -> str:
    """Two decimals with their sign, e.g. "−0.04"."""
    return "undefined" if value is None else f"{value:+.2f}".replace("-", "−")

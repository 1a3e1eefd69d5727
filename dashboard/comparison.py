"""Two explanations on the same questions: the paired difference in words; no Streamlit.

Only items with a usable verdict on both sides count; what is left out is said.
"""

from collections.abc import Sequence

import numpy as np

from core.score.statistics import FEWEST_DISCORDANT, Comparison, compare
from data.catalogue import Row
from data.records import ExplanationRecord

SEED = 0  # of the bootstrap, so that a page says the same thing twice


def differences(
    verdicts: Sequence[Row], shown: ExplanationRecord, against: ExplanationRecord
) -> list[str]:
    """One sentence for each scorer that judged both."""
    found = {
        scorer: paired(verdicts, scorer, shown.explanation_id, against.explanation_id)
        for scorer in ("detection", "fuzzing")
    }
    words = [in_words(scorer, result) for scorer, result in found.items() if result]
    return words or ["Not comparable: no scorer has judged both explanations."]


def paired(
    verdicts: Sequence[Row], scorer: str, first: int, second: int
) -> Comparison | None:  # fmt: skip
    """The comparison on items that both were asked about; None when there are none."""
    by_item: dict[tuple, dict[int, Row]] = {}
    for row in verdicts:
        if row["scorer"] == scorer and row["explanation_id"] in (first, second):
            item = (row["preset"], row["kind"], row["context_kind"], row["first_token"],
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


def in_words(scorer: str, found: Comparison) -> str:
    """For example "Detection +0.06 [−0.01, +0.13] · only this right 12, only the other 5 · …"."""
    if found.difference is None or found.low is None or found.high is None:
        return f"{scorer.capitalize()}: the difference is undefined on {found.n} common items"
    n_discordant = found.only_first + found.only_second
    verdict = {
        "first": "the left one is better",
        "second": "the right one is better",
    }.get(found.finding, "not distinguishable")
    if n_discordant < FEWEST_DISCORDANT:
        verdict += f", they differ on {n_discordant} of {found.n} items"
    left_out = f" · {found.excluded} without a verdict on both" if found.excluded else ""
    return (
        f"{scorer.capitalize()} {_signed(found.difference)} [{_signed(found.low)}, "
        f"{_signed(found.high)}] · only left right {found.only_first}, only right right "
        f"{found.only_second} of {found.n} · p {found.p:.2g} · {verdict}{left_out}"
    )


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")

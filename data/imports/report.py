"""What an import has to say besides the data: doubts, losses and conversions, counted.

Codes are those of the format reference (delphi) and some of our own. A finding says how often,
where it was seen first, what it means and what was done about it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from data.catalogue import Connection, Row

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of doubt."""

    severity: Severity
    code: str
    n: int  # how often
    example: str  # the first place it was seen at
    explanation: str


class Report:
    """Findings as they come up, counted by code and wording."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Finding] = {}

    def add(self, code: str, n: int = 1, example: str = "", explanation: str = "") -> None:
        """Count a finding n more times; nothing happens for 0."""
        if n <= 0:
            return
        severity, usual = CODES[code]
        words = explanation or usual
        known = self._found.get((code, words))
        total, first = (known.n, known.example) if known else (0, example)
        self._found[code, words] = Finding(severity, code, total + n, first, words)

    def __iter__(self) -> Iterator[Finding]:
        """The worst first, then in the order in which they came up."""
        order = ("error", "warning", "info")
        yield from sorted(self._found.values(), key=lambda found: order.index(found.severity))

    def codes(self) -> set[str]:
        """Everything that came up."""
        return {code for code, _ in self._found}


CODES: dict[str, tuple[Severity, str]] = {
    "str_tokens_joined": (
        "error",
        "the text of a context is one string, not tokens: its explanation was made from unmarked "
        "text and fuzzing marks were void; fuzzing scores of such features are left undefined",
    ),
    "bos_removed": (
        "warning",
        "the run took every BOS out of the tokens, so the subject ran without one; activations "
        "differ from the SAE's training condition",
    ),
    "train_test_overlap": (
        "warning",
        "this tool draws the explainer's and the judge's contexts from one list with one seed, so "
        "some judged contexts had been in the prompt; these scores are not held out",
    ),
    "negatives_repeat": (
        "warning",
        "non-activating contexts that are asked about more than once within a feature (drawn with "
        "replacement); the score keeps the number of distinct ones beside n",
    ),
    "values_disagree_with_cache": (
        "warning",
        "contexts whose text is in the cache but whose values differ from it; values of the cache "
        "are shown",
    ),
    "length_mismatch": (
        "warning",
        "contexts with unequal numbers of tokens and activations; kept without activations",
    ),
    "not_located": (
        "warning",
        "contexts that are not found in the cache's tokens; kept beside it with their own text",
    ),
    "silent_not_located": (
        "warning",
        "non-activating contexts found in the cache's tokens only where the feature is active",
    ),
    "failed_verdicts": ("warning", "questions without a usable reply; counted as failed"),
    "failed_explanation": (
        "warning",
        "explanations that say that there is none; kept as failed, their scores are marked",
    ),
    "nan_scores": ("warning", "simulations whose correlation is undefined; counted as failed"),
    "correct_disagrees": (
        "warning",
        "verdicts whose stored `correct` is not prediction == activating; recomputed",
    ),
    "missing_range": (
        "warning",
        "a gap between the ranges of the shards; nothing is known of the features in it",
    ),
    "inf_values": ("warning", "activations beyond half precision; stored as its largest number"),
    "values_without_class": (
        "warning",
        "contexts called non-activating that carry activations of the feature; kept as they are",
    ),
    "silent_positives": (
        "warning",
        "contexts called activating that carry no activation; kept as activating",
    ),
    "recovered_vocabulary": (
        "warning",
        "the subject's tokenizer was not found; token texts are taken from contexts whose values "
        "match the cache, others are shown by number: import with --subject FOLDER to have all",
    ),
    "random_sae": ("warning", "the run used an SAE with random weights"),
    "silent_simulations": (
        "warning",
        "simulated contexts in which nothing at all was expected, which may be failed calls; they "
        "count, and the correlation without them stands beside the score",
    ),
    "tokens_missing": (
        "warning",
        "shards of activations without tokens, which mean nothing alone; they are left out",
    ),
    "scorer_not_imported": ("warning", "score files of a scorer that is not imported"),
    "partial_run": ("info", "features without a score"),
    "not_centred": (
        "info",
        "contexts of this run are plain tiles of the sequences, whatever `center_examples` says",
    ),
    "fuzz_position_leak": (
        "info",
        "wrong marks of this tool's fuzzing stand at the same places in every silent context, "
        "which makes them easier to refuse; which tokens were marked there is not stored",
    ),
    "half_precision_ties": (
        "info",
        "activations were stored in half precision, so contexts may share a peak",
    ),
    "facts_unknown": (
        "info",
        "features known only from the run's contexts: density, number of firings and silent "
        "contexts are not in the import; the largest activation is the largest in these contexts",
    ),
    "silent_kind_unknown": (
        "info",
        "the run does not say how its non-activating contexts were chosen; they are called random",
    ),
    "distance_from_1": (
        "info",
        "`distance` counts from 1 = strongest in this run: decile = n + 1 - distance",
    ),
    "slices_inferred": (
        "info",
        "the run does not say into how many slices it cut the contexts: the largest distance does",
    ),
    "not_deciles": ("info", "the run cut contexts into another number of slices than ten"),
    "train_scaled": (
        "info",
        "activations of the explainer's contexts are written 0..10 where those of judged contexts "
        "are 0..1; divided by ten",
    ),
    "not_read": ("info", "files of the run that are not read"),
}  # fmt: skip


def report_rows(cache_id: int, run_id: int, report: Report) -> pa.Table:
    """Columns as in schema.sql."""
    found = list(report)
    return pa.table(
        {
            "cache_id": pa.array([cache_id] * len(found), pa.uint32()),
            "run_id": pa.array([run_id] * len(found), pa.uint64()),
            "severity": pa.array([one.severity for one in found], pa.string()),
            "code": pa.array([one.code for one in found], pa.string()),
            "n": pa.array([one.n for one in found], pa.uint64()),
            "example": pa.array([one.example for one in found], pa.string()),
            "explanation": pa.array([one.explanation for one in found], pa.string()),
        }
    )


REPORTS = """
select severity, code, n, example, explanation
from import_report
where cache_id = ?
order by case severity when 'error' then 0 when 'warning' then 1 else 2 end, rowid
"""
IMPORTS = """
select r.run_id, c.cache_id, c.name as cache, r.settings, r.status, r.finished_at
from run r
join cache c using (cache_id)
where r.stage = 'import'
order by r.run_id desc
"""


def reports(con: Connection, cache_id: int) -> list[Row]:
    """What the import of a cache had to say, the worst first."""
    return con.rows(REPORTS, [cache_id])


def imports(con: Connection) -> list[Row]:
    """Every import, newest first."""
    return con.rows(IMPORTS)

"""Everything known of a collection's members, a row each: what it reads, what it does, the scores.

*Reads* is the explanation shown for the feature (of those made from contexts), *does* the newest
explanation of its output, else the tokens that it promotes. Beside them the tokens it fires on and
the tokens it makes likelier and less likely: a feature that is explained by what it reads but acts
on something else shows itself there (arXiv 2403.19647; methods.md 8). The role is that of
core/score/roles.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.score.roles import FEWEST_NULLS, Role, null_bar, on_input, on_output, role
from data import collections, nulls
from data.catalogue import Connection, Row
from data.nulls import Series

OUTPUT = "output"  # the explainer that says what a feature does
Key = tuple[int, int]  # hookpoint_id, feature
Nulls = dict[Series, dict[str, np.ndarray]]


@dataclass(frozen=True, slots=True)
class Said:
    """One score of an explanation."""

    value: float | None  # None = undefined
    low: float | None
    high: float | None
    n: int  # usable verdicts
    failed: int
    judge: str
    scorer_id: int


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One member."""

    hookpoint_id: int
    hookpoint: str
    feature: int
    label: str | None  # what the list said of it
    reads: str | None  # explanation of its input; None = there is none
    explainer: str | None  # who wrote it
    does: str | None  # explanation of its output; None = there is none
    why: str | None  # why there is no explanation, where that is known
    promoted: tuple[str, ...]  # tokens, strongest first
    suppressed: tuple[str, ...]
    top_tokens: tuple[str, ...]  # on which it fires most often, most frequent first
    n_active: int | None  # tokens it fires on; None = an import does not say
    detection: Said | None
    fuzzing: Said | None
    output_side: Said | None
    null_95: float | None  # what detection has to beat; None = too few null scores
    null_of: str | None  # whose null scores those are: "hookpoint", "collection"
    on_input: bool | None  # detection beats that; None = not measured well enough to say
    on_output: bool | None  # its texts are recognised; None as before
    role: Role | None  # of the two; None where one of them is

    @property
    def address(self) -> str:
        """HOOKPOINT/INDEX."""
        return f"{self.hookpoint}/{self.feature}"


def table(con: Connection, collection_id: int, strings: Sequence[str]) -> list[MemberRow]:
    """Read every member of a collection, in the order of its list; strings: of the vocabulary."""
    facts = collections.facts(con, collection_id)
    written: dict[Key, list[Row]] = {}
    for one in collections.explained(con, collection_id):
        written.setdefault((one["hookpoint_id"], one["feature"]), []).append(one)
    failed = {(f["hookpoint_id"], f["feature"]): f["error"]
              for f in collections.failed(con, collection_id)}  # fmt: skip
    chosen = {key: (_reads(found), _does(found)) for key, found in written.items()}
    ids = [one["explanation_id"] for both in chosen.values() for one in both if one]
    scores: dict[int, dict[str, Row]] = {}
    for one in collections.scored(con, ids):
        scores.setdefault(one["explanation_id"], {})[one["scorer"]] = one
    hookpoints = sorted({one["hookpoint_id"] for one in facts})
    every = {h: nulls.every_distribution(con, h) for h in hookpoints}
    pooled: Nulls = {series: kinds for found in every.values() for series, kinds in found.items()}
    return [
        _member(one, *chosen.get((one["hookpoint_id"], one["feature"]), (None, None)),
                failed.get((one["hookpoint_id"], one["feature"])), scores, pooled, strings)
        for one in facts
    ]  # fmt: skip


def _reads(found: list[Row]) -> Row | None:
    """The explanation shown, unless that is one of the output; then the newest other one."""
    about = [one for one in found if one["explainer"] != OUTPUT]
    shown = [one for one in about if one["is_shown"]]
    return (shown or about or [None])[-1]


def _does(found: list[Row]) -> Row | None:
    about = [one for one in found if one["explainer"] == OUTPUT]
    return about[-1] if about else None


def _member(
    facts: Row, reads: Row | None, does: Row | None, error: str | None,
    scores: dict[int, dict[str, Row]], pooled: Nulls, strings: Sequence[str],
) -> MemberRow:  # fmt: skip
    of_reads = scores.get(reads["explanation_id"], {}) if reads else {}
    of_does = scores.get(does["explanation_id"], {}) if does else {}
    detection, output_side = _said(of_reads, "detection"), _said(of_does, "output-side")
    output_side = output_side or _said(of_reads, "output-side")
    bar, of = None, None
    if detection and reads:
        series = Series(facts["hookpoint_id"], detection.scorer_id, reads["explainer_id"])
        bar, of = _bar(series, pooled)
    hits, n = None, None
    if output_side and output_side.value is not None:
        hits, n = round(output_side.value * output_side.n), output_side.n
    value = detection.value if detection else None
    return MemberRow(
        hookpoint_id=facts["hookpoint_id"],
        hookpoint=facts["hookpoint"],
        feature=facts["feature"],
        label=facts["label"],
        reads=reads["text"] if reads else None,
        explainer=reads["explainer"] if reads else None,
        does=does["text"] if does else None,
        why=None if reads else _why(facts, error),
        promoted=_tokens(facts["promoted"], strings),
        suppressed=_tokens(facts["suppressed"], strings),
        top_tokens=_tokens(facts["top_tokens"], strings),
        n_active=facts["n_active"],
        detection=detection,
        fuzzing=_said(of_reads, "fuzzing"),
        output_side=output_side,
        null_95=bar,
        null_of=of,
        on_input=on_input(value, bar),
        on_output=on_output(hits, n),
        role=role(value, bar, hits, n),
    )


def _said(scores: dict[str, Row], scorer: str) -> Said | None:
    found = scores.get(scorer)
    if found is None:
        return None
    return Said(found["value"], found["low"], found["high"], found["n_judged"],
                found["n_failed"], found["judge"], found["scorer_id"])  # fmt: skip


def _bar(series: Series, pooled: Nulls) -> tuple[float | None, str | None]:
    """What detection has to beat, by the hookpoint's own null where that is large enough.

    A circuit may have two features at a hookpoint, which cannot make a null. Then the null scores
    of all its hookpoints stand for it: same scorer, judge, preset and explainer, other places.
    """
    own = pooled.get(series, {}).get("shuffled", np.empty(0))
    if len(own) >= FEWEST_NULLS:
        return null_bar(own.tolist()), "hookpoint"
    alike = [
        kinds["shuffled"]
        for other, kinds in pooled.items()
        if other[1:] == series[1:] and "shuffled" in kinds
    ]
    together = np.concatenate([np.empty(0), *alike]).tolist()
    bar = null_bar(together)
    return bar, None if bar is None else "collection"


def _tokens(entries: Sequence[Row] | None, strings: Sequence[str]) -> tuple[str, ...]:
    return tuple(strings[int(one["token"])] for one in entries or () if one["token"] < len(strings))


def _why(facts: Row, error: str | None) -> str:
    """Why a member has no explanation."""
    if facts["n_active"] == 0:
        return "dead: it never fired"
    if error:
        return error
    few = facts["reason"] in ("rare", "scarce")
    return "too few contexts" if few else "not explained yet"

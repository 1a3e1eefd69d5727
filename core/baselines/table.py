"""The table of baselines: for each hookpoint a row for the SAE and one for each thing beside it.

In: a cache, and what was compared (a `Question`, from a command or a run). Out: rows with scores,
their intervals, how much is missing and why. Everything is read from the catalogue; no model, no
files. Features of another cache are other features, so their difference from the SAE's is unpaired;
explanations that are not meant are judged on the SAE's own features, so theirs is paired.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from core.baselines.kinds import ASKED, NULLS, OWN, family, kinds_of
from core.baselines.summary import (
    Summary,
    by_feature,
    difference,
    paired_difference,
    summarise,
)
from core.comparing.figures import Figure
from core.pipeline.selection import features as select_features
from data import baselines, caches
from data.baselines import By, Made, Study
from data.catalogue import Catalogue, Connection
from data.records import CacheRecord, HookpointRecord

Found = Mapping[str, Any]  # a feature's score, as data.baselines gives it


@dataclass(frozen=True, slots=True)
class Question:
    """What was compared, under which explainer and judge."""

    cache: str  # name
    explainer_id: int
    hookpoints: tuple[str, ...]  # full names
    features: str  # of each cache, as in selection.py
    only: tuple[str, ...]  # baselines asked for
    scorers: tuple[str, ...]
    judge: str
    preset: str
    seed: int
    steps: int
    explainer: str = "grammar"
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """One scorer's figures in one row."""

    summary: Summary
    n_judged: int  # usable verdicts
    n_failed: int  # verdicts without a usable reply
    without: Mapping[str, int]  # chosen features without a score, by reason
    difference: Figure | None  # the SAE's mean minus this; None in the SAE's own row
    is_paired: bool
    values: np.ndarray  # float64 [scores]

    @property
    def failed_share(self) -> float | None:
        """Verdicts without a usable reply among all; None where none was asked for."""
        asked = self.n_judged + self.n_failed
        return self.n_failed / asked if asked else None


class Entropy(NamedTuple):
    """Of the token ids that chosen features fire on: what told trained subjects from re-drawn ones.

    The one statistic of arXiv 2501.17727 that does; `gloss filters` measures it.
    """

    median: float  # nats
    n: int  # features with firings enough


@dataclass(frozen=True, slots=True)
class Row:
    """The SAE or one baseline at one hookpoint."""

    name: str  # kind, as in kinds.py
    hookpoint: str  # of the cache that everything is about
    cache: str | None  # that the scores are of; None = not made
    at: str | None  # its hookpoint
    state: str  # "there", "in the making", "missing"
    chosen: int  # features looked at
    alive: tuple[int, int] | None  # features that fire, of all
    density: float | None  # median share of tokens that a chosen feature fires at, 0..1
    how: Mapping[str, Any]
    scores: Mapping[str, Scored] = field(default_factory=dict)
    entropy: Entropy | None = None  # None = the filters have not measured its cache


class Table(NamedTuple):
    """All rows, hookpoint after hookpoint."""

    question: Question
    scorers: tuple[str, ...]  # exact among them where rules were checked
    rows: tuple[Row, ...]

    def at(self, hookpoint: str) -> list[Row]:
        """The rows of one hookpoint."""
        return [row for row in self.rows if row.hookpoint == hookpoint]

    @property
    def missing(self) -> list[Row]:
        """Rows without any score."""
        return [row for row in self.rows
                if not any(one.summary.n for one in row.scores.values())]  # fmt: skip


def question_of(cache: str, study: Study) -> Question:
    """What a run compared, from the settings that it was stored with."""
    said = study.settings
    return Question(
        cache, study.explainer_id, tuple(said["hookpoints"]), said["features"],
        tuple(said["only"]), tuple(said["scorers"]), said["judge"], said["preset"],
        said["seed"], said["steps"], said["explainer"], said["model"],
    )  # fmt: skip


def table(catalogue: Catalogue, question: Question) -> Table:
    """Read the table."""
    record = caches.cache(catalogue, question.cache)
    every = {one.name: one for one in caches.caches(catalogue)}
    scorers = question.scorers
    if question.explainer == "grammar" and "exact" not in scorers:
        scorers = (*scorers, "exact")
    rows: list[Row] = []
    with catalogue.reading() as con:
        known = baselines.made_for(con, record.name)
        for name in question.hookpoints:
            reader = _Reader(con, question, scorers)
            own = reader.own(record, caches.hookpoint(record, name))
            rows.append(own)
            for kind in _kinds(question, known, name):
                rows.append(reader.baseline(kind, _serving(known, kind, name), every, own))
            rows += reader.nulls(caches.hookpoint(record, name), own)
    return Table(question, scorers, tuple(rows))


def _kinds(question: Question, known: Sequence[Made], hookpoint: str) -> list[str]:
    """Kinds that were asked for or are there, in the order of the table."""
    asked = [
        kind.name for kind in kinds_of(question.only, steps=question.steps, seed=question.seed)
    ]
    there = [made.kind for made in known if made.hookpoint_beside(hookpoint)]
    place = {name: number for number, name in enumerate(ASKED)}
    names = dict.fromkeys([*asked, *there])
    return sorted(names, key=lambda name: place.get(_asked(name), len(place)))


def _asked(name: str) -> str:
    base = family(name)
    return next((one for one in ASKED if base in (one, f"{one}-random-sae")), base)


def _serving(known: Sequence[Made], kind: str, hookpoint: str) -> Made | None:
    """The cache of a kind beside a hookpoint: a finished one, the newest."""
    found = [made for made in known if made.kind == kind and made.hookpoint_beside(hookpoint)]
    return max(found, key=lambda made: (made.status == "done", made.cache_id), default=None)


class _Reader:
    """Reads rows through one open connection; the SAE's values are kept for the differences."""

    def __init__(self, con: Connection, question: Question, scorers: Sequence[str]) -> None:
        self.con, self.question, self.scorers = con, question, scorers
        self._own: Mapping[str, Sequence[Found]] = {}

    def own(self, record: CacheRecord, hookpoint: HookpointRecord) -> Row:
        """The SAE's row."""
        row, self._own = self._row(OWN, hookpoint.name, record, hookpoint, {})
        return row

    def baseline(
        self, kind: str, made: Made | None, every: Mapping[str, CacheRecord], own: Row
    ) -> Row:
        """The row of another cache."""
        if made is None or made.status != "done":
            state = "missing" if made is None else "in the making"
            return Row(kind, own.hookpoint, made and made.name, None, state, 0, None, None,
                       made.how if made else {})  # fmt: skip
        record = every[made.name]
        hookpoint = caches.hookpoint(record, made.hookpoint_beside(own.hookpoint))
        row, _ = self._row(kind, own.hookpoint, record, hookpoint, made.how)
        beside = {
            scorer: replace(one, difference=difference(own.scores[scorer].values, one.values))
            for scorer, one in row.scores.items()
        }
        return replace(row, scores=beside)

    def _row(
        self, kind: str, beside: str, record: CacheRecord, hookpoint: HookpointRecord,
        how: Mapping[str, Any],
    ) -> tuple[Row, Mapping[str, Sequence[Found]]]:  # fmt: skip
        chosen = self._chosen(record, hookpoint)
        every = {s: baselines.scored(self.con, {hookpoint.hookpoint_id: chosen}, self._by(s))
                 for s in self.scorers}  # fmt: skip
        known = [one["density"] for one in every[self.scorers[0]] if one["density"] is not None]
        density = float(np.median(known)) if known else None
        alive = (hookpoint.n_alive, hookpoint.n_features) if hookpoint.is_size_known else None
        scores = {scorer: _scored(found) for scorer, found in every.items()}
        row = Row(kind, beside, record.name, hookpoint.name, "there", len(chosen), alive, density,
                  how, scores, _entropy(every[self.scorers[0]]))  # fmt: skip
        return row, every

    def nulls(self, hookpoint: HookpointRecord, own: Row) -> list[Row]:
        """Rows of explanations that are not meant."""
        rows = []
        for kind in NULLS:
            every = {s: baselines.null_scores(self.con, hookpoint.hookpoint_id, kind, self._by(s))
                     for s in self.scorers}  # fmt: skip
            is_there = any(every.values())
            if is_there or kind in self.question.only:
                scores = {s: self._null(s, found) for s, found in every.items() if found}
                state = "there" if is_there else "missing"
                rows.append(Row(kind, own.hookpoint, own.cache, own.at, state, own.chosen,
                                None, None, {}, scores))  # fmt: skip
        return rows

    def _null(self, scorer: str, found: Sequence[Found]) -> Scored:
        """Null scores of the chosen features, and how far the SAE's own lie above them."""
        mine = self._own[scorer]
        chosen = {one["feature"] for one in mine}
        found = [one for one in found if one["feature"] in chosen]
        values, feature = _values(found), _features(found)
        reason = {one["feature"]: one["reason"] for one in mine}
        without: dict[str, int] = {}
        for one in {one["feature"] for one in found} - {*feature.tolist()}:
            why = _undefined(reason[one])
            without[why] = without.get(why, 0) + 1
        gain = _gain(_features(mine), _values(mine), feature, values)
        return Scored(
            summarise(values, feature), 0, sum(one["n_failed"] for one in found),
            without, paired_difference(gain), True, values,
        )  # fmt: skip

    def _chosen(self, record: CacheRecord, hookpoint: HookpointRecord) -> list[int]:
        """The features of a cache that are looked at."""
        rows = self.con.rows(LIVE, [hookpoint.hookpoint_id])
        live = np.array([row["feature"] for row in rows], np.int64)
        return select_features(self.question.features, live, hookpoint.n_features,
                               seed=record.seed, name=hookpoint.name).tolist()  # fmt: skip

    def _by(self, scorer: str) -> By:
        asked = self.question
        return By(asked.explainer_id, asked.seed, scorer, asked.judge, asked.preset)


LIVE = "select feature from feature where hookpoint_id = ? and n_active > 0 order by feature"


def _entropy(found: Sequence[Found]) -> Entropy | None:
    known = [one["token_entropy"] for one in found if one["token_entropy"] is not None]
    return Entropy(float(np.median(known)), len(known)) if known else None


def _gain(
    feature: np.ndarray, value: np.ndarray, others: np.ndarray, null: np.ndarray
) -> np.ndarray:
    """Of every feature with both: its score minus the mean of its null scores."""
    if not len(null):
        return np.zeros(0)
    known, means = by_feature(null, others)
    both, mine, theirs = np.intersect1d(feature, known, assume_unique=True, return_indices=True)
    return value[mine] - means[theirs] if len(both) else np.zeros(0)


def _scored(found: Sequence[Found]) -> Scored:
    """One scorer's figures over the chosen features."""
    values = _values(found)
    without: dict[str, int] = {}
    for one in found:
        if one["value"] is None:
            why = _why(one)
            without[why] = without.get(why, 0) + 1
    n_judged, n_failed = (sum(one[name] for one in found) for name in ("n_judged", "n_failed"))
    return Scored(summarise(values), n_judged, n_failed, without, None, False, values)


def _values(found: Sequence[Found]) -> np.ndarray:
    """Scores that are defined, float64."""
    return np.array([one["value"] for one in found if one["value"] is not None], np.float64)


def _features(found: Sequence[Found]) -> np.ndarray:
    """The features that those are of, int64."""
    return np.array([one["feature"] for one in found if one["value"] is not None], np.int64)


def _undefined(reason: str | None) -> str:
    """What a score without a value is called, by what the feature has too little of."""
    return "undefined" if reason in (None, "reduced") else "too few contexts"


def _why(one: Found) -> str:
    """Why a feature has no score."""
    if one["is_scored"]:
        return _undefined(one["reason"])
    if not one["tries"]:
        return "not explained yet"
    if not one["explanation_id"]:
        return "explanation failed"
    why = _undefined(one["reason"])
    return "not scored yet" if why == "undefined" else why

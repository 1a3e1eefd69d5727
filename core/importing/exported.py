"""The rows of an imported export: contexts with their intervals, explanations, scores, features.

Contexts of such exports are grouped by intervals of equal width; these are kept beside them, and no
decile is made of them. Deciles come with the verdicts that Gloss itself had exported.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from core.examples.draw import ACTIVATING, KINDS
from core.grammar import parse
from core.importing.collecting import Collected, Hookpoint
from core.importing.contexts import Placed
from core.importing.deciles import Scale
from core.importing.gather import RANDOM, WRONG_MARK, Questions
from core.importing.judging import UNKNOWN_JUDGE, UNKNOWN_USAGE, Judging, judgement
from core.importing.measuring import bare_judgement
from core.importing.stated import firings, stated
from data import items, judgements, ledger
from data.cachefacts import HookpointTables
from data.cachefiles import CacheFiles
from data.catalogue import Catalogue
from data.errors import BadInput
from data.imports.delphi_run import Address
from data.imports.foreign import clean
from data.imports.neuronpedia_rows import ExplanationRow
from data.imports.neuronpedia_scores import ScoreRow
from data.imports.report import Report
from data.judgements import Judgement
from data.ledger import NewExplanation
from data.records import HookpointRecord

CHUNK = 2048  # explanations or scores in one transaction
SCALE = Scale(first=1, n=10)  # of distances there: 1 strongest .. 10 weakest
NEAR = 0.005  # between a stated score and that of its verdicts, both of which are rounded
FOREIGN = "neuronpedia"  # preset of scores that another tool computed
IMPORTED = " (imported)"  # how the preset of an imported score ends


@dataclass(frozen=True, slots=True)
class Writing:
    """What all writes of an import share."""

    catalogue: Catalogue
    origin: str
    title: str
    sha256: str
    collected: Collected
    placed: Placed
    run_id: int
    report: Report


def write_rows(writing: Writing, hookpoint: HookpointRecord, here: Hookpoint) -> None:
    """Write contexts, explanations and scores of one hookpoint."""
    _write_examples(writing, hookpoint, here)
    ids = _write_explanations(writing, hookpoint, here)
    judged = _Judged(writing)
    for row, asked in here.scores:
        if row.explanation_id in ids:
            judged.add(ids[row.explanation_id], row, asked)
    made = list(judged.made.values())
    for low in range(0, len(made), CHUNK):
        judgements.write_judgements(writing.catalogue, hookpoint.hookpoint_id, writing.run_id,
                                    made[low : low + CHUNK], features_done=0)  # fmt: skip


def _write_examples(writing: Writing, hookpoint: HookpointRecord, here: Hookpoint) -> None:
    """Every context; those that were judged are so by the first question about them."""
    collected, placed = writing.collected, writing.placed
    n = len(collected.contexts.peak)
    kind = np.where(collected.is_active, ACTIVATING, RANDOM)
    decile = np.zeros(n, np.uint8)
    for _, asked in here.scores:
        if asked is not None:
            kind[asked.context] = np.where(asked.kind == WRONG_MARK, ACTIVATING, asked.kind)
            found = np.where(asked.kind == ACTIVATING, SCALE.deciles(asked.distance), 0)
            decile[asked.context] = np.maximum(decile[asked.context], found)
    owned, none = collected.owned(hookpoint.name), np.empty(0, np.int64)
    number = np.concatenate([none, *(np.arange(low, high) for _, low, high in owned)])
    feature = np.concatenate([none, *(np.full(high - low, one) for one, low, high in owned)])
    given = pa.table(
        {
            "feature": pa.array(feature.astype(np.uint32)),
            "place": pa.array(number),
            "kind": pa.array([KINDS[k] for k in kind[number].tolist()], pa.string()),
            "split": pa.array(["test"] * len(number), pa.string()),
            "decile": pa.array(decile[number], mask=decile[number] == 0),
            "first_token": pa.array(placed.first_token[number]),
            "length": pa.array(placed.length[number]),
            "peak": pa.array(placed.peak[number]),
        }
    )
    with writing.catalogue.writing() as con:
        items.add_examples(con, hookpoint.hookpoint_id, given)
        con.append("example_interval", _intervals(writing, hookpoint, number, feature))


def _intervals(
    writing: Writing, hookpoint: HookpointRecord, number: np.ndarray, feature: np.ndarray
) -> pa.Table:
    found = writing.collected.interval[number]
    known = ~np.isnan(found[:, 0])
    found, share = found[known], found[known][:, 2]
    return pa.table(
        {
            "hookpoint_id": pa.array(np.full(len(found), hookpoint.hookpoint_id, np.uint32)),
            "feature": pa.array(feature[known].astype(np.uint32)),
            "first_token": pa.array(writing.placed.first_token[number][known]),
            "low": pa.array(found[:, 0]),
            "high": pa.array(found[:, 1]),
            "share": pa.array(share, mask=np.isnan(share)),
        }
    )


def _write_explanations(
    writing: Writing, hookpoint: HookpointRecord, here: Hookpoint
) -> dict[str | None, int]:
    """Write every explanation, by method; gives our ids by the export's."""
    by_method: dict[tuple[str | None, str | None], list[ExplanationRow]] = {}
    for row in here.explanations:
        by_method.setdefault((_method(row), row.model), []).append(row)
    ids: dict[str | None, int] = {}
    for (method, model), rows in by_method.items():
        explainer_id = _explainer_id(writing, method, model)
        seen: dict[int, int] = {}
        for low in range(0, len(rows), CHUNK):
            chunk = rows[low : low + CHUNK]
            fresh = [_explanation(row, seen) for row in chunk]
            made = ledger.write_explanations(writing.catalogue, hookpoint.hookpoint_id,
                                             explainer_id, None, writing.run_id, fresh)  # fmt: skip
            ids |= {row.explanation_id: n for row, n in zip(chunk, made, strict=True)}
    return ids


def _explanation(row: ExplanationRow, seen: dict[int, int]) -> NewExplanation:
    """One explanation; prompt, reply and cost are not in the format. seen: answers so far."""
    attempt = seen.get(row.feature, 0)
    seen[row.feature] = attempt + 1
    seed = row.notes.get("seed")
    return NewExplanation(
        feature=row.feature,
        text=row.text,
        rule=_rule(row),
        status="done",
        error=None,
        seconds=None,
        seed=seed if type(seed) is int and abs(seed) < 2**62 else 0,
        example_tokens=(),
        exact=None,
        attempt=attempt,
        detail={"id": row.explanation_id, "author": row.author},
        usage=UNKNOWN_USAGE,
    )


def _rule(row: ExplanationRow) -> str | None:
    """The rule that we noted; None without, or where it cannot be read."""
    noted = row.notes.get("rule")
    if not isinstance(noted, str):
        return None
    try:
        return str(parse(noted))
    except BadInput:
        return None


def _method(row: ExplanationRow) -> str | None:
    """What made an explanation: as we noted it, else as the export calls it."""
    ours = row.notes.get("explainer")
    return clean(ours) if isinstance(ours, str) else row.method


def _explainer_id(writing: Writing, method: str | None, model: str | None) -> int:
    settings = {
        "origin": writing.origin,
        "run": writing.title,
        "explainer": method or "unknown method",
        "model": model,
        "examples": "unknown",
        "sampling": f"as in {writing.title}",
        "content": writing.sha256,
    }
    return ledger.method_id(writing.catalogue, "explainer", writing.origin, model, settings)


class _Judged:
    """Scores as ours, one an explanation, scorer, judge and preset.

    Explanations of a feature that were asked about other contexts get a preset of their own: ours
    share their items.
    """

    def __init__(self, writing: Writing) -> None:
        self.made: dict[tuple[int, int], Judgement] = {}  # by explanation and scorer
        self._writing = writing
        self._scorers: dict[tuple[str, str, str], int] = {}
        self._asked: dict[tuple[int, str, str], list[bytes]] = {}  # by feature, scorer, preset

    def add(self, explanation_id: int, row: ScoreRow, asked: Questions | None) -> None:
        """Take in a score, with its verdicts or as it stands where it has none."""
        judge = row.judge or UNKNOWN_JUDGE
        preset = self._preset(row, asked)
        scorer_id = self._scorer_id(row.scorer, judge, preset)
        if (explanation_id, scorer_id) in self.made:
            self._writing.report.add("scores_repeat", 1, f"feature {row.feature}")
            return
        if asked is None:
            score = stated(row, judge, preset)
            address = Address("", row.feature)
            made = bare_judgement(address, explanation_id, scorer_id, score)
        else:
            made = self._from_verdicts(explanation_id, scorer_id, row, asked, preset)
        self.made[explanation_id, scorer_id] = made

    def _from_verdicts(
        self, explanation_id: int, scorer_id: int, row: ScoreRow, asked: Questions, preset: str
    ) -> Judgement:
        writing = self._writing
        flags = () if row.gloss else ("failures_unknown",)
        judging = Judging(writing.collected.contexts, writing.placed, SCALE,
                          row.judge or UNKNOWN_JUDGE, None, flags, preset,
                          is_ours=bool(row.gloss))  # fmt: skip
        made = judgement(judging, asked, explanation_id, scorer_id, has_text=True)
        value = made.score.value
        disagrees = row.value is not None and (value is None or abs(value - row.value) > NEAR)
        writing.report.add("score_disagrees", disagrees, str(asked.address))
        return made

    def _preset(self, row: ScoreRow, asked: Questions | None) -> str:
        stated = row.gloss.get("preset")
        preset = clean(stated) if isinstance(stated, str) else FOREIGN
        preset = preset.removesuffix(IMPORTED)  # of an export that had been imported before
        if asked is not None:
            what = asked.context.tobytes() + asked.kind.tobytes() + asked.distance.tobytes()
            known = self._asked.setdefault((row.feature, row.scorer, preset), [])
            if what not in known:
                known.append(what)
            number = known.index(what) + 1
            preset += f" {number}" * (number > 1)
        return preset + IMPORTED

    def _scorer_id(self, scorer: str, judge: str, preset: str) -> int:
        who = scorer, judge, preset
        if who not in self._scorers:
            settings = {"preset": preset, "origin": self._writing.origin, "slices": SCALE.n}
            self._scorers[who] = ledger.method_id(self._writing.catalogue, "scorer", scorer, judge,
                                                  settings)  # fmt: skip
        return self._scorers[who]


def feature_tables(
    writing: Writing, files: CacheFiles, hookpoint: HookpointRecord, here: Hookpoint
) -> HookpointTables:
    """What the export says of every feature; what it does not say is null."""
    collected = writing.collected
    features = collected.features(here)
    owned = {feature: (low, high) for feature, low, high in collected.owned(here.name)}
    largest = {f: float(writing.placed.peak[low:high].max()) for f, (low, high) in owned.items()}
    is_dead = [here.density.get(f) == 0 and f not in owned for f in features]
    counted = {row.feature: firings(row) for row, _ in here.scores}
    feature = pa.table(
        {
            "hookpoint_id": _constant(hookpoint, len(features)),
            "feature": pa.array(features, pa.uint32()),
            "n_active": pa.array(
                [0 if dead else counted.get(f) for f, dead in zip(features, is_dead, strict=True)],
                pa.uint64(),
            ),
            "density": pa.array([here.density.get(f) for f in features], pa.float32()),
            "max_activation": pa.array(
                [here.max_activation.get(f, largest.get(f)) for f in features], pa.float32()
            ),
            "reason": pa.array(["dead" if dead else None for dead in is_dead], pa.string()),
        }
    )
    chart, neighbour = (
        _about(hookpoint, [getattr(one, name) for one in here.tables])
        for name in ("chart", "neighbour")
    )
    stored = int(files.columns(hookpoint.hookpoint_id).counts().sum())
    return HookpointTables(stored, None, None, feature, chart, neighbour)


def _about(hookpoint: HookpointRecord, tables: Sequence[pa.Table]) -> pa.Table:
    whole = pa.concat_tables(tables)
    return whole.append_column("hookpoint_id", _constant(hookpoint, len(whole)))


def _constant(hookpoint: HookpointRecord, n: int) -> pa.Array:
    return pa.array(np.full(n, hookpoint.hookpoint_id, np.uint32))

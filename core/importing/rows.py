"""A gathered run into the catalogue, through the functions that our own stages write with.

The order: contexts, explanations, verdicts and scores, the report; the cache is called finished
last, so that pages show all of it or nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from core.examples.draw import ACTIVATING, KINDS
from core.importing.gather import WRONG_MARK, Gathered
from core.importing.judging import (
    PRESET,
    UNKNOWN_USAGE,
    Judging,
    judgement,
    settings_of,
    simulation_judgement,
)
from core.importing.measuring import bare_judgement, measured_score, published_score
from data import items, judgements, ledger
from data.catalogue import Catalogue
from data.imports.delphi_rows import ForeignExplanation, read_neighbours
from data.imports.delphi_run import Address, DelphiRun
from data.imports.report import Report
from data.judgements import Judgement
from data.ledger import NewExplanation
from data.records import HookpointRecord

CHUNK = 2048  # features in one transaction
MOST_NEIGHBOURS = 250  # of a feature by one measure
EXPLAINER = "delphi"
Neighbours = dict[tuple[str, str], dict[int, list[tuple[float, int]]]]  # by hookpoint and measure
NOT_THERE = "the run has no explanation of this feature"
SAYS_NONE = "the run says that there is none"
MEASURES = {
    "decoder_similarity": "cosine",
    "encoder_similarity": "encoder cosine",
    "co-occurrence": "co-firing",
}


@dataclass(frozen=True, slots=True)
class Writing:
    """What all writes of an import share."""

    catalogue: Catalogue
    run: DelphiRun
    gathered: Gathered
    judging: Judging
    run_id: int

    @property
    def model(self) -> str | None:
        """The language model that wrote the explanations."""
        return self.run.explainer


def write_rows(writing: Writing, hookpoint: HookpointRecord) -> Iterator[int]:
    """Write everything about one hookpoint; gives the number of features of each transaction."""
    _write_examples(writing, hookpoint)
    explainer_id = _explainer_id(writing)
    questions: dict[int, list[Any]] = {}
    for one in writing.gathered.questions:
        if one.address.hookpoint == hookpoint.name:
            questions.setdefault(one.address.feature, []).append(one)
    features = writing.run.features(hookpoint.name)
    scorer_ids = _scorer_ids(writing)
    for low in range(0, len(features), CHUNK):
        chunk = features[low : low + CHUNK]
        fresh = [_explanation(writing, Address(hookpoint.name, feature)) for feature in chunk]
        ids = ledger.write_explanations(writing.catalogue, hookpoint.hookpoint_id, explainer_id,
                                        None, writing.run_id, fresh)  # fmt: skip
        made = [
            one
            for new, explanation_id in zip(fresh, ids, strict=True)
            for one in _judgements(writing, hookpoint.name, new, explanation_id, scorer_ids,
                                   questions.get(new.feature, []))
        ]  # fmt: skip
        judgements.write_judgements(writing.catalogue, hookpoint.hookpoint_id, writing.run_id,
                                    made, features_done=0)  # fmt: skip
        yield len(chunk)


def _judgements(
    writing: Writing, hookpoint: str, new: NewExplanation, explanation_id: int,
    scorer_ids: Mapping[str, int], questions: list[Any],
) -> Iterator[Judgement]:  # fmt: skip
    has_text = new.text is not None
    for one in questions:
        yield judgement(writing.judging, one, explanation_id, scorer_ids[one.scorer],
                        has_text=has_text)  # fmt: skip
    address = Address(hookpoint, new.feature)
    if address in writing.gathered.simulations:
        yield simulation_judgement(
            writing.judging, address, writing.gathered.simulations[address], explanation_id,
            scorer_ids["simulation"], has_text=has_text,
        )  # fmt: skip
    for scorer, values in writing.run.values.items():
        if address in values:
            score = published_score(writing.judging, scorer, values[address])
            yield bare_judgement(address, explanation_id, scorer_ids[scorer], score)
    for scorer, found in writing.gathered.measured.get(address, {}).items():
        score = measured_score(writing.judging, scorer, found, has_text=has_text)
        yield bare_judgement(address, explanation_id, scorer_ids[scorer], score)


def _explanation(writing: Writing, address: Address) -> NewExplanation:
    """What the run has of one feature's explanation; prompt, reply and cost are unknown."""
    gathered = writing.gathered
    found = gathered.explanations.get(address, ForeignExplanation(None, ""))
    is_there = address in gathered.explanations
    seen = gathered.seen.get(address, np.empty(0, np.int64))
    first = writing.judging.placed.first_token[seen]
    return NewExplanation(
        feature=address.feature,
        text=found.text,
        rule=None,
        status="done" if found.text is not None else "failed" if is_there else "skipped",
        error=None if found.text is not None else SAYS_NONE if is_there else NOT_THERE,
        seconds=None,
        seed=_seed(writing.run),
        example_tokens=tuple(first.tolist()),
        exact=None,
        reply=found.raw if is_there and found.text is None else None,
        usage=UNKNOWN_USAGE,
    )


def _seed(run: DelphiRun) -> int:
    seed = run.config.get("seed")
    return seed if type(seed) is int and abs(seed) < 2**62 else 0


def _explainer_id(writing: Writing) -> int:
    run, known = writing.run, settings_of(writing.run)
    shown = max(map(len, writing.gathered.seen.values()), default=None)
    style = run.config.get("explainer")
    settings = {
        "origin": "hub" if run.texts and not run.config else "delphi",
        "run": run.name,
        "explainer": f"delphi, {style}" if isinstance(style, str) else "delphi",
        "model": writing.model,
        "examples": known["n_examples_train"] or shown or "unknown",
        "sampling": known["train_type"] or f"as in {run.name}",
        "content": run.sha256,
    }
    return ledger.method_id(writing.catalogue, "explainer", EXPLAINER, writing.model, settings)


def _scorer_ids(writing: Writing) -> dict[str, int]:
    """Runs with the same protocol and judge share their scorers."""
    judging = writing.judging
    settings = settings_of(writing.run) | {
        "preset": PRESET,
        "origin": "delphi",
        "slices": judging.scale.n,
        "fuzz_type": writing.run.config.get("fuzz_type"),
    }
    asked = {one.scorer for one in writing.gathered.questions}
    return {
        name: ledger.method_id(writing.catalogue, "scorer", name, judging.judge, settings)
        for name in sorted(asked | {*writing.run.scores, *writing.run.values})
    }


def _write_examples(writing: Writing, hookpoint: HookpointRecord) -> None:
    """Every context of a hookpoint's features, in the order in which they were read."""
    gathered, placed = writing.gathered, writing.judging.placed
    n = len(gathered.contexts.peak)
    kind, decile = np.full(n, -1, np.int64), np.zeros(n, np.uint8)
    is_train = np.zeros(n, bool)
    for seen in gathered.seen.values():
        kind[seen], is_train[seen] = ACTIVATING, True
    for one in gathered.questions:
        kind[one.context] = np.where(one.kind == WRONG_MARK, ACTIVATING, one.kind)
        decile[one.context] = np.maximum(decile[one.context], writing.judging.deciles(one))
        is_train[one.context] = False
    owned, none = gathered.owned(hookpoint.name), np.empty(0, np.int64)
    number = np.concatenate([none, *(np.arange(low, high) for _, low, high in owned)])
    feature = np.concatenate([none, *(np.full(high - low, one) for one, low, high in owned)])
    known = kind[number] >= 0
    number, feature = number[known], feature[known]
    given = pa.table(
        {
            "feature": pa.array(feature.astype(np.uint32)),
            "place": pa.array(number),
            "kind": pa.array([KINDS[k] for k in kind[number].tolist()], pa.string()),
            "split": pa.array(["train" if t else "test" for t in is_train[number]], pa.string()),
            "decile": pa.array(decile[number], mask=decile[number] == 0),
            "first_token": pa.array(placed.first_token[number]),
            "length": pa.array(placed.length[number]),
            "peak": pa.array(placed.peak[number]),
        }
    )
    with writing.catalogue.writing() as con:
        items.add_examples(con, hookpoint.hookpoint_id, given)


def read_all_neighbours(run: DelphiRun, report: Report) -> Neighbours:
    """Every file of nearest features."""
    return {key: read_neighbours(path, report) for key, path in run.neighbours.items()}


def neighbour_rows(found: Neighbours, hookpoint: HookpointRecord, report: Report) -> pa.Table:
    """Nearest features as the run has them, columns as in schema.sql; those beyond are counted."""
    for (name, _), by_feature in found.items():
        beyond = {
            feature
            for feature, pairs in by_feature.items()
            if name == hookpoint.name
            and max(feature, *(other for _, other in pairs), 0) >= hookpoint.n_features
        }
        report.add("neighbours_damaged", len(beyond), f"{name}/{min(beyond, default=0)}")
    rows = [
        (feature, MEASURES[measure], rank, other, value)
        for (name, measure), by_feature in found.items()
        if name == hookpoint.name
        for feature, pairs in sorted(by_feature.items())
        for rank, (value, other) in enumerate(_others(feature, pairs), start=1)
        if max(feature, other) < hookpoint.n_features
    ]
    kinds = {"feature": pa.uint32(), "measure": pa.string(), "rank": pa.uint16(),
             "other": pa.uint32(), "value": pa.float32()}  # fmt: skip
    ids = pa.array([hookpoint.hookpoint_id] * len(rows), pa.uint32())
    columns = {
        name: pa.array([row[i] for row in rows], kind)
        for i, (name, kind) in enumerate(kinds.items())
    }
    return pa.table({"hookpoint_id": ids} | columns)


def _others(feature: int, pairs: list[tuple[float, int]]) -> list[tuple[float, int]]:
    return [(value, other) for value, other in pairs if other != feature][:MOST_NEIGHBOURS]

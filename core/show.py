"""`gloss show`: what is known of a cache or a feature, for people and for scripts.

The JSON is a contract: people script against it (README, "For scripts").
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from core import fit
from core.examples import FeatureExamples
from core.examples.activating import N_DECILES
from core.examples.contexts import SPLITS, spread
from core.examples.draw import KINDS
from core.filters import words as filter_words
from core.importing.reading import StoredReader
from core.nulls.figures import percentile
from core.pipeline.workbench import Workbench
from core.show_lines import paragraphs
from data import caches, flags, items, nulls, results
from data.baselines import subject_words
from data.catalogue import Catalogue, Row
from data.nulls import Series
from data.records import CacheRecord, ExplanationRecord, HookpointRecord, Score, Tally

# Whether judges were right: by kind of context and first token, then explanation and scorer.
Judged = dict[tuple[str, int], dict[int, dict[str, Any]]]
Nulls = Mapping[Series, Mapping[str, np.ndarray]]

PAGE = 512  # features read at once
FEATURES = f"""
select f.feature, f.n_active, f.density, f.max_activation, f.reason, {flags.COLUMNS}
from feature f
{flags.joins("$1", " and feature between $2 and $3")}
where f.hookpoint_id = $1 and f.feature between $2 and $3
order by f.feature
"""


def cache_lines(
    catalogue: Catalogue, name: str, hookpoints: Sequence[str] | None, *, as_json: bool
) -> Iterator[str]:
    """One line a feature of a cache, all hookpoints unless some are named.

    For people only explained features have a line, and the others a count.
    """
    record = caches.cache(catalogue, name)
    chosen = [caches.hookpoint(record, h) for h in hookpoints or ()] or record.hookpoints
    if record.baseline_of and not as_json:
        subject = subject_words(record.subject)
        yield f"{record.baseline}, a baseline of {record.baseline_of}; subject {subject}"
    for hookpoint in chosen:
        with catalogue.reading() as con:
            null = nulls.every_distribution(con, hookpoint.hookpoint_id)
            counted = flags.counts_of(con, hookpoint.hookpoint_id, hookpoint.name)
        silent = 0
        words = fit.in_words(fit.as_object(hookpoint))
        if words and not as_json:
            yield f"{hookpoint.name}  {words}"
        if not as_json:
            yield from (f"{hookpoint.name}  {line}" for line in filter_words.lines(counted, name))
        for first in range(0, hookpoint.n_features, PAGE):
            for found in _features(catalogue, record, hookpoint, first, null):
                if as_json:
                    yield json.dumps(found, ensure_ascii=False)
                elif found["explanations"]:
                    yield _sentence(found)
                else:
                    silent += 1
        if silent:
            yield f"{hookpoint.name}  {silent:,} features are not explained yet"
        if not hookpoint.is_size_known and not as_json:
            yield f"{hookpoint.name}  {hookpoint.extent}"


def _features(
    catalogue: Catalogue, record: CacheRecord, hookpoint: HookpointRecord, first: int, null: Nulls
) -> Iterator[dict[str, Any]]:
    """A page of a hookpoint's features."""
    last = first + PAGE - 1
    with catalogue.reading() as con:
        rows = con.rows(FEATURES, [hookpoint.hookpoint_id, first, last])
        explanations = results.explanations(con, hookpoint.hookpoint_id, first, last)
    for row in rows:
        yield _feature(record, hookpoint, row, explanations.get(row["feature"], []), null)


def _feature(
    record: CacheRecord,
    hookpoint: HookpointRecord,
    row: Row,
    explanations: Sequence[ExplanationRecord],
    null: Nulls,
) -> dict[str, Any]:
    return {
        "cache": record.name,
        "hookpoint": hookpoint.name,
        "feature": row["feature"],
        "n_active": row["n_active"],
        "frequency": row["density"],
        "max_activation": row["max_activation"],
        "reason": row["reason"],
        "flags": row["flags"],
        "measures": flags.figures(row),
        "fit": fit.as_object(hookpoint),
        "explanations": [explanation(found, null) for found in explanations],
    }


def explanation(found: ExplanationRecord, null: Nulls) -> dict[str, Any]:
    """One explanation as the contract's object E."""

    def shown_score(score: Score) -> dict[str, Any]:
        return _score(score) | {"percentile": _percentiles(found, score, null)}

    exact = next((score for score in found.scores if score.scorer == "exact"), None)
    shown = {
        "id": found.explanation_id,
        "run": found.run_id,
        "explainer": found.explainer,
        "model": found.model,
        "settings": found.settings,
        "text": found.text,
        "rule": found.rule,
        "status": found.status,
        "error": found.error,
        "cost_usd": found.cost_usd,
        "usage": found.usage and asdict(found.usage),
        "scores": {name: shown_score(s) for name, s in results.headline(found.scores).items()},
        "presets": [{"scorer": score.scorer, **shown_score(score)} for score in found.scores],
    }
    if exact is not None:
        shown["exact"] = {span: exact.detail.get(span) for span in ("test", "corpus")}
    return shown


def _percentiles(
    found: ExplanationRecord, score: Score, null: Nulls
) -> dict[str, dict[str, float] | None]:
    """Where a score stands among null scores of the same hookpoint, scorer and explainer."""
    if score.scorer_id is None or found.explainer_id is None:
        return {}
    series = Series(found.hookpoint_id, score.scorer_id, found.explainer_id)
    return {
        kind: place and place._asdict()
        for kind, values in null.get(series, {}).items()
        if (place := percentile(score.value, values)) is not None
    }


def _score(score: Score) -> dict[str, Any]:
    """One score as the contract's object S; `n` holds usable verdicts only."""
    shown: dict[str, Any] = {
        "interval": [score.low, score.high],
        "n": score.n,
        "failed": score.failed,
        "reason": score.detail.get("reason"),
        "flags": score.detail.get("flags", []),
        "skipped": score.detail.get("skipped", {}),
        "removed": score.detail.get("removed", {}),
        "judge": score.judge,
        "preset": score.preset,
        "usage": score.usage and asdict(score.usage),
        "slices": score.detail.get("slices", N_DECILES),
        "by_decile": [
            {"decile": decile, **asdict(score.by_decile.get(decile, Tally(0, 0)))}
            for decile in range(1, 11)
        ],
        "non_activating": {kind: asdict(tally) for kind, tally in score.non_activating.items()},
    }
    if score.metric == "balanced_accuracy":
        return {"balanced_accuracy": score.value, "tpr": score.tpr, "tnr": score.tnr} | shown
    return {"metric": score.metric, "value": score.value} | shown


def _sentence(found: dict[str, Any]) -> str:
    head = f"{found['hookpoint']}/{found['feature']}"
    newest = found["explanations"][-1]
    figures = [
        f"{name} {score['balanced_accuracy']:.2f} "
        f"[{score['interval'][0]:.2f}, {score['interval'][1]:.2f}] n {score['n']}"
        for name, score in newest["scores"].items()
        if score.get("balanced_accuracy") is not None
    ]
    return "  ".join([head, newest["text"] or newest["error"] or "no explanation", *figures])


def feature_lines(catalogue: Catalogue, name: str, address: str, *, as_json: bool) -> Iterator[str]:
    """One feature with its contexts and the verdicts on them."""
    record = caches.cache(catalogue, name)
    hookpoint, feature = caches.feature_address(record, address)
    with catalogue.reading() as con:
        row = con.row(FEATURES, [hookpoint.hookpoint_id, feature, feature])
        explanations = results.explanations(con, hookpoint.hookpoint_id, feature)
        verdicts = results.verdicts(con, hookpoint.hookpoint_id, feature)
        null = nulls.every_distribution(con, hookpoint.hookpoint_id)
        asked = results.asked(con, hookpoint.hookpoint_id, feature)
        stored = items.examples(con, hookpoint.hookpoint_id, feature) if record.origin else []
    if row is None and record.status == "done":
        raise caches.NotFound(f"feature {address} is not in the import of cache '{name}'")
    if row is None:
        raise caches.NotFound(
            f"cache '{name}' is not finished, so nothing is known of {address} yet; "
            f"{record.how_to_finish}"
        )
    found = _feature(record, hookpoint, row, explanations.get(feature, []), null)
    for shown in found["explanations"]:
        shown.update(asked[shown["id"]])
    bench = Workbench.open(catalogue, record)
    shown = results.headline_verdicts(
        verdicts, explanations.get(feature, []), None if stored else bench.contexts.length
    )
    if stored or not record.has_activations:
        reader = StoredReader(bench, hookpoint, feature, stored)
        found["examples"] = list(_stored_examples(reader, bench, shown))
    else:
        found["examples"] = list(_examples(bench, hookpoint, feature, shown))
    if as_json:
        yield json.dumps(found, ensure_ascii=False)
    else:
        yield from paragraphs(found)


def _examples(
    bench: Workbench, hookpoint: HookpointRecord, feature: int, verdicts: Sequence[Row]
) -> Iterator[dict[str, Any]]:
    """The feature's contexts in their drawn order; an id is stable for a cache and a preset."""
    drawn = bench.draw(hookpoint, feature)
    length = bench.contexts.length
    tokens = bench.files.tokens.windows(drawn.first_token, length)
    values = spread(bench.columns(hookpoint).slice(feature), drawn.first_token, length)
    judged = _by_context(verdicts)
    special = np.isin(tokens, bench.files.meta.special_ids)
    for i in range(len(drawn.first_token)):
        pieces = bench.files.vocabulary.pieces(tokens[i])
        shown = ["" if hide else p for p, hide in zip(pieces, special[i], strict=True)]
        yield _example(drawn, i, shown, values[i], bench.contexts.sequence_length, judged)


def _stored_examples(
    reader: StoredReader, bench: Workbench, verdicts: Sequence[Row]
) -> Iterator[dict[str, Any]]:
    """The contexts of an import; one that stands nowhere in the tokens has no sequence."""
    stored, judged = reader.examples, _by_context(verdicts)
    length = bench.files.meta.sequence_length
    for i, first in enumerate(stored.first_token.tolist()):
        window = reader.window(first, reader.length(first))
        within = length if first < len(bench.files.tokens) else None
        shown = _example(stored, i, window.pieces, window.activations, within, judged)
        yield shown | _interval(stored, i)


def _interval(stored: FeatureExamples, i: int) -> dict[str, Any]:
    """The interval of activation that an export put a context in, in place of a decile."""
    if stored.interval is None or np.isnan(stored.interval[i][0]):
        return {}
    low, high, share = (None if np.isnan(x) else float(x) for x in stored.interval[i])
    return {"interval": {"low": low, "high": high, "share": share}}


def _example(
    examples: FeatureExamples,
    i: int,
    tokens: list[str],
    activations: Iterable[float],
    sequence_length: int | None,
    judged: Judged,
) -> dict[str, Any]:
    """One context of a feature; no sequence_length: it stands in no sequence."""
    first, kind = int(examples.first_token[i]), KINDS[examples.kind[i]]
    sequence, start = divmod(first, sequence_length) if sequence_length else (None, None)
    return {
        "id": i,
        "split": SPLITS[examples.split[i]],
        "kind": kind,
        "decile": int(examples.decile[i]) or None,
        "tokens": tokens,
        "activations": [round(float(value), 4) for value in activations],
        "sequence": sequence,
        "start": start,
        "verdicts": judged.get((kind, first), {}),
    }


def _by_context(verdicts: Sequence[Row]) -> Judged:
    """Verdicts by (kind of context, first token), then by explanation and scorer.

    A verdict is whether the judge was right; null where it gave no usable answer. Wrongly marked
    items stand under "fuzzing:wrong-mark" beside the right marking of the same context.
    """
    found: Judged = {}
    for row in verdicts:
        wrong = row["kind"] == "wrong-mark"
        scorer = f"{row['scorer']}:wrong-mark" if wrong else row["scorer"]
        if row["value"] is not None:
            continue  # ranked: neither right nor wrong
        right = None if row["predicted"] is None else row["predicted"] == row["expected"]
        by_explanation = found.setdefault((row["context_kind"], row["first_token"]), {})
        by_explanation.setdefault(row["explanation_id"], {})[scorer] = right
    return found

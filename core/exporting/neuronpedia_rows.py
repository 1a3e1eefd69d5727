"""A feature, its contexts and its explanations as rows of Neuronpedia's layout (formats 3.2).

Contexts: the strongest, then a sample of the test contexts of every decile, then silent ones.
Values are what the cache stores: unfolded, special positions 0.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from core.drawing.reader import Reader
from core.drawing.spans import Passage
from core.exporting.reading import Known
from data.activations import FeatureActivations
from data.catalogue import Row
from data.exports.neuronpedia import figure, figures, row_id, text
from data.exports.queries import Making
from data.records import CacheRecord, ExplanationRecord, HookpointRecord

BINS = 50  # of a histogram
EFFECTS = 10  # tokens either way
NEAREST = 50  # neighbours
TOP, PER_DECILE, SILENT = 20, 5, 5  # contexts of each group
TOP_IMPORTED = 200  # of an import that holds contexts only: all that there are, as a rule
MOST_CONTEXTS = TOP_IMPORTED + 10 * PER_DECILE + SILENT  # of a feature
ABOVE = 1 + 1e-5  # the strongest context lies inside of its group, whose end is not
UNKNOWN_DENSITY = -1.0
TOP_GROUP = -1.0


class Source(NamedTuple):
    """What all rows of one source say."""

    cache: CacheRecord
    hookpoint: HookpointRecord
    model_id: str
    source_id: str
    set_name: str
    user: str  # creatorId
    corpus: str  # dataSource

    def named(self, feature: int) -> dict[str, str]:
        """The keys that say which feature a row is about."""
        return {"modelId": self.model_id, "layer": self.source_id, "index": str(feature)}


class Direction(NamedTuple):
    """A feature's decoder row and what it does to the logits."""

    vector: np.ndarray  # [d]
    hook: str | None  # TransformerLens' name of the place
    logits: np.ndarray | None  # effect on every token, [vocabulary]; None without an unembedding


def feature_row(
    source: Source,
    known: Known,
    fired: FeatureActivations | None,
    strings: Sequence[str],
    direction: Direction | None,
) -> dict[str, Any]:
    """One row of features/; fired: None of an import that has no activations."""
    facts = known.facts
    density = facts.get("density")
    largest = facts.get("max_activation")
    row = source.named(known.feature) | {
        "sourceSetName": source.set_name,
        "creatorId": source.user,
        "maxActApprox": None if largest is None else figure(largest),
        "frac_nonzero": UNKNOWN_DENSITY if density is None else figure(density),
        **_stored(facts, "freq_hist_data_bar", "value"),
        **_stored(facts, "logits_hist_data_bar", "logit"),
        **_histogram("freq_hist_data_bar", fired and fired.activation),
        **_effects(facts, strings),
        **_nearest(known.neighbours),
    }
    return row if direction is None else row | _direction(direction)


def _stored(facts: Row, name: str, kind: str) -> dict[str, list]:
    """The histogram that an import brought along; nothing of a cache of ours."""
    centres, counts = facts.get(f"{kind}_centres") or [], facts.get(f"{kind}_counts") or []
    return {f"{name}_values": figures(centres), f"{name}_heights": figures(counts)}


def _histogram(name: str, values: np.ndarray | None) -> dict[str, list]:
    """Centres and counts of equal bins from the smallest to the largest value."""
    if values is None or not len(values):
        return {}
    low, high = float(values.min()), float(values.max())
    counts, edges = np.histogram(values, BINS if low < high else 1, (low, high))
    centres = figures((edges[:-1] + edges[1:]) / 2)
    if len(set(centres)) < len(centres):  # nearer to each other than six digits tell
        centres, counts = [figure((low + high) / 2)], np.array([len(values)])
    return {f"{name}_values": centres, f"{name}_heights": counts.tolist()}


def _effects(facts: Row, strings: Sequence[str]) -> dict[str, list]:
    promoted = (facts.get("promoted") or [])[:EFFECTS]
    suppressed = (facts.get("suppressed") or [])[:EFFECTS]
    return {
        "neg_str": [text(strings[int(one["token"])]) for one in suppressed],
        "neg_values": figures(one["value"] for one in suppressed),
        "pos_str": [text(strings[int(one["token"])]) for one in promoted],
        "pos_values": figures(one["value"] for one in promoted),
    }


def _nearest(neighbours: Sequence[Row]) -> dict[str, list]:
    near = [row for row in neighbours if row["measure"] == "cosine"][:NEAREST]
    return {
        "topkCosSimIndices": [row["other"] for row in near],
        "topkCosSimValues": figures(row["value"] for row in near),
    }


def _direction(direction: Direction) -> dict[str, Any]:
    return {
        "vector": figures(direction.vector.tolist()),
        "hasVector": True,
        "hookName": direction.hook,
        **_histogram("logits_hist_data_bar", direction.logits),
    }


def activation_rows(
    source: Source, feature: int, reader: Reader, fired: FeatureActivations | None
) -> Iterator[dict[str, Any]]:
    """The rows of activations/ about one feature."""
    for kind, first, group in _groups(source, reader, fired):
        passages = reader.passages(first)
        for place, passage in zip(np.asarray(first).tolist(), passages, strict=True):
            yield {**_context(source, feature, kind, int(place), passage), **group}


Group = tuple[str, np.ndarray, Mapping[str, float | None]]


def _groups(source: Source, reader: Reader, fired: FeatureActivations | None) -> Iterator[Group]:
    """Name, first tokens and bounds of each group."""
    best, drawn = reader.strongest, reader.drawn
    if len(best.peak):
        top = {"binMin": TOP_GROUP, "binMax": figure(best.peak[0]), "binContains": TOP_GROUP}
        n = TOP if source.cache.has_activations else TOP_IMPORTED
        yield "top", best.first_token[:n], top
    slots = drawn.rows("activating", "test")
    for decile in range(10, 0, -1):
        here = slots[drawn.decile[slots] == decile]
        if len(here):
            edges, peaks = drawn.decile_edges, drawn.peak[here]
            low, high = (peaks.min(), peaks.max()) if edges is None else edges[decile - 1 :][:2]
            bounds = float(low), float(high) * (ABOVE if decile == 10 or edges is None else 1)
            here = here[np.argsort(-peaks, kind="stable")][:PER_DECILE]
            yield f"decile {decile}", drawn.first_token[here], _bounds(bounds, source.cache, fired)
    silent = drawn.rows("random", "test")[:SILENT]
    yield "silent", drawn.first_token[silent], {}


def _bounds(
    bounds: tuple[float, float], cache: CacheRecord, fired: FeatureActivations | None
) -> dict[str, float | None]:
    """A decile's range, and the share of all tokens with a value in it."""
    low, high = bounds
    share = None
    if fired is not None and cache.n_unmasked:
        inside = (fired.activation >= low) & (fired.activation < high)
        share = figure(int(inside.sum()) / cache.n_unmasked)
    return {"binMin": figure(low), "binMax": figure(high), "binContains": share}


def _context(
    source: Source, feature: int, kind: str, first: int, passage: Passage
) -> dict[str, Any]:
    values = figures(passage.activations)
    peak = int(np.argmax(values))
    length = source.cache.sequence_length
    inside = length and first < source.cache.n_tokens  # or it stands nowhere in the tokens
    return source.named(feature) | {
        "id": row_id(source.source_id, feature, "activation", kind, first, values),
        "creatorId": source.user,
        "tokens": [text(piece) for piece in passage.pieces],
        "values": values,
        "maxValue": values[peak],
        "minValue": min(values),
        "maxValueTokenIndex": peak,
        "dataSource": source.corpus,
        "dataIndex": f"{first // length}:{first % length}" if inside else None,
        "qualifyingTokenIndex": peak,
    }


def explanation_id(source: Source, found: ExplanationRecord) -> str:
    """The id that an explanation has in every export."""
    return row_id(source.source_id, found.feature, "explanation", found.text, found.explainer,
                  found.model, found.settings, found.created_at)  # fmt: skip


def explanation_row(
    source: Source, found: ExplanationRecord, making: Making | None
) -> dict[str, Any]:
    """One row of explanations/; the true names stand in `notes`, as theirs are foreign keys."""
    prompt = making and making.prompt
    notes = {
        "run": found.run_id,
        "preset": found.settings.get("preset"),
        "explainer": found.explainer,
        "model": found.model,
        "seed": making and making.seed,
        "prompt_sha256": hashlib.sha256(prompt.encode("utf-8", "replace")).hexdigest()
        if prompt
        else None,
        "rule": found.rule,
        "cache": source.cache.name,
    }
    return source.named(found.feature) | {
        "id": explanation_id(source, found),
        "authorId": source.user,
        "description": text(found.text or ""),
        "notes": text(json.dumps(notes, ensure_ascii=False, separators=(",", ":"))),
    }

"""Scores with their verdicts as rows beside Neuronpedia's layout, which has no place for them.

One row an explanation, scorer, judge and preset (formats 3.3). The first seven keys are those of
Neuronpedia's own table of scores; `gloss` holds the rest. A score without a value is left out.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.exporting.neuronpedia_rows import Source, explanation_id
from core.exporting.reading import Known
from core.exporting.windows import Text, Windows
from core.score.statistics import wilson
from data.catalogue import Row
from data.exports.neuronpedia import figure, figures, row_id, text
from data.records import ExplanationRecord, Score, Tally

VERSION = 1  # of what `gloss` holds
THEIRS = {
    "detection": "eleuther_recall", "fuzzing": "eleuther_fuzz", "embedding": "eleuther_embedding",
}  # fmt: skip
SILENT = -1  # distance of a non-activating context
NOT_HELD_OUT = "train_test_overlap"


def score_rows(
    source: Source, known: Known, windows: Windows, *, held_out: bool
) -> Iterator[dict[str, Any]]:
    """The rows about all explanations of one feature."""
    windows.load(known.verdicts)
    about: dict[tuple[int, int], list[Row]] = {}
    texts: dict[int, dict[str, Any]] = {}
    for verdict in known.verdicts:
        key = verdict["explanation_id"], verdict["scorer_id"]
        about.setdefault(key, []).append(verdict)
    for found in known.explanations:
        for score in found.scores:
            if found.text is None or score.value is None or score.scorer_id is None:
                continue
            key = found.explanation_id, score.scorer_id
            details = [_detail(one, score, windows, texts) for one in about.get(key, ())]
            yield _row(source, known, found, score, details, held_out=held_out)


def _row(
    source: Source, known: Known, found: ExplanationRecord, score: Score,
    details: Sequence[dict[str, Any]], *, held_out: bool,
) -> dict[str, Any]:  # fmt: skip
    assert score.value is not None  # one without is left out
    assert score.scorer_id is not None
    explanation = explanation_id(source, found)
    made = score.judged_at
    making = known.makings.get(found.explanation_id)
    ours = source.named(known.feature) | {
        "version": VERSION,
        "scorer": score.scorer,
        "metric": score.metric,
        "rawValue": figure(score.value),
        "ci": [_end(score.low), _end(score.high)],
        "preset": score.preset,
        "judge": score.judge,
        "seed": making and making.seed,
        "createdAt": made.isoformat() if made else None,
        "n": score.n,
        "tpr": _end(score.tpr),
        "tnr": _end(score.tnr),
        "nActive": known.facts.get("n_active"),
        "nPos": sum(tally.n for tally in score.by_decile.values()),
        "nNeg": sum(tally.n for tally in score.non_activating.values()),
        "nFailed": score.failed,
        "heldOut": held_out and NOT_HELD_OUT not in score.detail.get("flags", ()),
        "decileKind": "equal_count",
        "deciles": [_decile(d, score.by_decile[d]) for d in sorted(score.by_decile)],
        "kinds": [{"kind": kind, **_counts(tally)} for kind, tally in score.non_activating.items()],
    }
    name = THEIRS.get(score.scorer, f"gloss_{score.scorer}")
    return {
        "id": row_id(source.source_id, known.feature, "score", explanation, name, score.judge,
                     score.preset),
        "value": figure(min(1.0, max(0.0, score.value))),
        "explanationId": explanation,
        "explanationScoreTypeName": name,
        "explanationScoreModelName": text(score.judge),
        "initiatedByUserId": source.user,
        "jsonDetails": json.dumps(details, ensure_ascii=False, separators=(",", ":"),
                                  allow_nan=False),
        "gloss": ours,
    }  # fmt: skip


def _end(end: float | None) -> float | None:
    return None if end is None else figure(end)


def _counts(tally: Tally) -> dict[str, int]:
    return {"n": tally.n, "correct": tally.correct, "failed": tally.failed}


def _decile(decile: int, tally: Tally) -> Mapping[str, Any]:
    share = wilson(tally.correct, tally.n)
    low, high = (figure(share.low), figure(share.high)) if share else (None, None)
    return {"decile": decile, **_counts(tally), "lo": low, "hi": high}


def _text_of(window: Text) -> dict[str, Any]:
    """What a verdict says of its context, whatever was asked about it."""
    tokens = [text(piece) for piece in window.pieces]
    return {
        "text": text("".join(tokens)),
        "activations": figures(window.activations),
        "str_tokens": tokens,
        "sequence": window.sequence,
        "position": window.position,
    }


def _detail(
    verdict: Row, score: Score, windows: Windows, texts: dict[int, dict[str, Any]]
) -> dict[str, Any]:
    """One question and its answer; a lost reply is null, never false.

    texts: of contexts that were met before; questions of several scorers share them.
    """
    window = windows.of(verdict["first_token"], verdict["length"])
    shared = texts.get(id(window))
    if shared is None:  # windows keeps what it gives, so the id stays its own
        shared = texts[id(window)] = _text_of(window)
    activating = verdict["kind"] == "activating"
    decile = verdict["decile"] if activating else None
    predicted, expected = verdict["predicted"], verdict["expected"]
    shared = shared | {
        "distance": 11 - decile if decile else SILENT,
        "decile": decile,
        "kind": verdict["kind"],
        "call": verdict["reply_id"],
    }
    if verdict["value"] is not None:  # ranked: neither right nor wrong
        return {"similarity": figure(verdict["value"])} | shared
    return shared | {
        "ground_truth": bool(expected),
        "prediction": predicted,
        "highlighted": score.scorer == "fuzzing",
        "correct": None if predicted is None else predicted == expected,
        "probability": _end(verdict["probability"]),
        "conditional_probability": None,
        "marks": verdict["marks"],
    }

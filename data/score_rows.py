"""Scores as rows of the catalogue: of a check, a judge, an encoder."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from data.catalogue import as_json
from data.records import Score

ScoreRow = tuple[int, int, Score]  # explanation_id, scorer_id, the score


def score_rows(run_id: int, scores: Sequence[ScoreRow]) -> pa.Table:
    """Columns as in schema.sql."""
    found = [score for _, _, score in scores]
    usage = [score.usage for score in found]
    return pa.table(
        {
            "explanation_id": pa.array([e for e, _, _ in scores], pa.uint64()),
            "scorer_id": pa.array([s for _, s, _ in scores], pa.uint32()),
            "run_id": pa.array([run_id] * len(scores), pa.uint64()),
            "metric": pa.array([s.metric for s in found], pa.string()),
            "value": pa.array([s.value for s in found], pa.float64()),
            "low": pa.array([s.low for s in found], pa.float64()),
            "high": pa.array([s.high for s in found], pa.float64()),
            "tpr": pa.array([s.tpr for s in found], pa.float64()),
            "tnr": pa.array([s.tnr for s in found], pa.float64()),
            "n_judged": pa.array([s.n for s in found], pa.uint32()),
            "n_failed": pa.array([s.failed for s in found], pa.uint32()),
            "detail": pa.array([as_json(score_detail(s)) for s in found], pa.string()),
            "n_calls": pa.array([u and u.n_calls for u in usage], pa.uint32()),
            "input_tokens": pa.array([u and u.input_tokens for u in usage], pa.uint32()),
            "output_tokens": pa.array([u and u.output_tokens for u in usage], pa.uint32()),
            "cost_usd": pa.array([u.cost_usd if u else 0.0 for u in usage], pa.float64()),
            "created_at": now(len(scores)),
        }
    )


def now(n: int) -> pa.Array:
    """The present time UTC to the microsecond, n times."""
    present = np.datetime64(time.time_ns() // 1000, "us")
    return pa.array(np.full(n, present), pa.timestamp("us"))


def score_detail(score: Score) -> dict[str, Any]:
    """What has no column of its own."""
    return {
        "by_decile": {str(decile): asdict(tally) for decile, tally in score.by_decile.items()},
        "non_activating": {kind: asdict(tally) for kind, tally in score.non_activating.items()},
        "detail": score.detail,
    }

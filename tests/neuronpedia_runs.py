"""Small exports in Neuronpedia's layout and SAEDashboard's, made up for the tests of importing."""

import gzip
import json
from pathlib import Path
from typing import Any

from delphi_runs import put

MODEL, SOURCE = "tiny-model", "2-res-mine"
NAMED = {"modelId": MODEL, "layer": SOURCE}


def feature(index: int, **more: Any) -> dict[str, Any]:
    """A row of features/."""
    return NAMED | {
        "index": str(index), "sourceSetName": "res-mine", "creatorId": "someone",
        "maxActApprox": 4.0, "frac_nonzero": 0.02, "hookName": None, "hasVector": False,
        "vector": [], "freq_hist_data_bar_values": [0.5, 1.5, 2.5],
        "freq_hist_data_bar_heights": [30, 7, 1],
        "logits_hist_data_bar_values": [-0.1, 0.1], "logits_hist_data_bar_heights": [5, 6],
        "pos_str": ["Ġcat", "Ġdog"], "pos_values": [0.9, 0.4],
        "neg_str": ["Ġmat"], "neg_values": [-0.7],
        "topkCosSimIndices": [index + 1, index + 2], "topkCosSimValues": [0.8, 0.3],
    } | more  # fmt: skip


def context(index: int, number: int, tokens: list[str], values: list[float], **more: Any) -> dict:
    """A row of activations/; a context of the group of the strongest unless more is said."""
    top = max(values)
    return NAMED | {
        "id": f"c{index:012d}{number:012d}", "index": str(index), "creatorId": "someone",
        "tokens": tokens, "values": values, "maxValue": top, "minValue": min(values),
        "maxValueTokenIndex": values.index(top), "binMin": -1, "binMax": top, "binContains": -1,
        "dataSource": "made-up", "dataIndex": f"{number}:0",
    } | more  # fmt: skip


def contexts(index: int) -> list[dict]:
    """One strongest, one of an interval, one silent."""
    return [
        context(index, 0, ["Ġthe", "Ġcat", "Ċ"], [0, 4.0, 0.5]),
        context(index, 1, ["Ġa", "Ġcat"], [0, 1.2], binMin=1.0, binMax=2.0, binContains=0.003),
        context(index, 2, ["Ġno", "Ġthing"], [0, 0], binMin=None, binMax=None, binContains=None),
    ]


def explanation(index: int, text: str = "Fires on cat", **more: Any) -> dict[str, Any]:
    """A row of explanations/."""
    return NAMED | {
        "id": f"e{index:024d}", "index": str(index), "authorId": "someone", "description": text,
        "typeName": "np_max-act", "explanationModelName": "scribe", "embedding": "[0.1]",
        "umap_x": None, "notes": None,
    } | more  # fmt: skip


def verdict(tokens: list, values: list, distance: int, prediction: bool | None, kind: str) -> dict:
    """One question with its answer, as rows of scores keep them."""
    return {
        "text": "".join(tokens), "str_tokens": tokens, "activations": values,
        "distance": distance, "ground_truth": distance > 0, "prediction": prediction,
        "highlighted": False, "correct": None, "probability": 0.5, "kind": kind,
    }  # fmt: skip


def gloss_score(**more: Any) -> dict:
    """A row of scores/ as Gloss writes it."""

    rows = [
        verdict(["Ġthe", "Ġcat", "Ċ"], [0, 4.0, 0.5], 1, True, "activating"),
        verdict(["Ġold", "Ġcat"], [0, 0.5], 10, None, "activating"),
        verdict(["Ġno", "Ġthing"], [0, 0], -1, False, "random"),
        verdict(["Ġnear", "Ġby"], [0, 0], -1, True, "neighbour"),
    ]
    return {
        "id": "s1", "value": 1.0, "explanationId": explanation(0)["id"],
        "explanationScoreTypeName": "eleuther_recall", "explanationScoreModelName": "judge",
        "initiatedByUserId": "someone", "jsonDetails": json.dumps(rows),
        "gloss": {"version": 1, "modelId": MODEL, "layer": SOURCE, "index": "0",
                  "scorer": "detection", "metric": "balanced_accuracy", "rawValue": 1.0,
                  "ci": [0.5, 1.0], "preset": "gloss", "judge": "judge"},
    } | more  # fmt: skip


def write_lines(path: Path, rows: list[dict]) -> None:
    """A batch, gzipped where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    path.write_bytes(gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw)


def write_export(
    root: Path,
    *,
    features: list[dict] | None = None,
    activations: list[dict] | None = None,
    explanations: list[dict] | None = None,
    scores: list[dict] | None = None,
) -> Path:
    """An export of one source with two features; gives its root."""
    folder = root / "v1" / MODEL / SOURCE
    write_lines(folder / "model.jsonl", [{"id": MODEL, "displayName": "Tiny", "layers": 4}])
    write_lines(folder / "source.jsonl", [{"id": SOURCE, "modelId": MODEL, "dataset": "made-up"}])
    parts = {
        "features": [feature(0), feature(7)] if features is None else features,
        "activations": contexts(0) + contexts(7) if activations is None else activations,
        "explanations": [explanation(0)] if explanations is None else explanations,
        "scores": scores or [],
    }
    for part, rows in parts.items():
        if rows:
            write_lines(folder / part / "batch-0.jsonl.gz", rows)
    return root


def dashboard_feature(index: int, **more: Any) -> dict[str, Any]:
    """A feature of SAEDashboard's batches."""
    shown = [
        {"bin_min": -1, "bin_max": 4.0, "bin_contains": -1, "tokens": ["▁the", "▁cat"],
         "values": [0.0, 4.0], "qualifying_token_index": 1, "dfa_values": [], "dfa_maxValue": 0,
         "dfa_targetIndex": -1},
        {"bin_min": 1.0, "bin_max": 2.0, "bin_contains": 0.01, "tokens": ["▁a", "▁cat"],
         "values": [0.0, 1.5], "qualifying_token_index": 1},
    ]  # fmt: skip
    return {
        "feature_index": index, "neg_str": ["▁mat"], "neg_values": [-0.5], "pos_str": ["▁cat"],
        "pos_values": [0.7], "frac_nonzero": 0.01, "freq_hist_data_bar_values": [1.0, 3.0],
        "freq_hist_data_bar_heights": [9, 2], "logits_hist_data_bar_values": [],
        "logits_hist_data_bar_heights": [], "n_prompts_total": 100, "n_tokens_in_prompt": 64,
        "dataset": "made-up", "activations": shown, "decoder_weights_dist": [],
        "correlated_neurons_l1": [0.5],
    } | more  # fmt: skip


def write_dashboard(root: Path, *, features: list[dict] | None = None, number: int = 0) -> Path:
    """A folder of SAEDashboard's for one SAE."""
    found = [dashboard_feature(3), dashboard_feature(5)] if features is None else features
    put(root / f"batch-{number}.json",
        {"model_id": MODEL, "layer": 2, "sae_set": "res-mine", "features": found})  # fmt: skip
    put(root / "run_settings.json", {"sae_set": "res-mine"})
    put(root / "skipped_indexes.json", {"model_id": MODEL, "skipped_indexes": [4]})
    return root


def write_contexts(root: Path) -> Path:
    """24 contexts of feature 0, of different peaks, and 12 silent ones; no token stands twice."""
    active = [context(0, n, [f"w{n}", "Ġthe"], [0.0, 1.0 + n]) for n in range(24)]
    silent = [context(0, n, [f"w{n}", "Ġno"], [0.0, 0.0], binMin=None, binMax=None,
                      binContains=None) for n in range(30, 42)]  # fmt: skip
    return write_export(root, features=[feature(0)], activations=active + silent)

"""Small run directories as delphi writes them, made up for the tests of importing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

HOOK = "layers.0"
WORDS = [" the", " cat", " sat", " on", " a", " mat", ".", "\n", " dog", " ran"]
CONFIG = {
    "cache_cfg": {"dataset_repo": "made-up", "cache_ctx_len": 8},
    "constructor_cfg": {"example_ctx_len": 4, "min_examples": 3, "center_examples": True,
                        "non_activating_source": "random"},
    "sampler_cfg": {"n_examples_train": 4, "n_examples_test": 4, "n_quantiles": 10,
                    "train_type": "quantiles"},
    "model": "tiny", "sparse_model": "saes/tiny", "hookpoints": [HOOK],
    "explainer_model": "scribe", "name": "made", "max_latents": 3, "seed": 22,
    "num_examples_per_scorer_prompt": 5, "filter_bos": False,
}  # fmt: skip


def row(
    tokens: list[str], activations: list[float], *, distance: float, prediction: Any, **more: Any
) -> dict[str, Any]:
    """One row of a score file; what fires is called activating."""
    activating = more.pop("activating", any(activations))
    correct = None if prediction is None else bool(prediction) == activating
    return {
        "str_tokens": tokens, "activations": activations, "distance": distance,
        "activating": activating, "prediction": prediction, "probability": None,
        "correct": correct,
    } | more  # fmt: skip


def rows_of(feature: int) -> list[dict[str, Any]]:
    """Two activating contexts, strongest and weakest, and two silent ones; one reply is lost."""
    word = WORDS[feature]
    return [
        row([word, " cat", " x", "y"], [2.5, 0, 0, 1.0], distance=0, prediction=True),
        row([" a", word], [0, 0.5], distance=9, prediction=False),
        row([" no", " thing", " here"], [0, 0, 0], distance=-1.0, prediction=False),
        row([" or", " there"], [0, 0], distance=-1.0, prediction=None),
    ]


def write_text_run(
    folder: Path, *, features: tuple[int, ...] = (0, 2), hook: str = HOOK,
    config: dict[str, Any] | None = CONFIG, scorers: tuple[str, ...] = ("detection", "fuzz"),
) -> Path:  # fmt: skip
    """A run with explanations and scores, without activations."""
    if config is not None:
        put(folder / "run_config.json", config)
    for feature in features:
        name = f"{hook}_latent{feature}"
        put(folder / "explanations" / f"{name}.txt", f"Fires on “{WORDS[feature]}” <b>")
        for scorer in scorers:
            put(folder / "scores" / scorer / f"{name}.txt", rows_of(feature))
    return folder


def put(path: Path, found: Any) -> None:
    """Write a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found), "utf-8")


def matrix() -> np.ndarray:
    """Token ids of 12 sequences of 8, int64: every sequence another order of ten words."""
    rng = np.random.default_rng(3)
    return np.array([rng.permutation(10)[:8] for _ in range(12)])


def activations() -> list[tuple[int, int, int, float]]:
    """(sequence, position, feature, value): feature f fires on word f, twice as much on later."""
    return [
        (int(r), int(p), int(f), 1.0 + r / 8 + p / 64)
        for r, tokens in enumerate(matrix())
        for p, f in enumerate(tokens)
        if f < 5
    ]


def write_latents(folder: Path, *, hook: str = HOOK, ends: tuple[int, ...] = (2, 5)) -> None:
    """Shards of the made-up activations; ends: the last feature of each."""
    first = 0
    found = activations()
    for last in ends:
        mine = [one for one in found if first <= one[2] <= last]
        path = folder / "latents" / hook / f"{first}_{last}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(
            {
                "locations": np.array([[r, p, f - first] for r, p, f, _ in mine], np.uint16)
                .reshape(-1, 3),
                "activations": np.array([v for *_, v in mine], np.float16),
                "tokens": matrix().astype(np.int64),
            },
            path,
        )  # fmt: skip
        first = last + 1


def tile_row(feature: int, sequence: int, start: int, *, distance: float, **more: Any) -> dict:
    """A score row that is a tile of four tokens of the made-up activations."""
    tokens = matrix()[sequence, start : start + 4]
    values = {(r, p): v for r, p, f, v in activations() if f == feature}
    return row(
        [WORDS[token] for token in tokens],
        [float(np.float16(values.get((sequence, p), 0))) for p in range(start, start + 4)],
        distance=distance, prediction=True, **more,
    )  # fmt: skip

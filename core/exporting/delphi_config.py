"""run_config.json of an exported run: an import's own, or what is true of a cache of ours.

A setting that nobody said is null, never a default of delphi's.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from core.exporting.delphi_rows import Kept
from core.exporting.reading import Bench
from data.records import HookpointRecord

FOLDERS = {"detection": "detection", "fuzzing": "fuzz"}  # of our scorers
CACHED = ("cache_cfg", "model", "sparse_model", "filter_bos", "load_in_8bit")  # of activations
RANDOM = "random:"  # what the source of an SAE that nothing was trained for begins with


class Place(NamedTuple):
    """One hookpoint and what delphi calls it."""

    hookpoint: HookpointRecord
    name: str
    standing: Mapping[int, int]  # explanation_id by feature
    brought: int | None = None  # run_id of an import, whose own verdicts are written before others


@dataclass(slots=True)
class Written:
    """What came of it so far."""

    rows: Counter = field(default_factory=Counter)
    explainers: Counter = field(default_factory=Counter)  # model or method, by explanations
    sampled: Counter = field(default_factory=Counter)  # examples and how they were drawn
    kept: Kept = field(default_factory=Kept)
    silent: list[str] = field(default_factory=list)  # hookpoints of an import without activations
    added: int = 0  # explanations and scores of an import that were made here

    @property
    def model(self) -> str | None:
        """The one that explained and judged all; None where there are several, or none."""
        found = {*self.explainers, *self.kept.judges}
        return found.pop() if len(found) == 1 else None


def cache_config(
    bench: Bench, shards: int, told: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """How the activations were cached; of an import as it said, null where it said nothing.

    told: as of `run_config`.
    """
    said = told and told.get("cache_cfg")
    if isinstance(said, dict):
        return {**said, "n_splits": shards}
    meta = bench.work.files.meta
    made = not bench.record.origin
    return {
        "dataset_repo": bench.record.corpus,
        "dataset_split": None,
        "dataset_name": None,
        "dataset_column": meta.column,
        "batch_size": meta.batch_size if made else None,
        "cache_ctx_len": meta.sequence_length,
        "n_tokens": meta.n_tokens,
        "n_splits": shards,
    }


def run_config(
    bench: Bench, places: Sequence[Place], written: Written, told: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The settings of a run.

    told: run_config.json as it was imported; None = not known, or a cache of ours. It is given back
    with the hookpoints that are written, but of explanations or verdicts that were made here only
    with what it says of the activations.
    """
    if not told:
        return _described(bench, places, written)
    if written.added:
        return {key: told.get(key, value) if key in CACHED else value
                for key, value in _described(bench, places, written).items()}  # fmt: skip
    return {**told, "hookpoints": [place.name for place in places], "hf_token": None}


def _described(bench: Bench, places: Sequence[Place], written: Written) -> dict[str, Any]:
    """What is known of a run that has no settings of delphi's."""
    made = not bench.record.origin
    kept, sampled = written.kept, written.sampled.most_common(1)
    (examples, sampling), _ = sampled[0] if sampled else ((None, None), 0)
    shards = cache_config(bench, 1) if bench.record.has_activations else {}
    return {
        "cache_cfg": {k: v for k, v in shards.items() if k != "n_splits"},
        "constructor_cfg": {
            "example_ctx_len": bench.work.context_length if made else None,
            "min_examples": None,
            "n_non_activating": kept.most_silent,
            "center_examples": True if made else None,  # their word for contexts at fixed places
            "non_activating_source": "random",
            "neighbours_type": None,
        },
        "sampler_cfg": {
            "n_examples_train": examples,
            "n_examples_test": kept.most_active,
            "n_quantiles": kept.slices,
            "train_type": sampling,
            "test_type": "quantiles" if made else None,
            "ratio_top": None,
        },
        "model": bench.record.subject,
        "sparse_model": places[0].hookpoint.sae_source,
        "random": any(p.hookpoint.sae_source.startswith(RANDOM) for p in places),
        "hookpoints": [place.name for place in places],
        "explainer_model": written.model,
        "explainer_provider": None,
        "explainer": None,
        "scorers": [FOLDERS[name] for name in FOLDERS if kept.asked[name]],
        "fuzz_type": "active" if kept.wrong_marks else "default",
        "name": bench.record.name,
        "max_latents": None,
        "filter_bos": None,
        "log_probs": kept.has_probabilities,
        "load_in_8bit": None,
        "hf_token": None,
        "seed": bench.record.seed if made else None,
        "verbose": None,
        "num_examples_per_scorer_prompt": None,
        "overwrite": [],
    }

"""The stage that writes a cache as a delphi run directory (formats 2, the newest era).

A run has one explanation a feature, one model for explaining and judging, and two kinds of score
here: detection and fuzzing. Kinds of silent contexts other than random and wrongly marked ones,
marks, prompts and costs have no place in it; what is lost is said in manifest.json.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from core.exporting.delphi_rows import Kept, rows_of
from core.exporting.reading import Bench, Known
from core.exporting.windows import Windows
from core.hookpoints import family_of
from data.catalogue import Catalogue
from data.errors import BadInput, NotFound
from data.exports import folder, queries
from data.exports.delphi import (
    FAILED,
    MEASURES,
    one_file,
    write_firing_counts,
    write_json,
    write_neighbours,
    write_shards,
)
from data.records import ExplanationRecord, HookpointRecord, Progress
from data.results import headline

FOLDERS = {"detection": "detection", "fuzzing": "fuzz"}  # of our scorers
STEP = 16  # features between two signs of life
NEAR_BLOCK = 4096  # features whose neighbours are read together
RANDOM = "random:"  # what the source of an SAE that nothing was trained for begins with
SCORED = 40  # distinct contexts from which our features are scored


@dataclass(frozen=True, slots=True)
class DelphiRequest:
    """What `gloss export delphi` was asked for."""

    cache: str
    out: Path
    hookpoints: tuple[str, ...] = ()  # () = all
    run: int | None = None  # whose explanations; None = the one that pages show of each feature


class Place(NamedTuple):
    """One hookpoint and what delphi calls it."""

    hookpoint: HookpointRecord
    name: str
    standing: Mapping[int, int]  # explanation_id by feature


@dataclass(slots=True)
class Written:
    """What came of it so far."""

    rows: Counter = field(default_factory=Counter)
    explainers: Counter = field(default_factory=Counter)  # model or method, by explanations
    sampled: Counter = field(default_factory=Counter)  # examples and how they were drawn
    kept: Kept = field(default_factory=Kept)


def export_delphi(catalogue: Catalogue, request: DelphiRequest) -> Iterator[Progress]:
    """Write the run; an earlier export in the folder is replaced at the end."""
    folder.require_free(Path(request.out).expanduser().absolute())
    bench = Bench(catalogue, request.cache)
    with catalogue.reading() as con:
        facts = queries.bookkeeping(con, bench.record.cache_id)
        chosen = bench.hookpoints(request.hookpoints)
        names = delphi_names([h.name for h in chosen], facts.get("architecture"))
        places = [
            Place(h, name, queries.standing(con, h.hookpoint_id, request.run))
            for h, name in zip(chosen, names, strict=True)
        ]
    if request.run is not None and not any(place.standing for place in places):
        raise NotFound(f"run {request.run} explained nothing of cache '{request.cache}'")
    total, done, written = sum(len(place.standing) for place in places), 0, Written()
    with folder.drafted(request.out) as draft:
        if bench.record.has_activations:
            yield from _activations(bench, places, draft, written)
        for place in places:
            for n in _judged(bench, place, draft, written):
                done += n
                yield Progress("exporting", done, total, note=place.name)
            _neighbours(bench, place, draft, written)
        write_json(draft / "run_config.json", _config(bench, places, facts, written), indent=4)
        folder.write_manifest(draft, catalogue, bench.record.name, "delphi", written.rows,
                              notes=_notes(bench, places, written))  # fmt: skip
    yield Progress("exporting", total, total, note=f"written to {request.out}")


def delphi_names(hookpoints: Sequence[str], architecture: str | None) -> list[str]:
    """What delphi calls hookpoints: modules of the base model, without a side.

    >>> delphi_names(["gpt_neox.layers.2.mlp:in"], "GPTNeoXForCausalLM")
    ['layers.2.mlp']
    """
    family = family_of(architecture)
    base = f"{family.base.partition('.')[0]}." if family else ""
    names = [name.removesuffix(":in").removeprefix(base) for name in hookpoints]
    sides = {name.endswith(":in") for name in hookpoints}
    if len(set(names)) < len(names) or len(sides) > 1:
        raise BadInput(
            "a delphi run has hookpoints of one side only, inputs or outputs, and this cache has "
            "both: choose with --hookpoint"
        )
    return names


def _activations(
    bench: Bench, places: Sequence[Place], draft: Path, written: Written
) -> Iterator[Progress]:
    """Write what every hookpoint stores, and how often each feature fires."""
    tokens, counts = bench.work.files.tokens.matrix(), {}
    total = sum(place.hookpoint.n_features for place in places)
    done = 0
    for place in places:
        columns = bench.work.columns(place.hookpoint)
        below = draft / "latents" / place.name
        shards = 0
        for first, last in write_shards(below, columns, tokens):
            done, shards = done + last - first + 1, shards + 1
            yield Progress("writing activations", done, total, note=place.name)
        counts[place.name] = columns.counts()
        written.rows["activations"] += int(counts[place.name].sum())
        about = _cache_config(bench, shards) | {"model_name": bench.record.subject}
        write_json(below / "config.json", about, indent=4)
    write_firing_counts(draft / "log" / "hookpoint_firing_counts.pt", counts)


def _judged(bench: Bench, place: Place, draft: Path, written: Written) -> Iterator[int]:
    """Write explanations and verdicts; gives how many features came since the last."""
    features = list(place.standing)
    for number, known in enumerate(bench.known(place.hookpoint, features), start=1):
        wanted = place.standing[known.feature]
        found = next(e for e in known.explanations if e.explanation_id == wanted)
        _explained(place, found, draft, written)
        windows = Windows(bench.work, place.hookpoint, known.feature, known.stored)
        for scorer, rows in _scored(known, found, windows, written.kept).items():
            write_json(draft / "scores" / FOLDERS[scorer] / one_file(place.name, known.feature),
                       rows)  # fmt: skip
            written.rows[f"{FOLDERS[scorer]} verdicts"] += len(rows)
        if number % STEP == 0 or number == len(features):
            yield number - (number - 1) // STEP * STEP


def _explained(place: Place, found: ExplanationRecord, draft: Path, written: Written) -> None:
    """Write one explanation; one that failed as delphi writes failures."""
    path = draft / "explanations" / one_file(place.name, found.feature)
    write_json(path, FAILED if found.text is None else found.text)
    written.rows["explanations"] += 1
    written.explainers[found.model or found.explainer] += 1
    examples = found.settings.get("examples")
    written.sampled[
        examples if type(examples) is int else None, found.settings.get("sampling")
    ] += 1


def _scored(
    known: Known, found: ExplanationRecord, windows: Windows, kept: Kept
) -> dict[str, list[dict[str, Any]]]:
    """The verdicts behind the headline scores of an explanation, by scorer."""
    rows = {}
    for name, score in headline(found.scores).items():
        if name not in FOLDERS:
            kept.lost[f"scores by {name}"] += 1
            continue
        about = [
            verdict
            for verdict in known.verdicts
            if (verdict["explanation_id"], verdict["scorer_id"])
            == (found.explanation_id, score.scorer_id)
        ]
        if about:
            kept.judges[score.judge] += 1
            rows[name] = rows_of(name, score, about, windows, kept)
    return rows


def _neighbours(bench: Bench, place: Place, draft: Path, written: Written) -> None:
    number, n = place.hookpoint.hookpoint_id, place.hookpoint.n_features

    def pairs(measure: str) -> Iterator[tuple[int, int, float]]:
        for low in range(0, n, NEAR_BLOCK):
            with bench.catalogue.reading() as con:
                found = queries.near(con, number, measure, low, low + NEAR_BLOCK - 1)
            written.rows["neighbours"] += len(found)
            yield from found

    with bench.catalogue.reading() as con:
        measures = queries.measures(con, number)
    for measure in measures:
        if measure in MEASURES:
            name = f"{place.name.replace('/', '--')}-{MEASURES[measure]}.json"
            write_neighbours(draft / "neighbours" / name, pairs(measure))
        else:
            written.kept.lost[f"neighbours by {measure}"] += 1


def _cache_config(bench: Bench, shards: int) -> dict[str, Any]:
    meta = bench.work.files.meta
    return {
        "dataset_repo": bench.record.corpus,
        "dataset_split": "",
        "dataset_name": "",
        "dataset_column": "",
        "batch_size": meta.batch_size,
        "cache_ctx_len": meta.sequence_length,
        "n_tokens": meta.n_tokens,
        "n_splits": shards,
    }


def _config(
    bench: Bench, places: Sequence[Place], facts: Mapping[str, Any], written: Written
) -> dict[str, Any]:
    """run_config.json; null where a run of ours has no such setting."""
    kept, sampled = written.kept, written.sampled.most_common(1)
    (examples, sampling), _ = sampled[0] if sampled else ((None, None), 0)
    explainer = written.explainers.most_common(1)
    shards = _cache_config(bench, 1) if bench.record.has_activations else {}
    return {
        "cache_cfg": {k: v for k, v in shards.items() if k != "n_splits"},
        "constructor_cfg": {
            "example_ctx_len": bench.work.context_length,
            "min_examples": SCORED,
            "n_non_activating": kept.most_silent,
            "center_examples": True,  # in delphi's words: contexts are cut at fixed places
            "non_activating_source": "random",
            "neighbours_type": "co-occurrence",
        },
        "sampler_cfg": {
            "n_examples_train": examples,
            "n_examples_test": kept.most_active,
            "n_quantiles": kept.slices,
            "train_type": sampling,
            "test_type": "quantiles",
            "ratio_top": None,
        },
        "model": bench.record.subject,
        "sparse_model": places[0].hookpoint.sae_source,
        "random": any(p.hookpoint.sae_source.startswith(RANDOM) for p in places),
        "hookpoints": [place.name for place in places],
        "explainer_model": explainer[0][0] if explainer else None,
        "explainer_provider": None,
        "explainer": "default",
        "scorers": [FOLDERS[name] for name in FOLDERS if kept.asked[name]],
        "fuzz_type": "active" if kept.wrong_marks else "default",
        "name": bench.record.name,
        "max_latents": None,
        "filter_bos": False,
        "log_probs": kept.has_probabilities,
        "load_in_8bit": False,
        "hf_token": None,
        "seed": bench.record.seed,
        "verbose": False,
        "num_examples_per_scorer_prompt": None,
        "overwrite": [],
    }


def _notes(bench: Bench, places: Sequence[Place], written: Written) -> list[str]:
    """What a run cannot hold."""
    kept = written.kept
    notes = [f"{n:,} {what} have no place in a run" for what, n in sorted(kept.lost.items())]
    notes += [
        f"{n:,} verdicts on {kind} contexts stand as random ones"
        for kind, n in sorted(kept.as_random.items())
    ]
    if len(written.explainers) > 1:
        names = ", ".join(name for name, _ in written.explainers.most_common())
        notes.append(f"a run has one explainer; these explained: {names}")
    judges = set(kept.judges) - {name for name, _ in written.explainers.most_common(1)}
    if judges:
        notes.append(f"a run's judge is its explainer; these judged: {', '.join(sorted(judges))}")
    if len(kept.all_slices) > 1:
        notes.append("scores with different numbers of slices are mixed: distances are of "
                     f"{kept.slices}")  # fmt: skip
    if not bench.record.has_activations:
        notes.append("the cache has no activations, so the run has none")
    if any(place.hookpoint.name.endswith(":in") for place in places):
        notes.append("hookpoints were read on their input side, which a run does not say")
    return notes

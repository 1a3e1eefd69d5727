"""The stage that writes a cache as a delphi run directory (formats 2, the newest era).

A run has one explanation a feature, one model for explaining and judging, and two kinds of score
here: detection and fuzzing. Kinds of silent contexts other than random and wrongly marked ones,
prompts and costs have no place in it; what is lost is said in manifest.json. The contexts that an
explainer saw stand in train/, which delphi itself neither writes nor reads.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.exporting.delphi_config import FOLDERS, Place, Written, cache_config, run_config
from core.exporting.delphi_rows import rows_of, seen_rows
from core.exporting.reading import Bench, Known
from core.exporting.windows import Windows
from core.hookpoints import family_of
from core.pipeline.variations import GRAMMAR
from data.catalogue import Catalogue, Connection
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

STEP = 16  # features between two signs of life
NEAR_BLOCK = 4096  # features whose neighbours are read together


@dataclass(frozen=True, slots=True)
class DelphiRequest:
    """What `gloss export delphi` was asked for."""

    cache: str
    out: Path
    hookpoints: tuple[str, ...] = ()  # () = all
    run: int | None = None  # whose explanations; None = an import's own, else those pages show


def export_delphi(catalogue: Catalogue, request: DelphiRequest) -> Iterator[Progress]:
    """Write the run; an earlier export in the folder is replaced at the end."""
    out = folder.place_of(request.out, catalogue.store, "delphi")
    bench = Bench(catalogue, request.cache)
    with catalogue.reading() as con:
        facts = queries.bookkeeping(con, bench.record.cache_id)
        chosen = bench.hookpoints(request.hookpoints)
        names = delphi_names([h.name for h in chosen], facts.get("architecture"))
        for hookpoint, name in zip(chosen, names, strict=True):
            folder.below(out, "latents", name, of=hookpoint.name)
        brought = queries.brought(con, bench.record.cache_id) if bench.record.origin else None
        places = [_place(con, h, name, request, brought)
                  for h, name in zip(chosen, names, strict=True)]  # fmt: skip
        told = brought and brought.config
    if request.run is not None and not any(place.standing for place in places):
        raise NotFound(f"run {request.run} explained nothing of cache '{request.cache}'")
    total, done, written = sum(len(place.standing) for place in places), 0, Written()
    with folder.drafted(out, "delphi") as draft:
        if bench.record.has_activations:
            yield from _activations(bench, places, draft, written, told)
        for place in places:
            for n in _judged(bench, place, draft, written):
                done += n
                yield Progress("exporting", done, total, note=place.name)
            _neighbours(bench, place, draft, written)
        write_json(draft / "run_config.json", run_config(bench, places, written, told), indent=4)
        folder.write_manifest(draft, catalogue, bench.record.name, "delphi", written.rows,
                              notes=_notes(bench, places, written, told))  # fmt: skip
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
    bench: Bench, places: Sequence[Place], draft: Path, written: Written,
    told: Mapping[str, Any] | None,
) -> Iterator[Progress]:  # fmt: skip
    """Write what every hookpoint stores, and how often each feature fires."""
    tokens, counts = bench.work.files.tokens.matrix(), {}
    total = sum(place.hookpoint.n_features for place in places)
    done = 0
    for place in places:
        columns = bench.work.columns(place.hookpoint)
        if bench.record.origin and not columns.counts().any():
            written.silent.append(place.hookpoint.name)
            continue
        below = folder.below(draft, "latents", place.name, of=place.hookpoint.name)
        shards = 0
        for first, last in write_shards(below, columns, tokens):
            done, shards = done + last - first + 1, shards + 1
            yield Progress("writing activations", done, total, note=place.name)
        counts[place.name] = columns.counts()
        written.rows["activations"] += int(counts[place.name].sum())
        about = cache_config(bench, shards, told) | {"model_name": bench.record.subject}
        write_json(below / "config.json", about, indent=4)
    write_firing_counts(draft / "log" / "hookpoint_firing_counts.pt", counts)


def _place(
    con: Connection, hookpoint: HookpointRecord, name: str, request: DelphiRequest,
    brought: queries.Brought | None,
) -> Place:  # fmt: skip
    """Choose the explanations of a hookpoint: of an import its own, where it brought any."""
    if brought is not None and request.run in (None, brought.run_id):
        own = queries.imported(con, hookpoint.hookpoint_id, brought.run_id)
        if own:
            return Place(hookpoint, name, own, brought.run_id)
    return Place(hookpoint, name, queries.standing(con, hookpoint.hookpoint_id, request.run))


def _judged(bench: Bench, place: Place, draft: Path, written: Written) -> Iterator[int]:
    """Write explanations and verdicts; gives how many features came since the last."""
    features = list(place.standing)
    for number, known in enumerate(bench.known(place.hookpoint, features), start=1):
        wanted = place.standing[known.feature]
        found = next(e for e in known.explanations if e.explanation_id == wanted)
        _explained(place, found, draft, written)
        windows = Windows(bench.work, place.hookpoint, known.feature, known.stored)
        file = one_file(place.name, known.feature)
        for scorer, rows in _scored(place, known, found, windows, written).items():
            write_json(draft / "scores" / FOLDERS[scorer] / file, rows)
            written.rows[f"{FOLDERS[scorer]} verdicts"] += len(rows)
        seen = seen_rows(bench.work.context_length, known, found, windows, written.kept)
        # Rules are learnt from sequences that no judge is asked about: their list is empty.
        if seen or found.explainer == GRAMMAR:
            write_json(draft / "train" / file, seen)
            written.rows["contexts that explainers saw"] += len(seen)
        if number % STEP == 0 or number == len(features):
            yield number - (number - 1) // STEP * STEP


def _explained(place: Place, found: ExplanationRecord, draft: Path, written: Written) -> None:
    """Write one explanation; one that failed as delphi writes failures."""
    path = draft / "explanations" / one_file(place.name, found.feature)
    write_json(path, FAILED if found.text is None else found.text)
    written.rows["explanations"] += 1
    written.added += found.run_id != place.brought
    written.explainers[found.model or found.explainer] += 1
    examples = found.settings.get("examples")
    written.sampled[
        examples if type(examples) is int else None, found.settings.get("sampling")
    ] += 1


def _scored(
    place: Place, known: Known, found: ExplanationRecord, windows: Windows, written: Written
) -> dict[str, list[dict[str, Any]]]:
    """The verdicts behind the headline scores of an explanation, by scorer.

    Of an import those that it brought, where it brought any.
    """
    rows, kept = {}, written.kept
    own = [score for score in found.scores if score.run_id == place.brought]
    chosen = headline(own or found.scores)
    others = sum(one not in chosen.values() for one in found.scores if one.scorer in FOLDERS)
    if others:
        kept.lost["scores by other judges or presets"] += others
    for name, score in chosen.items():
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
            written.added += score.run_id != place.brought
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


def _notes(
    bench: Bench, places: Sequence[Place], written: Written, told: Mapping[str, Any] | None
) -> list[str]:
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
    if told and written.added:
        notes.append("explanations or verdicts were made after the import, so run_config.json is "
                     "not that of the imported run")  # fmt: skip
    judges = set(kept.judges) - {name for name, _ in written.explainers.most_common(1)}
    if judges:
        notes.append(f"a run's judge is its explainer; these judged: {', '.join(sorted(judges))}")
    if len(kept.all_slices) > 1:
        notes.append("scores with different numbers of slices are mixed: distances are of "
                     f"{kept.slices}")  # fmt: skip
    notes += [f"{name} has no activations in the cache, so latents/ leaves it out"
              for name in written.silent]  # fmt: skip
    if not bench.record.has_activations:
        notes.append("the cache has no activations, so the run has none")
    if any(place.hookpoint.name.endswith(":in") for place in places):
        notes.append("hookpoints were read on their input side, which a run does not say")
    return notes

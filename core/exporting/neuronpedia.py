"""The stage that writes a cache in Neuronpedia's layout (formats 3), streamed in bounded memory.

    <out>/v1/<modelId>/<sourceId>/...     one source a hookpoint

Features, explanations and scores lie in the text order of their numbers ("0", "1", "10", ...), as
in public exports, contexts in numeric order. Every batch is read back as it is written, and the
whole by the reader that imports use.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from core.exporting import neuronpedia_about as about
from core.exporting.neuronpedia_rows import (
    MOST_CONTEXTS,
    Source,
    activation_rows,
    explanation_row,
    feature_row,
)
from core.exporting.neuronpedia_scores import score_rows
from core.exporting.reading import Bench
from core.exporting.windows import Windows
from data.activations import FeatureActivations
from data.catalogue import Catalogue
from data.durable import write_file
from data.errors import StoreTrouble
from data.exports import folder, queries
from data.exports.neuronpedia import PARTS, USER, Batches, line
from data.imports import neuronpedia as reading
from data.records import Progress

if TYPE_CHECKING:
    from core.exporting.directions import Directions

STEP = 16  # features between two signs of life
HARMLESS = {"density_unknown", "intervals", "silent_shown_only", "bos_is_max"}


@dataclass(frozen=True, slots=True)
class NeuronpediaRequest:
    """What `gloss export neuronpedia` was asked for."""

    cache: str
    out: Path
    hookpoints: tuple[str, ...] = ()  # () = all
    features: str = "all"  # of every hookpoint
    vectors: bool = False  # decoder rows and histograms of logits: loads subject and SAEs
    user: str = USER  # creatorId and authorId; must exist where it is loaded
    model_id: str | None = None  # None = the subject's name
    set_name: str | None = None  # None = cache and kind of place


class Job(NamedTuple):
    """One source to write."""

    bench: Bench
    source: Source
    features: list[int]  # ascending
    folder: Path
    directions: "Directions | None"

    def fired(self, feature: int) -> FeatureActivations | None:
        """Every activation of a feature; None where an import has none."""
        if not self.bench.record.has_activations:
            return None
        return self.bench.work.slice(self.source.hookpoint, feature)


def export_neuronpedia(catalogue: Catalogue, request: NeuronpediaRequest) -> Iterator[Progress]:
    """Write the layout; an earlier export in the folder is replaced at the end."""
    out = folder.place_of(request.out, catalogue.store, "neuronpedia")
    bench = Bench(catalogue, request.cache)
    with catalogue.reading() as con:
        facts = queries.bookkeeping(con, bench.record.cache_id)
    named = about.sources(
        bench.record, bench.hookpoints(request.hookpoints), facts, model_id=request.model_id,
        set_name=request.set_name, user=request.user,
    )  # fmt: skip
    chosen = [bench.features(source.hookpoint, request.features) for source in named]
    total = 2 * sum(map(len, chosen))
    rows: dict[str, int] = dict.fromkeys(PARTS, 0)
    done = 0
    width = about.mlp_width(facts.get("subject_folder") or bench.record.subject)
    with folder.drafted(out, "neuronpedia") as draft:
        for source, features in zip(named, chosen, strict=True):
            where = folder.below(draft, "v1", source.model_id, source.source_id,
                                 of=source.hookpoint.name)  # fmt: skip
            if request.vectors:
                yield Progress("loading the SAE", done, total, note=source.hookpoint.name)
            job = Job(bench, source, features, where, _directions(request, bench, source))
            for part, found in about.metadata(source, facts, width).items():
                write_file(where / f"{part}.jsonl", [line(found)])
            for written in (_described(job, rows), _contexts(job, rows)):
                for n in written:
                    done += n
                    yield Progress("exporting", done, total, note=source.source_id)
        yield Progress("reading it back", total, total)
        _read_back(draft)
        notes = _notes(catalogue, bench, named, request, width)
        folder.write_manifest(draft, catalogue, bench.record.name, "neuronpedia", rows,
                              notes=notes)  # fmt: skip
    yield Progress("exporting", total, total, note=f"written to {request.out}")


def _directions(request: NeuronpediaRequest, bench: Bench, source: Source) -> "Directions | None":
    if not request.vectors:
        return None
    from core.exporting.directions import Directions

    return Directions(bench.catalogue, bench.record, source.hookpoint)


def _described(job: Job, rows: dict[str, int]) -> Iterator[int]:
    """Write features, explanations and scores; gives how many features came since the last."""
    work, source, catalogue = job.bench.work, job.source, job.bench.catalogue
    with catalogue.reading() as con:
        most = queries.counts(con, source.hookpoint.hookpoint_id)
    strings = work.files.vocabulary.strings
    held_out = not job.bench.record.origin and work.contexts.split_by == "sequence"
    ordered = sorted(job.features, key=str)
    with (
        Batches(job.folder, "features", len(job.features)) as features,
        Batches(job.folder, "explanations", most["explanations"]) as explanations,
        Batches(job.folder, "scores", most["scores"]) as scores,
    ):
        for number, known in enumerate(job.bench.known(source.hookpoint, ordered), start=1):
            direction = job.directions and job.directions.of(known.feature)
            fired = job.fired(known.feature)
            features.add(feature_row(source, known, fired, strings, direction))
            for found in known.explanations:
                if found.text:
                    making = known.makings.get(found.explanation_id)
                    explanations.add(explanation_row(source, found, making))
            windows = Windows(work, source.hookpoint, known.feature, known.stored)
            for row in score_rows(source, known, windows, held_out=held_out):
                scores.add(row)
            if number % STEP == 0 or number == len(ordered):
                yield number - (number - 1) // STEP * STEP
    for part in (features, explanations, scores):
        rows[part.part] += part.rows


def _contexts(job: Job, rows: dict[str, int]) -> Iterator[int]:
    """Write contexts; gives how many features came since the last."""
    with Batches(job.folder, "activations", MOST_CONTEXTS * len(job.features)) as activations:
        contexts = job.bench.contexts(job.source.hookpoint, job.features)
        for number, (feature, reader) in enumerate(contexts, start=1):
            for row in activation_rows(job.source, feature, reader, job.fired(feature)):
                activations.add(row)
            if number % STEP == 0 or number == len(job.features):
                yield number - (number - 1) // STEP * STEP
    rows["activations"] += activations.rows


def _read_back(draft: Path) -> None:
    """Read everything as an import does; what that doubts was written wrongly."""
    for source in reading.open_sources(draft):
        doubts = reading.validate(source).codes() - HARMLESS
        if doubts:
            raise StoreTrouble(
                f"the export of {source.source_id} does not read back well "
                f"({', '.join(sorted(doubts))}): nothing is kept; please report this"
            )


def _notes(
    catalogue: Catalogue, bench: Bench, named: Sequence[Source], request: NeuronpediaRequest,
    width: int | None,
) -> list[str]:  # fmt: skip
    """What the layout cannot hold, and what is not known."""
    notes = []
    with catalogue.reading() as con:
        failed = sum(queries.counts(con, s.hookpoint.hookpoint_id)["failed"] for s in named)
    if failed:
        notes.append(f"{failed:,} explanations that failed are left out")
    if not bench.record.has_activations:
        notes.append("how often features fire is not known: frac_nonzero is -1")
    if width is None:
        notes.append("how many neurons an MLP of the subject has is not known: neuronsPerLayer 0")
    if not request.vectors:
        notes.append("decoder rows and histograms of logits are left out: --vectors writes them")
    notes.append("scores/ is an addition of Gloss that the site does not load")
    return notes

"""The stage that caches: a subject, SAEs and a corpus in, the files and rows of a cache out.

Files are the truth until they are final; then everything known of the features goes into the
catalogue in one transaction. Each step can be killed and run again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from core.fit import share_words
from core.pipeline.corpora import bos_note, open_for, settings_of, text_of
from core.pipeline.inputs import full_sae, full_subject, require_name
from core.pipeline.offers import Offer, list_sources, shortened
from core.pipeline.running import noted, plan_as_asked, running
from core.pipeline.saes import load_saes
from core.pipeline.smoke import CAUSES, doubts, require_plausible
from data import caches, runs
from data.cachefiles import CacheFiles, CacheMeta
from data.caches import CorpusFacts, HookpointTables, SaeFacts, SubjectFacts
from data.catalogue import Catalogue
from data.identity import nothing_stored
from data.records import CacheRecord, HookpointRecord, Progress

if TYPE_CHECKING:  # torch is loaded when a cache is made, not when its settings are written down
    from core.cache import CacheSettings
    from core.sae import Sae
    from core.subject import Subject
    from core.tokenising import Corpus

BASELINES = {"random": "random directions", "neurons": "neurons"}
POOR = 0.9  # of the variance unexplained: hardly better than the mean


@dataclass(frozen=True, slots=True)
class CacheRequest:
    """What `gloss cache` was asked for."""

    subject: str  # folder or hub id
    saes: tuple[str, ...]  # folders or repositories
    corpus: str
    name: str
    n_tokens: int
    hookpoints: tuple[str, ...] = ()  # () = all that the SAEs are for
    sequence_length: int | None = None
    column: str | None = None  # of the corpus, with the text; None = the first known name
    split_at: str | None = None  # where text files are split; None = one document a file
    shuffle_seed: int | None = None  # of a permutation of the documents; None = file order
    bos: Literal["first", "none"] | None = None  # None = first; as stored where ids are given
    packing: Literal["pack", "one-per-document"] | None = None  # None = pack; as stored likewise
    batch_size: int = 16
    dtype: str = "auto"
    device: str = "auto"
    runs_on: Literal["here", "ndif", "rehearsal"] = "here"
    revision: str | None = field(default=None)
    seed: int = 0
    anyway: bool = False  # cache even where an SAE does not fit its hookpoint on the first tokens
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed, to go on with


def cache_stage(catalogue: Catalogue, request: CacheRequest) -> Iterator[Progress]:
    """Make a cache, go on with one that was begun, or do nothing when it is done.

    The catalogue is left alone until everything that can be checked is checked.
    """
    require_name(request.name)
    request = _in_full(request)
    found = open_for(request)
    text = text_of(found, request.n_tokens)
    listed = list_sources(request.saes)
    yield Progress("loading the subject", 0, 1, "models")
    subject, saes = _loaded(request, listed)
    settings = settings_of(request, found, subject)
    meta = _planned(settings, subject, saes)
    notes = _note(subject, saes, meta, is_bos_asked=request.bos is not None)
    yield Progress("loading the subject", 1, 1, "models", note=notes)
    if _is_new(catalogue, request.name):
        _try_out(request, subject, saes, meta, found)
    known = asdict(settings) | {
        "sequence_length": meta.sequence_length,
        "tokenizer": meta.tokenizer_sha256,
        "text": text,
        "runs_on": request.runs_on,
    }
    record = begun(catalogue, request, subject, saes, known)
    if record.status == "done":
        yield Progress("caching", record.n_tokens, record.n_tokens, "tokens", note="done before")
        return
    plan = plan_as_asked("cache", record.cache_id, request)
    with running(catalogue, plan, request.n_tokens) as run_id:
        yield from _files(catalogue, found, settings, run_id, record, subject, saes)
        yield from finish(catalogue, request, record, subject, saes)


def _in_full(request: CacheRequest) -> CacheRequest:
    """Spell folders and files in full."""
    saes = tuple(full_sae(source) for source in request.saes)
    return replace(request, subject=full_subject(request.subject), saes=saes)


def _loaded(
    request: CacheRequest, listed: Sequence[Offer]
) -> tuple["Subject", Mapping[str, "Sae"]]:
    """The subject, and its SAEs by the full name of their hookpoint."""
    from core.subject import Subject

    subject = Subject.load(request.subject, dtype=request.dtype, device=request.device,
                           revision=request.revision, runs_on=request.runs_on)  # fmt: skip
    return subject, load_saes(subject, listed, request.hookpoints, anyway=request.anyway)


def _planned(settings: "CacheSettings", subject: "Subject", saes: Mapping[str, "Sae"]) -> CacheMeta:
    """Decide what identifies the cache; what cannot work is refused."""
    from core.cache import plan

    return plan(subject, dict(enumerate(saes.items())), settings)


def _note(
    subject: "Subject", saes: Mapping[str, "Sae"], meta: CacheMeta, *, is_bos_asked: bool
) -> str:
    """Note with every SAE what its files say that does not agree; also as a line for people."""
    said: dict[str, list[str]] = {}
    for hookpoint, sae in saes.items():
        found = doubts(sae, subject, meta)
        sae.origin = replace(sae.origin, notes=(*sae.origin.notes, *found))
        for note in found:
            said.setdefault(note, []).append(hookpoint)
    bos = "" if is_bos_asked else bos_note(subject, meta)
    lines = [f"{shortened(points)}: {note}" for note, points in said.items()]
    return "; ".join([*filter(None, [bos]), *lines])


def _try_out(
    request: CacheRequest, subject: "Subject", saes: Mapping[str, "Sae"], meta: CacheMeta,
    corpus: "Corpus",
) -> None:  # fmt: skip
    """Refuse tokens that are not the subject's, and SAEs that do not fit on the first ones."""
    from core.tokenising import require_readable

    require_readable(meta, subject, corpus)
    if not request.anyway:
        require_plausible(subject, saes, meta, corpus)


def _is_new(catalogue: Catalogue, name: str) -> bool:
    """Whether nothing of a cache is stored: one that goes on was tried when it was begun."""
    return all(
        nothing_stored(catalogue.store / record.folder)
        for record in caches.caches(catalogue)
        if record.name == name
    )


def begun(
    catalogue: Catalogue,
    request: CacheRequest,
    subject: "Subject",
    saes: Mapping[str, "Sae"],
    known: Mapping[str, Any],
) -> CacheRecord:
    """Register the cache; known: all that it is compared by besides subject and SAEs."""
    runs.mark_interrupted(catalogue)  # a run whose process is gone holds no cache
    return caches.begin_cache(
        catalogue,
        request.name,
        _subject_facts(request, subject),
        [sae_facts(hookpoint, sae) for hookpoint, sae in saes.items()],
        known,
        seed=request.seed,
    )


def _subject_facts(request: CacheRequest, subject: "Subject") -> SubjectFacts:
    return SubjectFacts(
        name=request.subject,
        revision=request.revision,
        architecture=subject.architecture,
        dtype=subject.dtype,
        n_layers=subject.n_layers,
        d_model=subject.d_model,
        vocabulary_size=subject.vocabulary_size,
        sha256=subject.sha256,
    )


def sae_facts(hookpoint: str, sae: "Sae") -> SaeFacts:
    """What is entered of an SAE; its settings say what was read where its files do not."""
    said = {"read_as": sae.origin.read_as, "input_norm": sae.input_norm}
    said = {name: word for name, word in said.items() if word}
    return SaeFacts(
        hookpoint=hookpoint,
        source=sae.origin.source,
        kind=sae.kind,
        weights_sha256=sae.sha256,
        n_features=sae.n_features,
        settings={**sae.origin.settings, "notes": list(sae.origin.notes), **said},
    )


def _files(
    catalogue: Catalogue,
    found: "Corpus",
    settings: "CacheSettings",
    run_id: int,
    record: CacheRecord,
    subject: "Subject",
    saes: Mapping[str, "Sae"],
) -> Iterator[Progress]:
    from core.cache import build

    folder = catalogue.store / record.folder
    numbered = {h.hookpoint_id: (h.name, saes[h.name]) for h in record.hookpoints}
    return noted(catalogue, run_id, build(folder, subject, numbered, found, settings))


def finish(
    catalogue: Catalogue,
    request: CacheRequest,
    record: CacheRecord,
    subject: "Subject",
    saes: Mapping[str, "Sae"],
) -> Iterator[Progress]:
    """Measure every feature and enter the cache into the catalogue."""
    from core.pipeline.features import hookpoint_tables
    from core.quality import Sample

    files = CacheFiles.open(catalogue.store / record.folder)
    sample = Sample.of_cache(subject, files)
    tables = {}
    total = sum(h.n_features for h in record.hookpoints)
    done = 0
    for hookpoint in record.hookpoints:
        yield Progress("measuring features", done, total)
        tables[hookpoint.hookpoint_id] = hookpoint_tables(
            files, hookpoint, sample, saes[hookpoint.name]
        )
        done += hookpoint.n_features
    caches.finish_cache(catalogue, record.cache_id, _corpus_facts(files, request), tables)
    note = _fits([(h, tables[h.hookpoint_id]) for h in record.hookpoints])
    yield Progress("measuring features", total, total, note=note)


def _fits(found: Sequence[tuple[HookpointRecord, HookpointTables]]) -> str:
    """How well every SAE reconstructs its hookpoint, with the usual causes where one does not."""
    is_poor = any(_is_poor(*each) for each in found)
    return "; ".join([_fit(*each) for each in found] + [CAUSES] * is_poor)


def _fit(hookpoint: HookpointRecord, found: HookpointTables) -> str:
    if found.fvu is None:
        return f"{hookpoint.name}: reconstruction not measured"
    said = f"{hookpoint.name}: FVU {found.fvu:.2f}"
    if found.losses:
        said += f", {share_words(found.losses.recovered_mean, 'mean')}"
    if hookpoint.sae_kind in BASELINES:
        return f"{said}, of {BASELINES[hookpoint.sae_kind]}, a baseline"
    return f"{said}, the SAE does not fit" if _is_poor(hookpoint, found) else said


def _is_poor(hookpoint: HookpointRecord, found: HookpointTables) -> bool:
    return hookpoint.sae_kind not in BASELINES and found.fvu is not None and found.fvu >= POOR


def _corpus_facts(files: CacheFiles, request: CacheRequest) -> CorpusFacts:
    meta = files.meta
    settings = {
        "bos_id": meta.bos_id,
        "separator_id": meta.eos_id,
        "requested_tokens": meta.requested_tokens,
        "exhausted": meta.exhausted,
        "packing": meta.packing,
        "column": meta.column,
        "split_at": meta.split_at,
        "shuffle_seed": meta.shuffle_seed,
        **meta.reading,
    }
    return corpus_facts(meta, request.corpus, settings)


def corpus_facts(
    meta: CacheMeta, spec: str, settings: Mapping[str, Any], *, is_known: bool = True
) -> CorpusFacts:
    """What a cache whose token file is complete says of its corpus."""
    return CorpusFacts(
        spec=spec,
        tokens_sha256=meta.tokens_sha256,
        tokenizer_sha256=meta.tokenizer_sha256,
        token_dtype=meta.token_dtype,
        sequence_length=meta.sequence_length,
        n_sequences=meta.n_sequences,
        n_documents=meta.n_documents,
        n_unmasked=meta.n_unmasked,
        settings=settings,
        is_known=is_known,
    )

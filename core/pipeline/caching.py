"""The stage that caches: a subject, SAEs and a corpus in, the files and rows of a cache out.

Files are the truth until they are final; then everything known of the features goes into the
catalogue in one transaction. Each step can be killed and run again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.pipeline.inputs import list_sources, load_saes, require_name, text_of
from core.pipeline.running import running
from data import caches, corpus, runs
from data.cachefiles import CacheFiles, CacheMeta
from data.caches import CorpusFacts, SaeFacts, SubjectFacts
from data.catalogue import Catalogue
from data.records import CacheRecord, HookpointRecord, Progress
from data.runs import Plan

if TYPE_CHECKING:  # torch is loaded when a cache is made, not when its settings are written down
    from core.cache import CacheSettings
    from core.sae import Sae
    from core.subject import Subject

POOR = 0.9  # of the variance unexplained: hardly better than the mean
NOTED = 65_536  # tokens between two notes of progress in the catalogue


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
    batch_size: int = 16
    dtype: str = "auto"
    device: str = "auto"
    revision: str | None = field(default=None)
    seed: int = 0
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed, to go on with


def cache_stage(catalogue: Catalogue, request: CacheRequest) -> Iterator[Progress]:
    """Make a cache, go on with one that was begun, or do nothing when it is done.

    The catalogue is left alone until everything that can be checked is checked.
    """
    require_name(request.name)
    text = text_of(request.corpus, request.n_tokens)
    listed = list_sources(request.saes)
    yield Progress("loading the subject", 0, 1, "models")
    subject, saes = _loaded(request, listed)
    yield Progress("loading the subject", 1, 1, "models")
    record = _begun(catalogue, request, subject, saes, text)
    if record.status == "done":
        yield Progress("caching", record.n_tokens, record.n_tokens, "tokens", note="done before")
        return
    settings = asdict(request)
    command = settings.pop("command")
    plan = Plan("cache", record.cache_id, None, None, settings, command)
    with running(catalogue, plan, request.n_tokens) as run_id:
        yield from _files(catalogue, request, run_id, record, subject, saes)
        yield from _finish(catalogue, request, record, subject, saes)


def _loaded(
    request: CacheRequest, listed: Sequence[tuple[str, str]]
) -> tuple["Subject", Mapping[str, "Sae"]]:
    """The subject, and its SAEs by the full name of their hookpoint."""
    from core.subject import Subject

    subject = Subject.load(request.subject, dtype=request.dtype, device=request.device,
                           revision=request.revision)  # fmt: skip
    return subject, load_saes(subject, listed, request.hookpoints)


def _settings(request: CacheRequest) -> "CacheSettings":
    from core.cache import CacheSettings

    local = request.corpus != corpus.PYTHON_DOCS
    return CacheSettings(
        corpus=str(Path(request.corpus).expanduser().resolve()) if local else request.corpus,
        tokens=request.n_tokens,
        sequence_length=request.sequence_length,
        batch_size=request.batch_size,
        seed=request.seed,
    )


def _begun(
    catalogue: Catalogue,
    request: CacheRequest,
    subject: "Subject",
    saes: Mapping[str, "Sae"],
    text: str,
) -> CacheRecord:
    """Register the cache, once `core.cache.plan` has refused what cannot work."""
    from core.cache import plan

    settings = _settings(request)
    meta = plan(subject, dict(enumerate(saes.items())), settings)
    known = asdict(settings) | {
        "sequence_length": meta.sequence_length,
        "tokenizer": meta.tokenizer_sha256,
        "text": text,
    }
    runs.mark_interrupted(catalogue)  # a run whose process is gone holds no cache
    return caches.begin_cache(
        catalogue,
        request.name,
        _subject_facts(request, subject),
        [_sae_facts(hookpoint, sae) for hookpoint, sae in saes.items()],
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


def _sae_facts(hookpoint: str, sae: "Sae") -> SaeFacts:
    return SaeFacts(
        hookpoint=hookpoint,
        source=sae.origin.source,
        kind=sae.kind,
        weights_sha256=sae.sha256,
        n_features=sae.n_features,
        settings={**sae.origin.settings, "notes": list(sae.origin.notes)},
    )


def _files(
    catalogue: Catalogue,
    request: CacheRequest,
    run_id: int,
    record: CacheRecord,
    subject: "Subject",
    saes: Mapping[str, "Sae"],
) -> Iterator[Progress]:
    from core.cache import build

    folder = catalogue.store / record.folder
    numbered = {h.hookpoint_id: (h.name, saes[h.name]) for h in record.hookpoints}
    texts = corpus.documents(request.corpus)
    noted = 0
    for progress in build(folder, subject, numbered, texts, _settings(request)):
        due = progress.done - noted >= NOTED or progress.done == progress.total
        if progress.stage == "caching" and due:
            noted = progress.done
            runs.set_done(catalogue, run_id, noted, progress.total)
        yield progress


def _finish(
    catalogue: Catalogue,
    request: CacheRequest,
    record: CacheRecord,
    subject: "Subject",
    saes: Mapping[str, "Sae"],
) -> Iterator[Progress]:
    """Measure every feature and enter the cache into the catalogue."""
    from core.pipeline.features import hookpoint_tables

    files = CacheFiles.open(catalogue.store / record.folder)
    tables = {}
    total = sum(h.n_features for h in record.hookpoints)
    done = 0
    for hookpoint in record.hookpoints:
        yield Progress("measuring features", done, total)
        tables[hookpoint.hookpoint_id] = hookpoint_tables(
            files, hookpoint, subject, saes[hookpoint.name]
        )
        done += hookpoint.n_features
    caches.finish_cache(catalogue, record.cache_id, _corpus_facts(files, request), tables)
    note = "; ".join(_fit(h, tables[h.hookpoint_id].fvu) for h in record.hookpoints)
    yield Progress("measuring features", total, total, note=note)


def _fit(hookpoint: HookpointRecord, fvu: float | None) -> str:
    """How well the SAE reconstructs its hookpoint, with the usual causes where it does not."""
    if fvu is None:
        return f"{hookpoint.name}: no decoder, reconstruction not measured"
    if hookpoint.sae_kind == "random":
        return f"{hookpoint.name}: FVU {fvu:.2f} of random directions, a baseline"
    if fvu < POOR:
        return f"{hookpoint.name}: FVU {fvu:.2f}"
    return (
        f"{hookpoint.name}: FVU {fvu:.2f}, the SAE does not fit; usual causes: another layer or "
        "side, missing BOS, missing normalisation"
    )


def _corpus_facts(files: CacheFiles, request: CacheRequest) -> CorpusFacts:
    meta = files.meta
    settings = {
        "bos_id": meta.bos_id,
        "separator_id": meta.eos_id,
        "requested_tokens": meta.requested_tokens,
        "exhausted": meta.exhausted,
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

"""The stage that caches a second subject beside a cache: the same tokens through the same SAEs.

The tokens are copied, never tokenised again, so that sequence i means the same in both caches. What
does not fit (tokenizer, width, length, hookpoints) is refused before any work with both figures. An
SAE of the first subject may reconstruct the second one badly: that is measured and shown, and no
reason to refuse.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from core.pipeline.caching import corpus_facts, sae_facts
from core.pipeline.inputs import full_subject, require_name
from core.pipeline.running import noted, plan_as_asked, running
from data import caches, runs
from data.baselines import subject_words
from data.cachefiles import CacheFiles, CacheMeta, HookpointMeta
from data.caches import SubjectFacts
from data.catalogue import Catalogue
from data.errors import BadInput
from data.percents import percent
from data.records import CacheRecord, HookpointRecord, Progress
from data.vocabulary import Vocabulary

if TYPE_CHECKING:
    from core.sae import Sae
    from core.subject import Subject

BESIDE = "beside"  # setting of a cache: the name of the cache whose tokens and SAEs it shares
Saes = Mapping[str, "Sae"]


@dataclass(frozen=True, slots=True)
class SecondRequest:
    """What `gloss diff cache` was asked for."""

    cache: str  # the first subject's
    subject: str  # folder, GGUF file or hub id of the second one
    name: str  # of the new cache
    hookpoints: tuple[str, ...] = ()  # () = all of the first cache
    dtype: str = "auto"
    device: str = "auto"
    revision: str | None = None
    runs_on: Literal["here", "ndif", "rehearsal"] = "here"
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed, to go on with


def named_after(subject: str) -> str:
    """What a second subject's cache is called unless it is said.

    >>> named_after("re-randomised:0:/models/base.gguf")
    're-randomised-0-base'
    """
    return subject_words(subject, 1).replace(":", "-").removesuffix(".gguf") or "second"


def second_stage(catalogue: Catalogue, request: SecondRequest) -> Iterator[Progress]:
    """Cache the second subject, go on where that stopped, or do nothing when it is done."""
    require_name(request.name)
    request = replace(request, subject=full_subject(request.subject))
    first = caches.cache(catalogue, request.cache)
    _require_first(first, request)
    files = CacheFiles.open(catalogue.store / first.folder)
    chosen = [caches.hookpoint(first, name) for name in request.hookpoints] or first.hookpoints
    yield Progress("loading the subject", 0, 1, "models")
    subject = _loaded(request)
    require_alike(subject, files.meta, first.name)
    saes = _saes(files.meta, subject, [one.name for one in chosen])
    yield Progress("loading the subject", 1, 1, "models")
    record = _begun(catalogue, request, files.meta, subject, saes)
    if record.status == "done":
        yield Progress("caching", record.n_tokens, record.n_tokens, "tokens",
                       note="nothing to do: done before")  # fmt: skip
        return
    plan = plan_as_asked("cache", record.cache_id, request)
    with running(catalogue, plan, files.meta.n_tokens) as run_id:
        meta = _meta(files.meta, subject, record)
        yield from _files(catalogue, files, meta, run_id, record, subject, saes)
        yield from _finish(catalogue, first, record, subject, saes)


def _require_first(first: CacheRecord, request: SecondRequest) -> None:
    if first.status != "done" or not first.has_activations:
        why = "is not finished" if first.status != "done" else "was imported without activations"
        raise BadInput(f"cache '{first.name}' {why}: a second subject needs its tokens and SAEs")
    if request.name == first.name:
        raise BadInput(f"--name {request.name} is the first subject's cache: give another name")


def _loaded(request: SecondRequest) -> "Subject":
    from core.subject import Subject

    return Subject.load(request.subject, dtype=request.dtype, device=request.device,
                        revision=request.revision, runs_on=request.runs_on)  # fmt: skip


def require_alike(subject: "Subject", meta: CacheMeta, cache: str) -> None:
    """Refuse a subject for which the tokens of a cache mean something else, or are too many."""
    known = Vocabulary.from_tokenizer(subject.tokenizer)
    if known.sha256 != meta.tokenizer_sha256:
        raise BadInput(
            f"the tokenizer of {subject.name} ({len(known):,} tokens, {known.sha256[:8]}...) is "
            f"not that of cache '{cache}' ({meta.vocabulary_size:,} tokens, "
            f"{meta.tokenizer_sha256[:8]}...): a second subject must read the same tokens"
        )
    if subject.max_length is not None and subject.max_length < meta.sequence_length:
        raise BadInput(
            f"cache '{cache}' has sequences of {meta.sequence_length} tokens, {subject.name} was "
            f"trained on {subject.max_length} at once: make the first cache with shorter ones"
        )


def _saes(meta: CacheMeta, subject: "Subject", names: list[str]) -> Saes:
    """Load the SAEs of the first cache; files that have changed since are refused."""
    found = {}
    for known in meta.hookpoints:
        if known.name in names:
            _require_width(subject, known.name, known.sae_source)
            found[known.name] = _sae(known, subject)
    return found


def _require_width(subject: "Subject", hookpoint: str, source: str) -> None:
    if hookpoint not in subject.hookpoints():
        raise BadInput(
            f"{subject.name} has no hookpoint {hookpoint}, which the SAE {source} reads: the "
            "second subject must be built like the first"
        )


def _sae(known: HookpointMeta, subject: "Subject") -> "Sae":
    from core.pipeline.saes import load_again

    sae = load_again(subject, known.sae_source, known.name, known.read_as)
    if sae.sha256 != known.sae_sha256:
        raise BadInput(
            f"the SAE {known.sae_source} is {sae.sha256[:8]}... now, the cache was made with "
            f"{known.sae_sha256[:8]}...: put the old one back"
        )
    return sae


def _begun(
    catalogue: Catalogue, request: SecondRequest, first: CacheMeta, subject: "Subject", saes: Saes
) -> CacheRecord:
    """Register the cache; it is compared by the first one's tokens besides subject and SAEs."""
    runs.mark_interrupted(catalogue)
    facts = SubjectFacts(
        request.subject, request.revision, subject.architecture, subject.dtype, subject.n_layers,
        subject.d_model, subject.vocabulary_size, subject.sha256,
    )  # fmt: skip
    known: dict[str, Any] = {
        "corpus": first.corpus,
        "tokens": first.tokens_sha256,
        "sequence_length": first.sequence_length,
        "runs_on": request.runs_on,
        BESIDE: request.cache,
    }
    listed = [sae_facts(name, sae) for name, sae in saes.items()]
    return caches.begin_cache(catalogue, request.name, facts, listed, known, seed=first.seed)


def _meta(first: CacheMeta, subject: "Subject", record: CacheRecord) -> CacheMeta:
    """The first cache's meta with this subject and this cache's numbers of the hookpoints."""
    numbers = {one.name: one.hookpoint_id for one in record.hookpoints}
    return replace(
        first,
        subject=subject.name,
        subject_sha256=subject.sha256,
        architecture=subject.architecture,
        dtype=subject.dtype,
        runs_on=subject.runs_on,
        hookpoints=tuple(
            replace(one, hookpoint_id=numbers[one.name])
            for one in first.hookpoints if one.name in numbers
        ),
    )  # fmt: skip


def _files(
    catalogue: Catalogue, first: CacheFiles, meta: CacheMeta, run_id: int, record: CacheRecord,
    subject: "Subject", saes: Saes,
) -> Iterator[Progress]:  # fmt: skip
    from core.cache import build_beside

    numbered = {one.hookpoint_id: (one.name, saes[one.name]) for one in record.hookpoints}
    folder = catalogue.store / record.folder
    return noted(catalogue, run_id, build_beside(folder, first, meta, subject, numbered))


def _finish(
    catalogue: Catalogue, first: CacheRecord, record: CacheRecord, subject: "Subject", saes: Saes
) -> Iterator[Progress]:
    """Measure every feature and the fit of each SAE to this subject, then enter the cache."""
    from core.pipeline.features import hookpoint_tables
    from core.quality import Sample

    files = CacheFiles.open(catalogue.store / record.folder)
    sample = Sample.of_cache(subject, files)
    tables, total, done = {}, sum(one.n_features for one in record.hookpoints), 0
    for one in record.hookpoints:
        yield Progress("measuring features", done, total)
        tables[one.hookpoint_id] = hookpoint_tables(files, one, sample, saes[one.name])
        done += one.n_features
    corpus = corpus_facts(files.meta, first.corpus, {BESIDE: first.name})
    caches.finish_cache(catalogue, record.cache_id, corpus, tables)
    second = caches.cache(catalogue, record.name)
    yield Progress("measuring features", total, total, note=fit_words(first, second))


def fit_words(first: CacheRecord, second: CacheRecord) -> str:
    """How well each SAE rebuilds both subjects, e.g. "layers.2: FVU .12 and .31; ..."."""
    known = {one.name: one for one in first.hookpoints}
    return "; ".join(
        f"{one.name}: FVU {_figure(known[one.name])} first, {_figure(one)} second"
        for one in second.hookpoints if one.name in known
    )  # fmt: skip


def _figure(one: HookpointRecord) -> str:
    recovered = one.losses and one.losses.recovered_mean
    share = "" if recovered is None else f" ({percent(recovered)} of the loss recovered)"
    return "not measured" if one.fvu is None else f"{one.fvu:.3f}{share}"

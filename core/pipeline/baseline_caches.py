"""The caches of baselines: other features, or another subject, over the very tokens of a cache.

A baseline's cache is named after the cache that it stands beside (demo.random-sae) and says so in
its settings. One cache has all hookpoints; where only some are asked for, each gets its own. An SAE
that is trained first is a run of its own; trained SAEs are kept in the store.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from core.baselines.kinds import Kind
from core.baselines.places import Dictionary, Mlp, Place, how, places
from core.exporting.neuronpedia_about import mlp_width
from core.pipeline.caching import CacheRequest, begun, finish
from core.pipeline.inputs import require_name
from core.pipeline.running import noted, plan_as_asked, running
from data import baselines, caches, ledger, runs
from data.baselines import Made, Origin
from data.cachefiles import CacheFiles, CacheMeta
from data.catalogue import Catalogue
from data.errors import BadInput
from data.records import CacheRecord, Progress
from data.runs import Plan

if TYPE_CHECKING:
    from core.baselines.training import Wanted
    from core.sae import Sae
    from core.subject import Subject

FOLDER = "baselines"  # of the store: SAEs that were trained here
BEAT = 5.0  # seconds between two notes of progress in the catalogue
SHARED = ("sequence_length", "tokenizer", "text", "runs_on")  # of a cache's settings, and below


class Target(NamedTuple):
    """One cache that is to be there."""

    kind: Kind
    name: str
    places: tuple[Place, ...]
    problem: str = ""  # why there can be none


def targets(
    record: CacheRecord, found: Origin, kinds: Sequence[Kind], hookpoints: Sequence[str]
) -> list[Target]:
    """The caches that some baselines of a cache need; hookpoints: full names, () = all."""
    sizes = {}
    for name, (n_features, k) in found.sizes.items():
        if k is None:
            raise BadInput(f"how many features of the SAE at {name} are on at a token is not "
                           "known, so nothing of its size can be made")  # fmt: skip
        sizes[name] = Dictionary(name, n_features, k, found.norms.get(name, ""))
    mlp = Mlp(found.architecture, mlp_width(record.subject))
    is_all = not hookpoints or set(hookpoints) == set(sizes)
    sets = [list(sizes.values())] if is_all else [[sizes[name]] for name in hookpoints]
    return [_target(record, kind, saes, mlp, is_all=is_all) for kind in kinds for saes in sets]


def _target(
    record: CacheRecord, kind: Kind, saes: Sequence[Dictionary], mlp: Mlp, *, is_all: bool
) -> Target:
    tail = "" if is_all else f".{saes[0].hookpoint.replace(':', '-')}"
    name = f"{record.name}.{kind.name}{tail}"
    try:
        return Target(kind, name, tuple(places(kind, saes, mlp)))
    except BadInput as error:
        return Target(kind, name, (), str(error))


def there(known: Sequence[Made], target: Target) -> Made | None:
    """The finished cache that serves a target: its own, or one of all hookpoints."""
    wanted = {name for place in target.places for name in place.beside}
    for made in known:
        is_one = made.kind == target.kind.name and made.status == "done"
        if is_one and wanted <= {name for others in made.places.values() for name in others}:
            return made
    return None


def make(
    catalogue: Catalogue, record: CacheRecord, target: Target, device: str, command: tuple[str, ...]
) -> Iterator[Progress]:
    """Make the cache of a target, or go on with it."""
    require_name(target.name)
    with catalogue.reading() as con:
        found = baselines.origin(con, record.cache_id)
    files = CacheFiles.open(catalogue.store / record.folder)
    yield Progress("loading the subject", 0, 1, "models")
    subject = _subject(record, target.kind, found, files.meta, device)
    yield Progress("loading the subject", 1, 1, "models")
    if target.kind.steps:
        yield from _train(catalogue, record, target, found, subject, files, command)
    saes = _saes(catalogue, target, subject, files.meta)
    request = _request(record, target, found, files.meta, subject, saes, command)
    known = _known(record, target, found, files, subject)
    made = begun(catalogue, request, subject, saes, known)
    plan = plan_as_asked("cache", made.cache_id, request)
    with running(catalogue, plan, files.meta.n_tokens) as run_id:
        yield from _files(catalogue, files, request, run_id, made, subject, saes)
        yield from finish(catalogue, request, made, subject, saes)


def _subject(
    record: CacheRecord, kind: Kind, found: Origin, meta: CacheMeta, device: str
) -> "Subject":
    """The subject as it was cached, or with weights drawn anew."""
    from core.subject import Subject

    hosted = meta.runs_on == "ndif"
    name = kind.subject(meta.subject)
    subject = Subject.load(
        name,
        dtype="auto" if hosted else meta.dtype,
        device="auto" if hosted else device,
        revision=found.revision,
        runs_on=meta.runs_on,
    )
    if name == meta.subject and subject.sha256 != meta.subject_sha256:
        raise BadInput(
            f"the weights of {name} are {subject.sha256[:8]}... now, cache '{record.name}' was "
            f"made with {meta.subject_sha256[:8]}...: put the old ones back"
        )
    return subject


def _train(
    catalogue: Catalogue, record: CacheRecord, target: Target, found: Origin, subject: "Subject",
    files: CacheFiles, command: tuple[str, ...],
) -> Iterator[Progress]:  # fmt: skip
    """Train the SAEs that are not there, each as a run."""
    from core.baselines.training import Wanted, is_trained

    folder = catalogue.store / FOLDER / target.name
    for place in target.places:
        (beside,) = place.beside
        n_features, k = found.sizes[beside]
        wanted = Wanted(place.hookpoint, n_features, k or 1, target.kind.steps, target.kind.seed)
        if is_trained(wanted, folder):
            continue
        settings = {"subject": subject.name, **wanted._asdict()}
        hookpoint = caches.hookpoint(record, beside).hookpoint_id
        plan = Plan("train", record.cache_id, hookpoint, None, settings, command)
        with running(catalogue, plan, wanted.steps) as run_id:
            yield from _trained(catalogue, run_id, subject, files, wanted, folder)


def _trained(
    catalogue: Catalogue, run_id: int, subject: "Subject", files: CacheFiles, wanted: "Wanted",
    folder,
) -> Iterator[Progress]:  # fmt: skip
    from core.baselines.training import train

    stage, noted = f"training an SAE at {wanted.hookpoint}", monotonic()
    now = Progress(stage, 0, wanted.steps, "steps", note="reading activations")
    for report in train(subject, files, wanted, folder):
        if report is not None:
            rate = report.step / report.seconds if report.seconds else None
            note = f"unexplained {report.unexplained:.3f}, silent {report.silent:,}"
            now = Progress(stage, report.step, wanted.steps, "steps", rate, note)
        if monotonic() - noted > BEAT:
            noted = monotonic()
            ledger.require_wanted(catalogue, run_id)
            runs.set_done(catalogue, run_id, now.done, wanted.steps)
        yield now
    runs.set_done(catalogue, run_id, wanted.steps, wanted.steps)
    yield replace(now, done=wanted.steps)


def _saes(
    catalogue: Catalogue, target: Target, subject: "Subject", beside: CacheMeta
) -> Mapping[str, "Sae"]:
    """The features of each hookpoint, which read what the SAE beside was told to read there.

    What that one's own files say of its input, the source of a random one says too.
    One that is trained learnt from what the module gives, which differs by a factor at most: a norm
    is on the input side, where none is trained.
    """
    from core.pipeline.offers import list_sources
    from core.pipeline.saes import load_saes

    folder = (catalogue.store / FOLDER / target.name).absolute()
    read_as = {one.name: one.read_as for one in beside.hookpoints if one.read_as}
    saes: dict[str, Sae] = {}
    for place in target.places:
        source = place.source or str(folder / place.hookpoint)
        name = read_as.get(place.hookpoint) if place.source else None
        saes |= load_saes(subject, list_sources([source]), [name or place.hookpoint])
    return saes


def _request(
    record: CacheRecord, target: Target, found: Origin, meta: CacheMeta, subject: "Subject",
    saes: Mapping[str, "Sae"], command: tuple[str, ...],
) -> CacheRequest:  # fmt: skip
    """What the run of the cache is known by."""
    return CacheRequest(
        subject=subject.name,
        saes=tuple(dict.fromkeys(sae.origin.source for sae in saes.values())),
        corpus=record.corpus,
        name=target.name,
        n_tokens=meta.requested_tokens or meta.n_tokens,
        hookpoints=tuple(saes),
        sequence_length=meta.sequence_length,
        column=meta.column,
        split_at=meta.split_at,
        shuffle_seed=meta.shuffle_seed,
        bos=None if meta.packing == "stored" else "first" if meta.bos_id is not None else "none",
        packing=None if meta.packing == "stored" else meta.packing,
        batch_size=meta.batch_size,
        dtype=meta.dtype,
        runs_on=meta.runs_on,
        revision=found.revision,
        seed=record.seed,
        command=command,
    )


def _known(
    record: CacheRecord, target: Target, found: Origin, files: CacheFiles, subject: "Subject"
) -> dict[str, Any]:
    """What the cache is compared by, besides subject and SAEs: the other's corpus, and its role."""
    from core.baselines.training import n_tokens
    from core.cache import CacheSettings

    names = (*(one.name for one in fields(CacheSettings)), *SHARED)
    shared = {name: found.settings[name] for name in names if name in found.settings}
    widest = max(subject.width(place.hookpoint) for place in target.places)
    said = {
        "of": record.name,
        "kind": target.kind.name,
        "places": {place.hookpoint: list(place.beside) for place in target.places},
        "how": how(target.kind, target.places, n_tokens(files, widest)),
    }
    return shared | {"baseline": said}


def _files(
    catalogue: Catalogue, files: CacheFiles, request: CacheRequest, run_id: int, made: CacheRecord,
    subject: "Subject", saes: Mapping[str, "Sae"],
) -> Iterator[Progress]:  # fmt: skip
    from core.cache import build_beside

    numbered = {h.hookpoint_id: (h.name, saes[h.name]) for h in made.hookpoints}
    meta = _meta(files.meta, subject, numbered)
    steps = build_beside(catalogue.store / made.folder, files, meta, subject, numbered)
    for progress in noted(catalogue, run_id, steps):
        yield replace(progress, stage=f"{progress.stage} {request.name}")


def _meta(
    first: CacheMeta, subject: "Subject", numbered: Mapping[int, tuple[str, "Sae"]]
) -> CacheMeta:
    """The other cache's meta with this subject and these features."""
    from core.cache import CacheSettings, plan

    mine = plan(subject, numbered, CacheSettings(sequence_length=first.sequence_length))
    if mine.tokenizer_sha256 != first.tokenizer_sha256:
        raise BadInput(f"the tokenizer of {subject.name} is no longer that of the cache: put the "
                       "old one back")  # fmt: skip
    return replace(
        first,
        subject=mine.subject,
        subject_sha256=mine.subject_sha256,
        architecture=mine.architecture,
        dtype=mine.dtype,
        runs_on=mine.runs_on,
        hookpoints=mine.hookpoints,
    )

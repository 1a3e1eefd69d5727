"""The stage that compares two subjects feature by feature: two caches in, a diff in the catalogue.

Each hookpoint that both caches read by the same SAE is one diff, entered in one transaction; killed
or run again, what is there is not measured again. Loads no model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from core.diffing.features import (
    Sequences,
    Tested,
    blocks,
    joined,
    joined_spans,
    sequences,
    tested,
)
from core.diffing.settings import DiffSettings
from core.diffing.statistics import Spans
from core.pipeline.running import Meter, plan_as_asked, running
from data import caches, diffs, ledger, runs
from data.cachefiles import CacheFiles, CacheMeta
from data.catalogue import Catalogue
from data.diffs import DiffKey
from data.errors import BadInput
from data.records import CacheRecord, HookpointRecord, Progress


@dataclass(frozen=True, slots=True)
class DiffRequest:
    """What `gloss diff features` was asked for."""

    first: str  # cache of the reference
    second: str  # cache of the subject in question
    hookpoints: tuple[str, ...] = ()  # () = all that both have
    settings: DiffSettings = field(default_factory=DiffSettings)
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed, to go on with


class Shared(NamedTuple):
    """One hookpoint that both caches read by the same SAE."""

    first: HookpointRecord
    second: HookpointRecord


class Pair(NamedTuple):
    """Two caches over the same tokens."""

    first: CacheRecord
    second: CacheRecord
    files: tuple[CacheFiles, CacheFiles]
    shared: tuple[Shared, ...]


def open_pair(
    catalogue: Catalogue, first: str, second: str, hookpoints: Sequence[str] = ()
) -> Pair:
    """Open two caches; what does not hold the same tokens through the same SAEs is refused."""
    records = caches.cache(catalogue, first), caches.cache(catalogue, second)
    if first == second:
        raise BadInput(f"'{first}' is named twice: a difference needs two caches")
    for record in records:
        if record.status != "done" or not record.has_activations:
            raise BadInput(f"cache '{record.name}' has no finished activations to compare")
    a, b = (CacheFiles.open(catalogue.store / record.folder) for record in records)
    _require_tokens(records[0], a.meta, records[1], b.meta)
    shared = _shared(records[0], a.meta, records[1], b.meta)
    if hookpoints:
        names = {caches.hookpoint(records[0], name).name for name in hookpoints}
        missing = names - {one.first.name for one in shared}
        if missing:
            raise BadInput(_apart(records[0], a.meta, records[1], b.meta, min(missing)))
        shared = [one for one in shared if one.first.name in names]
    if not shared:
        raise BadInput(_apart(records[0], a.meta, records[1], b.meta, a.meta.hookpoints[0].name))
    return Pair(*records, (a, b), tuple(shared))


def _require_tokens(
    first: CacheRecord, a: CacheMeta, second: CacheRecord, b: CacheMeta
) -> None:  # fmt: skip
    if (a.tokens_sha256, a.sequence_length) != (b.tokens_sha256, b.sequence_length):
        raise BadInput(
            f"caches '{first.name}' ({_tokens(a)}) and '{second.name}' ({_tokens(b)}) do not hold "
            f"the same tokens: gloss diff cache {first.name} SUBJECT makes one that does"
        )


def _tokens(meta: CacheMeta) -> str:
    return f"{meta.n_sequences:,} x {meta.sequence_length}, {meta.tokens_sha256[:8]}..."


def _shared(
    first: CacheRecord, a: CacheMeta, second: CacheRecord, b: CacheMeta
) -> list[Shared]:  # fmt: skip
    known = {one.name: one for one in second.hookpoints}
    return [
        Shared(one, known[one.name])
        for one in first.hookpoints
        if one.name in known and _sae(a, one.name) == _sae(b, one.name)
    ]


def _sae(meta: CacheMeta, name: str) -> str | None:
    return next((one.sae_sha256 for one in meta.hookpoints if one.name == name), None)


def _apart(
    first: CacheRecord, a: CacheMeta, second: CacheRecord, b: CacheMeta, name: str
) -> str:  # fmt: skip
    one, other = (sha[:8] + "..." if (sha := _sae(m, name)) else "none" for m in (a, b))
    return (
        f"caches '{first.name}' and '{second.name}' do not read {name} by the same SAE ({one} and "
        f"{other}): gloss diff cache {first.name} SUBJECT makes a cache that does"
    )


def diff_stage(catalogue: Catalogue, request: DiffRequest) -> Iterator[Progress]:
    """Compare every feature of two caches."""
    if not 0 < request.settings.level < 1:
        raise BadInput(f"--level {request.settings.level} is no share between 0 and 1")
    pair = open_pair(catalogue, request.first, request.second, request.hookpoints)
    units = sequences(pair.files[0], request.settings.seed)
    missing = [one for one in pair.shared if not diffs.known(catalogue, key_of(one, request))]
    total = sum(one.first.n_features for one in pair.shared)
    left = sum(one.first.n_features for one in missing)
    if not missing:
        yield Progress("comparing", total, total, note="nothing to do: compared before")
        return
    runs.mark_interrupted(catalogue)
    plan = plan_as_asked("diff", pair.first.cache_id, request)
    with running(catalogue, plan, total, total - left) as run_id:
        meter = Meter("comparing", left)
        for one in missing:
            yield from _measured(catalogue, request, pair, one, units, run_id, meter, total - left)


def key_of(shared: Shared, request: DiffRequest) -> DiffKey:
    """What makes the diff of one hookpoint the same one."""
    first, second = shared.first.hookpoint_id, shared.second.hookpoint_id
    return DiffKey("features", first, second, asdict(request.settings))


def _measured(
    catalogue: Catalogue, request: DiffRequest, pair: Pair, shared: Shared, units: Sequences,
    run_id: int, meter: Meter, before: int,
) -> Iterator[Progress]:  # fmt: skip
    """Measure one hookpoint and enter it; before: features that were there already."""
    first, second = (
        files.columns(one.hookpoint_id) for files, one in zip(pair.files, shared, strict=True)
    )
    parts = []
    yield meter.now()
    for part in blocks(first, second, units, request.settings, shared.first.name):
        parts.append(part)
        yield meter.advance(part.hi - part.lo)
        ledger.require_wanted(catalogue, run_id)
        runs.set_done(catalogue, run_id, before + meter.done, before + meter.total)
    level = request.settings.level
    mean, rate = (
        tested(joined([getattr(part, name) for part in parts]), level) for name in ("mean", "rate")
    )
    table = diff_table(mean, rate, joined_spans([part.auroc for part in parts]))
    n_chosen = int(units.chooses.sum())
    facts = {
        "n_sequences": len(units.chooses),
        "n_chosen_on": n_chosen,
        "n_held_out": len(units.chooses) - n_chosen,
        "n_features": len(mean.q),
        "n_alive": int((~np.isnan(mean.q)).sum()),
    } | {
        name: int((found <= level).sum())
        for name, found in (
            ("n_mean_chosen", mean.q), ("n_mean_confirmed", mean.q_held),
            ("n_rate_chosen", rate.q), ("n_rate_confirmed", rate.q_held),
        )
    }  # fmt: skip
    key = key_of(shared, request)
    diffs.write(catalogue, key, run_id, "diff_feature", table, facts, done=0)


def diff_table(mean: Tested, rate: Tested, auroc: Spans) -> pa.Table:
    """The rows of diff_feature, without diff_id."""
    columns = {"feature": pa.array(np.arange(len(mean.q), dtype=np.uint32))}
    for name, one in (("mean", mean), ("rate", rate)):
        columns |= {
            f"first_{name}": column(one.effect.first),
            f"second_{name}": column(one.effect.second),
            **spans(name, one.effect.spans),
            f"{name}_p": column(one.effect.p),
            f"{name}_q": column(one.q),
            f"{name}_held": column(one.q_held),
        }
    return pa.table(columns | spans("auroc", auroc))


def spans(name: str, found: Spans, *ends: str) -> dict[str, pa.Array]:
    """Three columns of a figure and its interval."""
    low, high = ends or (f"{name}_low", f"{name}_high")
    return {name: column(found.value), low: column(found.low), high: column(found.high)}


def column(values: np.ndarray) -> pa.Array:
    """A column of floats in which NaN is null."""
    return pa.array(values.astype(np.float64), pa.float64(), mask=np.isnan(values))

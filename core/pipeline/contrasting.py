"""The stage of contrast pairs: texts with and without a fact, run through one subject or two.

One subject is in memory at a time. What fires is small and held until both are done; then each
hookpoint is one diff, entered in one transaction. The same again does nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from core.diffing.pairs import Reaction, Reactions, gathered, reactions, run
from core.diffing.settings import PairSettings
from core.pipeline.diffing import column, open_pair, spans
from core.pipeline.running import Meter, plan_as_asked, running
from data import caches, diffs, ledger, runs
from data.catalogue import Catalogue
from data.contrast import TextPair, read_pairs
from data.diffs import DiffKey
from data.errors import BadInput
from data.records import CacheRecord, HookpointRecord, Progress

if TYPE_CHECKING:
    from core.fired import Everything


@dataclass(frozen=True, slots=True)
class PairsRequest:
    """What `gloss diff pairs` was asked for."""

    first: str  # cache
    pairs: str  # file of JSON lines
    second: str | None = None  # cache; None = one subject alone
    hookpoints: tuple[str, ...] = ()  # () = all
    settings: PairSettings = field(default_factory=PairSettings)
    device: str = "auto"
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed, to go on with


class Sides(NamedTuple):
    """One or two caches, and the hookpoints that are looked at: one record a cache."""

    records: tuple[CacheRecord, ...]
    hookpoints: tuple[tuple[HookpointRecord, ...], ...]  # of each place, in the order of records

    def key(self, place: int, kind: diffs.Kind, settings: dict[str, Any]) -> DiffKey:
        """What makes the diff at one place the same one."""
        first, *second = self.hookpoints[place]
        return DiffKey(kind, first.hookpoint_id, second[0].hookpoint_id if second else None,
                       settings)  # fmt: skip

    @property
    def names(self) -> list[str]:
        """Names of the hookpoints."""
        return [first.name for first, *_ in self.hookpoints]


def open_sides(
    catalogue: Catalogue, first: str, second: str | None, hookpoints: Sequence[str]
) -> Sides:
    """Open one cache, or two that share tokens and SAEs."""
    if second is not None:
        pair = open_pair(catalogue, first, second, hookpoints)
        return Sides((pair.first, pair.second), tuple(tuple(one) for one in pair.shared))
    record = caches.cache(catalogue, first)
    if record.status != "done" or not record.has_activations:
        raise BadInput(f"cache '{first}' has no finished activations to go by")
    chosen = [caches.hookpoint(record, name) for name in hookpoints] or record.hookpoints
    return Sides((record,), tuple((one,) for one in chosen))


def pairs_stage(catalogue: Catalogue, request: PairsRequest) -> Iterator[Progress]:
    """Find the features that react to what the pairs differ in."""
    pairs = read_pairs(Path(request.pairs))
    sides = open_sides(catalogue, request.first, request.second, request.hookpoints)
    settings = pair_settings(pairs, request)
    keys = [sides.key(place, "pairs", settings) for place in range(len(sides.hookpoints))]
    missing = [place for place, key in enumerate(keys) if not diffs.known(catalogue, key)]
    total = 2 * len(pairs) * len(sides.records)
    if not missing:
        yield Progress("running texts", total, total, "texts", note="nothing to do: run before")
        return
    runs.mark_interrupted(catalogue)
    plan = plan_as_asked("diff", sides.records[0].cache_id, request)
    with running(catalogue, plan, len(missing)) as run_id:
        names = [sides.names[place] for place in missing]
        meter = Meter("running texts", total, "texts")
        gathered_by_side: list[dict[str, Reactions]] = []
        for record in sides.records:
            found: dict[str, list[Everything]] = {name: [] for name in names}
            for progress in _run(catalogue, record, pairs, request, found, meter):
                ledger.require_wanted(catalogue, run_id)
                yield progress
            gathered_by_side.append(
                {name: gathered(every, request.settings) for name, every in found.items()}
            )
        for place, name in zip(missing, names, strict=True):
            every = [one[name] for one in gathered_by_side]
            tested = reactions(every, request.settings, name)
            usable = np.logical_and.reduce([one.usable for one in every])
            facts = facts_of(usable, tested, len(pairs))
            table = pa.concat_tables([reaction_table(one) for one in tested])
            diffs.write(catalogue, keys[place], run_id, "pair_feature", table, facts, done=1)


def pair_settings(pairs: Sequence[TextPair], request: PairsRequest) -> dict[str, Any]:
    """Everything that the answer depends on: the texts themselves, not where they are kept."""
    return asdict(request.settings) | {"pairs": [list(pair) for pair in pairs]}


def _run(
    catalogue: Catalogue, record: CacheRecord, pairs: Sequence[TextPair], request: PairsRequest,
    found: "dict[str, list[Everything]]", meter: Meter,
) -> Iterator[Progress]:  # fmt: skip
    """Run all texts through one subject, which is let go of afterwards."""
    from core.probe import open_probe

    yield Progress("loading the subject", 0, 1, "models", note=record.subject)
    probe = open_probe(catalogue, record, list(found), device=request.device)
    before = 0
    for done, part in run(probe, pairs, list(found), request.settings):
        for name, every in part.items():
            found[name] += every
        yield meter.advance(done - before)
        before = done


def facts_of(usable: np.ndarray, tested: Sequence[Reaction], n_pairs: int) -> dict[str, Any]:
    """What was counted."""
    return {
        "n_pairs": int(usable.sum()),
        "n_left_out": n_pairs - int(usable.sum()),
        "n_features": len(tested[0].feature),
        "n_reacting": {str(one.side): int((one.q <= 0.05).sum()) for one in tested},
    }


def reaction_table(one: Reaction) -> pa.Table:
    """The rows of pair_feature of one side, without diff_id."""
    n = len(one.feature)
    return pa.table(
        {
            "feature": pa.array(one.feature.astype(np.uint32)),
            "side": pa.array(np.full(n, one.side, np.uint8)),
            "n": pa.array(one.n.astype(np.uint32)),
            **spans("difference", one.spans, "low", "high"),
            "p": column(one.p),
            "q": column(one.q),
        }
    )

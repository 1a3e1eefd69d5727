"""The stage of baselines: an SAE and what has learned less, through the same pipeline.

Makes the caches that are missing, explains and scores a sample of every cache with one setting and
one judge, and scores explanations that are not meant (methods 6.5, 8). The work is that of the
other stages, so each part is a run, nothing is done twice, and the same command goes on where it
stopped; a run of this stage holds them together, and is what the table is read by.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import NamedTuple

from core.baselines import kinds
from core.baselines.kinds import OWN
from core.grammar.settings import Settings
from core.llm.settings import EndpointSettings
from core.pipeline import sweeping
from core.pipeline.baseline_caches import Target, make, targets, there
from core.pipeline.baseline_left import Left, left_of, nulls_left
from core.pipeline.explaining_model import described as described_model
from core.pipeline.judging import DEFAULT
from core.pipeline.nulls import null_stage
from core.pipeline.running import running
from core.pipeline.scorers import GRAMMAR, Means, opened
from core.pipeline.scoring import made_scorers, open_bench
from core.pipeline.sweeping import Purse, SweepRequest
from core.pipeline.variations import AnySettings, recorded
from data import baselines, caches, ledger, runs
from data.catalogue import Catalogue
from data.errors import BadInput
from data.records import CacheRecord, Progress
from data.runs import Plan

STAGE = "baselines"
BEAT = 5.0  # seconds between two signs of life
NOTHING = "the caches, explanations and scores of these baselines are there"


@dataclass(frozen=True, slots=True)
class BaselineRequest:
    """What `gloss baselines` was asked for."""

    cache: str
    hookpoints: tuple[str, ...] = ()  # () = all of the cache
    features: str = "random:100"  # of each cache, as in selection.py
    only: tuple[str, ...] = ()  # () = the usual ones
    settings: AnySettings = field(default_factory=Settings)  # of the explainer
    endpoint: EndpointSettings | None = None  # of its model; its budget is for everything
    means: Means = field(default_factory=Means)  # who judges
    scorers: tuple[str, ...] = DEFAULT
    preset: str = "gloss"
    steps: int = kinds.STEPS  # of training an SAE; 0 = a random one
    seed: int = 0  # of directions, weights and examples
    device: str = "auto"
    workers: int = 0
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed, to go on with

    def sweep(self, cache: str, hookpoints: Sequence[str]) -> SweepRequest:
        """The same over the features of one cache, as a sweep of one setting."""
        return SweepRequest(
            cache=cache, settings=(self.settings,), hookpoints=tuple(hookpoints),
            features=self.features, endpoint=self.endpoint, means=self.means,
            scorers=self.scorers, preset=self.preset, seed=self.seed, workers=self.workers,
            command=self.command,
        )  # fmt: skip


class Part(NamedTuple):
    """One row of the table that is a cache: the SAE's own, or a baseline's."""

    name: str  # kind, or "sae"
    cache: str  # name of the cache
    hookpoints: tuple[str, ...]  # of that cache
    target: Target | None = None  # None: the cache that everything is about
    is_cached: bool = True
    left: Left = Left()


class Opened(NamedTuple):
    """What a request comes to."""

    record: CacheRecord
    hookpoints: tuple[str, ...]  # full names
    parts: tuple[Part, ...]  # the SAE's own first
    nulls: tuple[str, ...]  # kinds of null scores
    nulls_left: int  # null scores to be asked for, as far as explanations are there

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        rest = any(part.left or not part.is_cached for part in self.possible)
        return not rest and not self.nulls_left

    @property
    def possible(self) -> list[Part]:
        """Parts that can be made at all."""
        return [part for part in self.parts if not (part.target and part.target.problem)]


def baseline_stage(catalogue: Catalogue, request: BaselineRequest) -> Iterator[Progress]:
    """Make, explain and score everything that is missing; an error ends all of it."""
    found = open_baselines(catalogue, request)
    problems = [f"{part.name}: {part.target.problem}" for part in found.parts
                if part.target and part.target.problem]  # fmt: skip
    if problems and request.only and len(found.possible) == 1 and not found.nulls:
        raise BadInput(problems[0])
    if found.is_done and _is_known(catalogue, request, found):
        yield Progress("baselines", 0, 0, note="; ".join([NOTHING, *problems]))
        return
    plan = Plan(STAGE, found.record.cache_id, None, explainer_id(catalogue, request),
                run_settings(request, found), request.command)  # fmt: skip
    total = len(found.possible) + bool(found.nulls)
    with running(catalogue, plan, total) as run_id:
        pulse = Pulse(catalogue, run_id, total)
        yield from pulse.over(_parts(catalogue, request, found, pulse))
    yield Progress("baselines", total, total, "parts", note="; ".join(problems))


def open_baselines(catalogue: Catalogue, request: BaselineRequest) -> Opened:
    """Look what there is and what is missing; nothing is made."""
    kinds.check(request.only, request.steps)
    sweeping.check(request.sweep(request.cache, request.hookpoints))
    record = caches.cache(catalogue, request.cache)
    if record.baseline_of:
        raise BadInput(
            f"cache '{record.name}' is a baseline of '{record.baseline_of}': "
            f"gloss baselines {record.baseline_of} compares it"
        )
    own = sweeping.open_sweep(catalogue, request.sweep(request.cache, request.hookpoints))
    names = tuple(hookpoint.name for hookpoint, _ in own.chosen)
    with catalogue.reading() as con:
        origin = baselines.origin(con, record.cache_id)
        known = baselines.made_for(con, record.name)
    wanted = targets(record, origin, kinds.kinds_of(request.only, steps=request.steps,
                                                    seed=request.seed), names)  # fmt: skip
    parts = [Part(OWN, record.name, names, None, True, left_of(catalogue, request, own))]
    for target in wanted:
        parts.append(_part(catalogue, request, target, there(known, target)))
    nulls = tuple(kinds.nulls_of(request.only))
    return Opened(record, names, tuple(parts), nulls, nulls_left(catalogue, request, own, nulls))


def _part(
    catalogue: Catalogue, request: BaselineRequest, target: Target, made: baselines.Made | None
) -> Part:
    if made is None:
        names = tuple(place.hookpoint for place in target.places)
        return Part(target.kind.name, target.name, names, target, False)
    wanted = {name for place in target.places for name in place.beside}
    names = tuple(own for own, others in made.places.items() if wanted & set(others))
    sweep = request.sweep(made.name, names)
    left = left_of(catalogue, request, sweeping.open_sweep(catalogue, sweep))
    return Part(target.kind.name, made.name, names, target, True, left)


def _is_known(catalogue: Catalogue, request: BaselineRequest, found: Opened) -> bool:
    """Whether a run of this stage was about the same, so that pages know of it."""
    settings = run_settings(request, found)
    with catalogue.reading() as con:
        every = baselines.studies(con, found.record.cache_id)
    return any(dict(one.settings) == settings and one.status == "done" for one in every)


def run_settings(request: BaselineRequest, found: Opened) -> dict[str, object]:
    """What the table is made from, JSON-ready."""
    explainer = recorded(request.settings)
    return {
        "features": request.features,
        "hookpoints": list(found.hookpoints),
        "only": [name for name in kinds.ASKED if name in (request.only or kinds.USUAL)],
        "steps": request.steps,
        "seed": request.seed,
        "explainer": explainer.get("explainer", GRAMMAR),
        "model": request.endpoint.model if request.endpoint else None,
        "scorers": list(request.scorers),
        "judge": request.means.judge,
        "preset": request.preset,
    }


def explainer_id(catalogue: Catalogue, request: BaselineRequest) -> int:
    """The explainer's number, added where it is new."""
    if request.endpoint is None or isinstance(request.settings, Settings):
        return ledger.method_id(catalogue, "explainer", GRAMMAR, None, recorded(request.settings))
    return ledger.method_id(catalogue, "explainer", request.settings.explainer,
                            request.endpoint.model, described_model(request.settings))  # fmt: skip


class Pulse:
    """Keeps the run of the whole alive while its parts work, and hears when it is cancelled."""

    def __init__(self, catalogue: Catalogue, run_id: int, total: int) -> None:
        self._catalogue, self._run_id, self._total = catalogue, run_id, total
        self.done, self._last = 0, monotonic()

    def over(self, work: Iterator[Progress]) -> Iterator[Progress]:
        """Pass everything on, with a sign of life now and then."""
        for progress in work:
            if monotonic() - self._last > BEAT:
                self._beat()
            yield progress

    def finished(self) -> None:
        """One part more is done."""
        self.done += 1
        self._beat()

    def _beat(self) -> None:
        self._last = monotonic()
        ledger.require_wanted(self._catalogue, self._run_id)
        runs.set_done(self._catalogue, self._run_id, self.done, self._total)


def _parts(
    catalogue: Catalogue, request: BaselineRequest, found: Opened, pulse: Pulse
) -> Iterator[Progress]:
    """The SAE's own scores first, its nulls, then baseline after baseline."""
    own = request.sweep(found.record.name, found.hookpoints)
    purse = Purse.of(catalogue, own)
    for place, part in enumerate(found.possible):
        if part.target is not None and not part.is_cached:
            yield from make(catalogue, found.record, part.target, request.device, request.command)
        sweep = request.sweep(part.cache, part.hookpoints)
        for progress in _explained_and_scored(catalogue, sweep, purse):
            yield replace(progress, stage=f"{part.name}: {progress.stage}")
        pulse.finished()
        if place == 0 and found.nulls:
            yield from _nulls(catalogue, purse.limited(catalogue, own), found.nulls)
            pulse.finished()


def _explained_and_scored(
    catalogue: Catalogue, request: SweepRequest, purse: Purse
) -> Iterator[Progress]:
    at = sweeping.open_sweep(catalogue, request)
    (settings,) = request.settings
    for stage in (sweeping.explaining, sweeping.scoring):
        yield from stage(catalogue, purse.limited(catalogue, request), at, settings)


def _nulls(
    catalogue: Catalogue, request: SweepRequest, wanted: tuple[str, ...]
) -> Iterator[Progress]:
    """Score explanations that are not meant; those of this explainer are exchanged."""
    at = sweeping.open_sweep(catalogue, request)
    written = sweeping.explanations_of(catalogue, request, at, request.settings[0])
    if not written:
        yield Progress("nulls", 0, 0, note="there is no usable explanation to exchange")
        return
    asked = replace(sweeping.score_request(request, at, written), nulls=wanted)
    bench = open_bench(catalogue, at.record, request.preset)
    with opened(catalogue, bench, request.means) as tools:
        for hookpoint, chosen in at.chosen:
            made = made_scorers(catalogue, asked, tools, hookpoint)
            yield from null_stage(catalogue, asked, tools, hookpoint, chosen, made)

"""The stage of the noise sweep: one subject or two, changed at one place over a grid of strengths.

Every point is stored as it is measured, so that a sweep that is killed goes on where it was.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core import seeds
from core.diffing.settings import NoiseSettings
from core.pipeline.contrasting import Sides, open_sides
from core.pipeline.running import Meter, plan_as_asked, running
from data import diffs, ledger, runs
from data.cachefiles import CacheFiles
from data.catalogue import Catalogue
from data.contrast import read_lines
from data.diffs import DiffKey, Point
from data.errors import BadInput
from data.imports.foreign import clean, shown
from data.records import Progress

if TYPE_CHECKING:
    from core.diffing.noise import Prompts
    from core.probe import Probe

FARTHEST = 1_000.0  # strength, either way
Spot = tuple[int, str, float]  # side, direction, strength


@dataclass(frozen=True, slots=True)
class NoiseRequest:
    """What `gloss diff noise` was asked for."""

    first: str  # cache
    second: str | None = None  # cache; None = one subject alone
    hookpoint: str | None = None  # None = the only one
    settings: NoiseSettings = field(default_factory=NoiseSettings)
    target: str = ""  # text whose log-probability after each prompt is read; "" = none
    prompts: str | None = None  # file with a prompt a line; None = sequences of the cache
    device: str = "auto"
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed, to go on with


def noise_stage(catalogue: Catalogue, request: NoiseRequest) -> Iterator[Progress]:
    """Measure every point that is not there yet, subject by subject."""
    request = _checked(request)
    sides = _sides(catalogue, request)
    texts = _texts(request)
    key = sides.key(0, "noise", sweep_settings(request, texts))
    spots = _spots(len(sides.records), request.settings)
    if diffs.known(catalogue, key):
        yield Progress("adding noise", len(spots), len(spots), "points",
                       note="nothing to do: measured before")  # fmt: skip
        return
    with catalogue.reading() as con:
        there = {(p.side, p.direction, p.strength) for p in diffs.points(con, key.natural)}
    missing = [spot for spot in spots if spot not in there]
    runs.mark_interrupted(catalogue)
    here = sides.hookpoints[0][0]
    plan = plan_as_asked("diff", sides.records[0].cache_id, request, here.hookpoint_id)
    with running(catalogue, plan, len(spots), len(spots) - len(missing)) as run_id:
        meter = Meter("adding noise", len(missing), "points",
                      f"{len(there):,} points are there already" if there else "")  # fmt: skip
        for side in range(1, 1 + len(sides.records)):
            mine = [spot for spot in missing if spot[0] == side]
            if mine:
                yield from _swept(catalogue, request, sides, texts, mine, key, run_id, meter)
        diffs.write_facts(catalogue, key, run_id, {"n_points": len(spots)})


def _checked(request: NoiseRequest) -> NoiseRequest:
    """Sort the strengths, 0 always among them, the check that nothing changes nothing."""
    given = request.settings.strengths
    if not all(abs(strength) <= FARTHEST for strength in given):
        raise BadInput(f"strengths are numbers from {-FARTHEST:g} to {FARTHEST:g}")
    strengths = tuple(sorted({0.0, *(float(one) for one in given)}))
    if request.settings.prompts < 1 or request.settings.prompt_tokens < 1:
        raise BadInput("noise needs at least one prompt of at least one token")
    return replace(request, target=clean(request.target),
                   settings=replace(request.settings, strengths=strengths))  # fmt: skip


def _sides(catalogue: Catalogue, request: NoiseRequest) -> Sides:
    named = () if request.hookpoint is None else (request.hookpoint,)
    sides = open_sides(catalogue, request.first, request.second, named)
    if len(sides.hookpoints) > 1:
        names = ", ".join(sides.names)
        raise BadInput(f"noise is added at one place: give --hookpoint, one of {names}")
    return sides


def _texts(request: NoiseRequest) -> tuple[str, ...]:
    return read_prompts(Path(request.prompts)) if request.prompts else ()


def key_of(catalogue: Catalogue, request: NoiseRequest) -> DiffKey:
    """What makes a sweep the same one."""
    request = _checked(request)
    return _sides(catalogue, request).key(0, "noise", sweep_settings(request, _texts(request)))


def sweep_settings(request: NoiseRequest, texts: Sequence[str]) -> dict[str, Any]:
    """Everything that the answer depends on."""
    return asdict(request.settings) | {"target": request.target, "texts": list(texts)}


def with_strengths(settings: NoiseSettings, text: str) -> NoiseSettings:
    """Read strengths as typed, e.g. "0.1, 0.5,2"."""
    try:
        found = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise BadInput(f"--strengths {text!r}: write numbers with commas, e.g. 0.1,0.5,2") from None
    if not found:
        raise BadInput("--strengths has no number: write e.g. 0.1,0.5,2")
    return replace(settings, strengths=found)


def read_prompts(path: Path) -> tuple[str, ...]:
    """Read prompts, one a line."""
    lines = read_lines(path, "a text file with one prompt a line")
    found = tuple(line for line in lines if line.strip())
    if not found:
        raise BadInput(f"{shown(path)} has no prompt: give a text file with one a line")
    return found


def _spots(n_sides: int, settings: NoiseSettings) -> list[Spot]:
    return [
        (side, direction, strength)
        for side in range(1, n_sides + 1)
        for direction in settings.directions
        for strength in settings.strengths
    ]


def _swept(
    catalogue: Catalogue, request: NoiseRequest, sides: Sides, texts: Sequence[str],
    spots: Sequence[Spot], key: DiffKey, run_id: int, meter: Meter,
) -> Iterator[Progress]:  # fmt: skip
    """Measure points of one subject, which is let go of afterwards."""
    from core.diffing.noise import Place, Sweep
    from core.probe import open_probe

    record = sides.records[spots[0][0] - 1]
    name = sides.names[0]
    yield Progress("loading the subject", 0, 1, "models", note=record.subject)
    probe = open_probe(catalogue, record, [name], device=request.device)
    files = CacheFiles.open(catalogue.store / sides.records[0].folder)
    prompts = _prompts(probe, files, texts, request)
    sweep = Sweep(Place(probe.subject, probe.sae(name), name), prompts, request.settings)
    for side, direction, strength in spots:
        ledger.require_wanted(catalogue, run_id)
        found = sweep.measure(direction, strength)
        point = Point(side, direction, strength, sweep.length, found.kl, found.target)
        diffs.write_point(catalogue, key, run_id, point)
        yield meter.advance(1)


def _prompts(
    probe: "Probe", files: CacheFiles, texts: Sequence[str], request: NoiseRequest
) -> "Prompts":
    """Token ids of the prompts, the same for every subject that reads the same tokens."""
    from core.diffing.noise import prompts_of

    meta, settings = files.meta, request.settings
    before = probe.n_before
    target = probe.prompt(request.target)[before:] if request.target else []
    longest = probe.subject.max_length or meta.sequence_length
    if (needed := len(target) + max(2, before + 1)) > longest:
        raise BadInput(
            f"the target has {len(target):,} tokens, {needed:,} with the shortest prompt, and the "
            f"subject reads {longest:,}: give a shorter --target"
        )
    if texts:
        room = max(1, longest - len(target) - before)
        whole = [probe.prompt(text) for text in texts]
        ids = [[*one[:before], *one[before:][-room:]] for one in whole]
    else:
        take = min(settings.prompt_tokens + before, meta.sequence_length, longest - len(target))
        seed = seeds.seed_of(settings.seed, "", 0, "noise-prompts")
        chosen = seeds.permutation(seed, meta.n_sequences)[: settings.prompts]
        first = np.sort(chosen) * meta.sequence_length
        ids = files.tokens.windows(first, max(2, take)).tolist()
    return prompts_of(ids, target, meta.special_ids)

"""The stage that compares SAEs: hookpoints of one or two caches in, one stored comparison a pair.

With one cache every two of its hookpoints are compared by explanations and by where they fire; with
two caches every hookpoint of the one with every of the other, and by weights where the hookpoint is
the same. What is stored already is left alone; new explanations make a new comparison.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from core import meaning
from core.likeness import Likeness
from core.pipeline.likeness_inputs import Inputs, Side
from core.pipeline.running import running
from data import caches, ledger, likeness
from data.caches import digest
from data.catalogue import Catalogue
from data.errors import BadInput
from data.likeness import MEASURES, NewCell
from data.records import CacheRecord, Progress
from data.runs import Plan

if TYPE_CHECKING:
    from core.encoder import Encoder

DECODER, EXPLANATIONS, FIRING = MEASURES
LEFT_OUT = "left out"  # the stage of a step that says what cannot be compared
FEATURES = 5_000  # of an SAE, at most (methods.md 8); all of them where weights are compared


@dataclass(frozen=True, slots=True)
class LikenessRequest:
    """What `gloss similarity` was asked for."""

    cache: str
    other: str | None = None  # another cache; None = the hookpoints of one
    hookpoints: tuple[str, ...] = ()  # () = all
    measures: tuple[str, ...] = ()  # () = all that can be had
    features: int = FEATURES
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed, to go on with


class Pair(NamedTuple):
    """Two SAEs to be compared by one measure."""

    measure: str
    first: Side
    second: Side


def likeness_stage(
    catalogue: Catalogue, request: LikenessRequest, encoder: "Encoder | None" = None
) -> Iterator[Progress]:
    """Compare what is not compared yet; encoder: of explanations, None = the packaged one."""
    work = Work(catalogue, request, encoder)
    planned, notes = work.planned()
    for note in notes:
        yield Progress(LEFT_OUT, 0, 0, "comparisons", note=note)
    cells = [Cell(pair, work.settings(pair)) for pair in planned]
    with catalogue.reading() as con:
        there = likeness.known(con, [cell.key for cell in cells])
    missing = [cell for cell in cells if cell.key not in there]
    if not missing:
        note = f"all {len(cells)} comparisons are there already"
        yield Progress("comparing SAEs", 0, 0, "comparisons", note=note)
        return
    with running(catalogue, work.plan(), len(cells), len(cells) - len(missing)) as run_id:
        yield Progress("comparing SAEs", 0, len(missing), "comparisons")
        for step in work.embedded(missing):
            ledger.require_wanted(catalogue, run_id)
            yield step
        for done, cell in enumerate(missing):
            ledger.require_wanted(catalogue, run_id)
            yield Progress("comparing SAEs", done, len(missing), "comparisons", note=cell.words)
            likeness.write_cell(catalogue, run_id, work.measured(cell))
        yield Progress("comparing SAEs", len(missing), len(missing), "comparisons")


class Cell(NamedTuple):
    """One comparison to be made."""

    pair: Pair
    settings: dict[str, object]  # what makes two comparisons of the same SAEs the same

    @property
    def ids(self) -> list[int]:
        """hookpoint_id of either side."""
        return [side.hookpoint_id for side in (self.pair.first, self.pair.second)]

    @property
    def key(self) -> str:
        """The natural key."""
        return digest(self.pair.measure, *self.ids, self.settings)

    @property
    def words(self) -> str:
        """Which, e.g. "demo:layers.1 with demo:layers.2 by co-firing"."""
        return f"{self.pair.first.name} with {self.pair.second.name} by {self.pair.measure}"


class Work:
    """What was asked for, with what it is made from; everything is opened once."""

    def __init__(
        self, catalogue: Catalogue, request: LikenessRequest, encoder: "Encoder | None"
    ) -> None:
        self.catalogue = catalogue
        self.request = request
        self.record = caches.cache(catalogue, request.cache)
        self.other = None if request.other is None else caches.cache(catalogue, request.other)
        self.inputs = Inputs(catalogue, request.features, encoder)
        if unknown := sorted(set(request.measures) - set(MEASURES)):
            raise BadInput(f"--measure {unknown[0]}: there is {', '.join(MEASURES)}")
        if request.features < 2:
            raise BadInput(f"--features {request.features}: compare at least 2 features a side")
        if self.other is not None and self.other.cache_id == self.record.cache_id:
            raise BadInput(f"both caches are '{self.record.name}': name another one, or only one")

    def plan(self) -> Plan:
        """The run that stores the comparisons."""
        request = self.request
        settings = {
            "measures": list(request.measures or MEASURES), "features": f"up to {request.features}",
            "other": request.other, "hookpoints": list(request.hookpoints),
        }  # fmt: skip
        return Plan("similarity", self.record.cache_id, None, None, settings, request.command)

    def planned(self) -> tuple[list[Pair], list[str]]:
        """The comparisons that can be made, and a line for everything that cannot."""
        pairs, notes = [], []
        for measure in self.request.measures or MEASURES:
            if why := self.unable(measure):
                notes.append(f"{measure}: {why}")
                continue
            mute = self.mute() if measure == EXPLANATIONS else {}
            notes += mute.values()
            pairs += [
                Pair(measure, a, b) for a, b in self.sides()
                if (measure != DECODER or a.hookpoint.name == b.hookpoint.name)
                and not {a.name, b.name} & set(mute)
            ]  # fmt: skip
        if not pairs:
            raise BadInput("; ".join(notes) or (
                f"cache '{self.record.name}' has one hookpoint here: name another one too, or a "
                "second cache"
            ))  # fmt: skip
        return pairs, notes

    def mute(self) -> dict[str, str]:
        """SAEs with too few explanations to compare, each with what to do about it."""
        return {
            side.name: f"{side.name} has fewer than 2 explanations: gloss explain "
            f"{side.record.name} writes them"
            for pair in self.sides()
            for side in pair
            if len(self.inputs.explained(side)) < 2
        }

    def sides(self) -> list[tuple[Side, Side]]:
        """Every two SAEs, the older first: a comparison is the same from either side."""
        first = self.chosen(self.record)
        if self.other is None:
            return [(a, b) for place, a in enumerate(first) for b in first[place + 1 :]]
        pairs = [(a, b) for a in first for b in self.chosen(self.other)]
        return [(a, b) if a.hookpoint_id < b.hookpoint_id else (b, a) for a, b in pairs]

    def chosen(self, record: CacheRecord) -> list[Side]:
        """The SAEs of a cache that were asked for."""
        if record.status != "done":
            raise BadInput(f"cache '{record.name}' is not finished: run its gloss cache again")
        named = [caches.hookpoint(record, name) for name in self.request.hookpoints]
        return [Side(record, one) for one in named or record.hookpoints]

    def unable(self, measure: str) -> str | None:
        """Why a measure cannot be had; None = it can."""
        records = [self.record, *([self.other] if self.other else [])]
        if measure == EXPLANATIONS:
            has_one = self.inputs.given is not None or meaning.is_installed()
            return None if has_one else f"sentence encoders are an extra: {meaning.EXTRA}"
        if without := [record.name for record in records if not record.has_activations]:
            return f"cache '{without[0]}' was imported without activations"
        if measure == FIRING:
            return self._other_text(records)
        return self._other_space(records)

    def _other_text(self, records: Sequence[CacheRecord]) -> str | None:
        """Whether the caches are of different tokens."""
        metas = [self.inputs.files(record).meta for record in records]
        texts = {(meta.tokens_sha256, meta.sequence_length) for meta in metas}
        return None if len(texts) == 1 else "the caches hold different tokens"

    def _other_space(self, records: Sequence[CacheRecord]) -> str | None:
        """Whether weights have no place at which they compare."""
        if len(records) == 1:
            return "weights compare at one hookpoint: name a second cache with another SAE there"
        subjects = {self.inputs.files(record).meta.subject_sha256 for record in records}
        if len(subjects) > 1:
            return f"the subjects differ ({records[0].subject} and {records[1].subject})"
        names = [{side.hookpoint.name for side in self.chosen(record)} for record in records]
        return None if names[0] & names[1] else "the caches have no hookpoint in common"

    def embedded(self, cells: Sequence[Cell]) -> Iterator[Progress]:
        """Make the vectors of explanations that are missing."""
        ids = {one for cell in cells if cell.pair.measure == EXPLANATIONS for one in cell.ids}
        for hookpoint_id in sorted(ids):
            yield from meaning.embed(self.catalogue, self.inputs.encoder, hookpoint_id, Event())

    def settings(self, pair: Pair) -> dict[str, object]:
        """What makes two comparisons of the same SAEs the same."""
        if pair.measure == DECODER:
            return {}
        settings: dict[str, object] = {"features": self.request.features}
        if pair.measure == EXPLANATIONS:
            said = [self.inputs.explained(side) for side in (pair.first, pair.second)]
            settings |= {"encoder": self.inputs.encoder.name, "explanations": digest(*said)}
        return settings

    def measured(self, cell: Cell) -> NewCell:
        """Compare two SAEs."""
        measures: dict[str, Callable[[Side, Side], Likeness]] = {
            DECODER: self.by_direction, EXPLANATIONS: self.by_wording, FIRING: self.by_firing,
        }  # fmt: skip
        found = measures[cell.pair.measure](cell.pair.first, cell.pair.second)
        return as_stored(cell, found)

    def by_wording(self, first: Side, second: Side) -> Likeness:
        """Compare what is said of the features."""
        from core.likeness.wording import by_wording

        a, b = self.inputs.vectors(first), self.inputs.vectors(second)
        return by_wording(a, b, seed=first.record.seed)

    def by_firing(self, first: Side, second: Side) -> Likeness:
        """Compare where the features fire."""
        from core.likeness.together import by_firing

        text = self.inputs.text(self.record)
        a, b = self.inputs.firings(first), self.inputs.firings(second)
        found = by_firing(a, b, text, seed=first.record.seed)
        return found._replace(detail={"tokens": text.n_tokens, "of": self.record.n_tokens})

    def by_direction(self, first: Side, second: Side) -> Likeness:
        """Compare the weights."""
        from core.likeness.directions import by_direction

        a, b = self.inputs.directions(first, second)
        if a.decoder.shape[1] != b.decoder.shape[1]:
            raise BadInput(
                f"{first.name} writes {a.decoder.shape[1]} numbers a token and {second.name} "
                f"{b.decoder.shape[1]}: they do not write to one place"
            )
        return by_direction(a, b, seed=first.record.seed)


def as_stored(cell: Cell, found: Likeness) -> NewCell:
    """A comparison as the catalogue keeps it."""
    detail = dict(found.detail or {})
    encoder = found.encoder
    return NewCell(
        settings_hash=cell.key,
        measure=cell.pair.measure,
        first_id=cell.ids[0],
        second_id=cell.ids[1],
        settings=cell.settings,
        method=found.method,
        n_first=found.n[0],
        n_second=found.n[1],
        value=found.mean,
        baseline=found.baseline,
        low=found.low,
        high=found.high,
        n_shared=detail.pop("shared", None),
        detail=detail or None,
        pairs=pa.table(
            {
                "feature": pa.array(found.first.astype(np.uint32)),
                "other": pa.array(found.second.astype(np.uint32)),
                "value": pa.array(found.value.astype(np.float32)),
                "encoder": pa.nulls(len(found.first), pa.float32())
                if encoder is None
                else pa.array(encoder.astype(np.float32)),
            }
        ),
        near=pa.concat_tables(_near(found, cell.ids)),
    )


def _near(found: Likeness, ids: Sequence[int]) -> list[pa.Table]:
    """The nearest of either side; what is not alike at all is left out."""
    tables = []
    for hookpoint_id, near in zip(ids, found.near, strict=True):
        kept = near.value > 0
        tables.append(
            pa.table(
                {
                    "hookpoint_id": pa.array(np.full(int(kept.sum()), hookpoint_id, np.uint32)),
                    "feature": pa.array(near.feature[kept].astype(np.uint32)),
                    "rank": pa.array(near.rank[kept].astype(np.uint8)),
                    "other": pa.array(near.other[kept].astype(np.uint32)),
                    "value": pa.array(near.value[kept].astype(np.float32)),
                }
            )
        )
    return tables

"""What SAEs are compared by, read from a store: explanations as vectors, firings, weights."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from core import meaning
from core.pipeline import selection
from data import vectors
from data.cachefiles import CacheFiles
from data.catalogue import Catalogue
from data.errors import BadInput
from data.records import CacheRecord, HookpointRecord

if TYPE_CHECKING:
    from core.encoder import Encoder
    from core.likeness.directions import Directions
    from core.likeness.together import Firings, Text
    from core.probe import Probe

TOKENS = 1_000_000  # positions that firings are counted on, about


class Side(NamedTuple):
    """One SAE."""

    record: CacheRecord
    hookpoint: HookpointRecord

    @property
    def hookpoint_id(self) -> int:
        """Of the catalogue: older SAEs have smaller ones."""
        return self.hookpoint.hookpoint_id

    @property
    def name(self) -> str:
        """As messages say it."""
        return f"{self.record.name}:{self.hookpoint.name}"


@dataclass
class Inputs:
    """Reads what is compared; what several comparisons need is read once."""

    catalogue: Catalogue
    features: int  # of an SAE, at most, where not all are compared
    given: "Encoder | None" = None  # None = the packaged one
    _firings: dict[int, "Firings"] = field(default_factory=dict)

    @cached_property
    def encoder(self) -> "Encoder":
        """Who turns explanations into vectors."""
        from core.encoder import packaged

        return self.given or packaged()

    def files(self, record: CacheRecord) -> CacheFiles:
        """A cache's files."""
        return CacheFiles.open(self.catalogue.store / record.folder)

    def sample(self, side: Side, every: np.ndarray) -> np.ndarray:
        """Up to the number asked for of some features, by the cache's seed, int64."""
        return selection.features(
            f"random:{self.features}", every, side.hookpoint.n_features,
            seed=side.record.seed, name=side.hookpoint.name,
        )  # fmt: skip

    def explained(self, side: Side) -> list[list[int]]:
        """Feature and explanation_id of the sampled features, by the explanation shown."""
        with self.catalogue.reading() as con:
            rows = con.rows(SHOWN, [side.hookpoint.hookpoint_id])
        shown = {row["feature"]: row["explanation_id"] for row in rows}
        chosen = self.sample(side, np.array(sorted(shown), np.int64)).tolist()
        return [[feature, shown[feature]] for feature in chosen]

    def vectors(self, side: Side) -> tuple[np.ndarray, np.ndarray]:
        """Feature numbers and the vectors of their explanations, float16 [n, d]."""
        wanted = {explanation: feature for feature, explanation in self.explained(side)}
        path = meaning.file_of(self.catalogue.store, side.hookpoint.hookpoint_id, self.encoder.name)
        features, found = [np.empty(0, np.int64)], []
        for block in vectors.blocks(path):
            here = np.flatnonzero(np.isin(block.ids, np.array(list(wanted), np.uint64)))
            features.append(np.array([wanted[i] for i in block.ids[here].tolist()], np.int64))
            found.append(block.vectors[here])
        return np.concatenate(features), np.concatenate(found) if found else np.empty((0, 1))

    def stride(self, record: CacheRecord) -> int:
        """Every how many sequences one is counted."""
        return max(1, self.files(record).meta.n_tokens // TOKENS)

    def text(self, record: CacheRecord) -> "Text":
        """What firings are counted on."""
        from core.likeness.together import Text

        meta = self.files(record).meta
        return Text(-(-meta.n_sequences // self.stride(record)), meta.sequence_length)

    def firings(self, side: Side) -> "Firings":
        """Where the sampled features fire, on the sequences that are counted."""
        key = side.hookpoint.hookpoint_id
        if key not in self._firings:
            self._firings[key] = self._read(side)
        return self._firings[key]

    def _read(self, side: Side) -> "Firings":
        from core.likeness.together import Firings

        files, step = self.files(side.record), self.stride(side.record)
        columns, length = files.columns(side.hookpoint.hookpoint_id), files.meta.sequence_length
        chosen = self.sample(side, np.flatnonzero(columns.counts()))
        parts, counts = [np.empty(0, np.int64)], [0]
        for feature in chosen.tolist():
            sequence, place = np.divmod(columns.slice(feature).token.astype(np.int64), length)
            kept = sequence % step == 0
            parts.append(sequence[kept] // step * length + place[kept])
            counts.append(int(kept.sum()))
        return Firings(chosen, np.cumsum(counts), np.concatenate(parts))

    def directions(self, first: Side, second: Side) -> tuple["Directions", "Directions"]:
        """Load two SAEs of one hookpoint, beside the one subject that both are checked against."""
        from core.probe import Probe, open_probe, widen

        name = first.hookpoint.name
        one = open_probe(self.catalogue, first.record, [name], device="cpu")
        other = Probe(one.subject, {}, self.files(second.record).meta)
        widen(other, second.record, [name])
        return self._weights(first, one), self._weights(second, other)

    def _weights(self, side: Side, probe: "Probe") -> "Directions":
        from core.likeness.directions import Directions

        weights = probe.sae(side.hookpoint.name).weights
        if weights.W_dec is None:
            raise BadInput(f"the SAE of {side.name} has no decoder to compare")
        counts = self.files(side.record).columns(side.hookpoint.hookpoint_id).counts()
        decoder, encoder = (t.float().cpu().numpy() for t in (weights.W_dec, weights.W_enc.T))
        return Directions(decoder, encoder, counts > 0)


SHOWN = """
select feature, explanation_id
from feature_summary
where hookpoint_id = ? and explanation_id is not null
"""

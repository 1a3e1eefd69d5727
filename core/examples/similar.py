"""Silent contexts whose text is like that of activating ones: kind `similar` (methods.md 2.4).

They tell whether an explanation names the feature or only the topic around it. Every distinct
context of the cache is encoded once, shared by all features, and kept beside the tokens:

    caches/<name>/embeddings/<key>/00000.f16, 00001.f16, …   unit vectors, PART contexts a file
    caches/<name>/embeddings/<key>/index.json                written last: the index is complete

The key covers the encoder's name, the digest of all token ids, and how contexts are cut and chosen.
A build that was stopped goes on at the next file. Search is exact: one product with each file.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from time import monotonic

import numpy as np

from core import seeds
from core.encoder import Encoder, text_of
from core.examples.contexts import SPLITS, TEST, TRAIN, Activations, Contexts
from core.examples.draw import ACTIVATING, KINDS, NO_SOURCE, FeatureExamples
from core.examples.harder import Found, appended
from core.examples.negatives import busy_groups
from data import durable
from data.cachefiles import CacheFiles
from data.durable import Extent
from data.errors import BadInput, StoreTrouble
from data.records import Progress
from data.vocabulary import Vocabulary

SIMILAR = KINDS.index("similar")
LIMIT = 200_000  # contexts encoded, at most: a seeded sample of a larger corpus
PART = 2048  # contexts in one file
STEP = 256  # contexts encoded between two reports
N_QUERIES = 10  # activating train contexts that are searched with
COPY = 0.95  # cosine above which a text is nearly the query itself
HALF = np.dtype("<f2")


class SimilarIndex:
    """The texts of a cache as unit vectors on disk; built once, read by all features.

    Making one is cheap: it loads no model and reads no vector. `build` makes what is missing.
    """

    def __init__(
        self,
        folder: Path,
        contexts: Contexts,
        vocabulary: Vocabulary,
        encoder: Encoder,
        *,
        tokens_sha256: str,
        limit: int = LIMIT,
    ) -> None:
        self.contexts = contexts
        self.tile = sample(contexts, limit)  # ascending, int64 [n]
        self.group = contexts.group[self.tile]
        self.side = contexts.split[self.tile]  # TRAIN or TEST
        self._vocabulary = vocabulary
        self._encoder = encoder
        self._identity = {
            "encoder": encoder.name,
            "tokens_sha256": tokens_sha256,
            "context_length": contexts.length,
            "special_ids": list(contexts.special_ids),
            "seed": contexts.seed,
            "contexts": len(self.tile),
            "of": contexts.n_distinct,
        }
        text = json.dumps(self._identity, sort_keys=True)
        key = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        self.folder = folder / "embeddings" / key

    @classmethod
    def open(
        cls, files: CacheFiles, contexts: Contexts, encoder: Encoder, *, limit: int = LIMIT
    ) -> "SimilarIndex":
        """Name the index of a cache for one encoder, whether it is built or not."""
        return cls(
            files.folder,
            contexts,
            files.vocabulary,
            encoder,
            tokens_sha256=files.meta.tokens_sha256,
            limit=limit,
        )

    def __len__(self) -> int:
        return len(self.tile)

    @property
    def ready(self) -> bool:
        """Whether everything is encoded."""
        return (self.folder / "index.json").exists()

    def build(self) -> Iterator[Progress]:
        """Encode what is not encoded yet, file by file."""
        if self.ready:
            return
        if self.folder.exists():
            durable.discard_unfinished(self.folder)
        begun, fresh = monotonic(), 0
        for number in range(self._n_parts):
            rows = self._rows(number)
            if self._path(number).exists():
                yield self._progress(rows.stop, None)
                continue
            parts = []
            for low in range(rows.start, rows.stop, STEP):
                tile = self.tile[low : min(low + STEP, rows.stop)]
                parts.append(self._encoder.encode(self._texts(self.contexts.first_token(tile))))
                fresh += len(tile)
                yield self._progress(low + len(tile), fresh / max(1e-6, monotonic() - begun))
            durable.write_file(self._path(number), [self._stacked(parts)])
        text = json.dumps(self._identity, sort_keys=True, indent=1)
        durable.write_file(self.folder / "index.json", [text.encode() + b"\n"])

    def cosines(self, queries: np.ndarray) -> np.ndarray:
        """Compare unit vectors [q, d] with every context, float32 [q, n]; NaN = not encoded."""
        self._require()
        out = np.empty((len(queries), len(self)), np.float32)
        for number in range(self._n_parts):
            rows = self._rows(number)
            vectors = durable.read(self._extent(number)).reshape(rows.stop - rows.start, -1)
            out[:, rows] = queries @ vectors.astype(np.float32).T
        return out

    def vectors(self, first_token: np.ndarray) -> np.ndarray:
        """Vectors of contexts, float32 [n, d]; those outside the sample are encoded now."""
        self._require()
        group = self.contexts.group[self.contexts.tile_at(first_token)]
        order, known = self._by_group
        place = np.minimum(np.searchsorted(known, group), len(known) - 1)
        inside = known[place] == group
        out = np.full((len(group), self._width), np.nan, np.float32)
        for row in np.flatnonzero(inside).tolist():
            out[row] = self._vector(int(order[place[row]]))
        outside = np.flatnonzero(~inside)
        if len(outside):
            found = self._encoder.encode(self._texts(first_token[outside]))
            if found.shape[1] == self._width:
                out[outside] = found
        return out

    @cached_property
    def _by_group(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows in order of their groups, and those groups."""
        order = np.argsort(self.group, kind="stable")
        return order, self.group[order]

    @cached_property
    def _width(self) -> int:
        return self._extent(0).size // len(range(*self._rows(0).indices(len(self))))

    @property
    def _n_parts(self) -> int:
        return -(-len(self) // PART)

    def _rows(self, number: int) -> slice:
        return slice(number * PART, min((number + 1) * PART, len(self)))

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:05d}.f16"

    def _extent(self, number: int) -> Extent:
        path = self._path(number)
        with durable.reporting(path):
            return Extent(path, 0, path.stat().st_size // HALF.itemsize, HALF)

    def _vector(self, row: int) -> np.ndarray:
        number, place = divmod(row, PART)
        return durable.read(self._extent(number), place * self._width, self._width)

    def _texts(self, first_token: np.ndarray) -> list[str]:
        """The plain text of contexts, special tokens left out."""
        tokens = self.contexts.tokens.windows(first_token, self.contexts.length)
        special = self.contexts.special(tokens)
        return [
            text_of(["" if hide else piece for piece, hide in zip(pieces, hidden, strict=True)])
            for pieces, hidden in zip(map(self._vocabulary.pieces, tokens), special, strict=True)
        ]

    def _stacked(self, parts: list[np.ndarray]) -> np.ndarray:
        """Put the vectors of one file together; a step without any becomes rows of NaN."""
        if all(np.isnan(part).all() for part in parts):
            raise StoreTrouble(
                f"{self._encoder.name} gave no vector for any of {sum(map(len, parts)):,} "
                "contexts: check it and run the command again, it goes on where it stopped"
            )
        width = max(part.shape[1] for part in parts)
        rows = [
            part if part.shape[1] == width else np.full((len(part), width), np.nan)
            for part in parts
        ]
        return np.concatenate(rows).astype(HALF)

    def _progress(self, done: int, rate: float | None) -> Progress:
        whole = self.contexts.n_distinct
        note = "" if whole == len(self) else f"a sample of {whole:,}"
        return Progress("encoding contexts", done, len(self), "contexts", rate, note)

    def _require(self) -> None:
        if not self.ready:
            raise StoreTrouble(
                f"the sentence index in {self.folder} is not finished: run the command again, "
                "it goes on where it stopped"
            )


def sample(contexts: Contexts, limit: int) -> np.ndarray:
    """Choose up to `limit` distinct contexts of both sides, tiles ascending, int64 [n]."""
    tile = np.sort(np.concatenate([contexts.pool[TRAIN], contexts.pool[TEST]])).astype(np.int64)
    if len(tile) <= limit:
        return tile
    seed = seeds.text_seed(f"{contexts.seed}|similar-sample")
    return np.sort(tile[np.argsort(seeds.draws(seed, tile), kind="stable")[:limit]])


def with_similar(
    contexts: Contexts,
    index: SimilarIndex,
    activations: Activations,
    examples: FeatureExamples,
    *,
    hookpoint: str,
    size: int,
    side: int = TEST,
) -> FeatureExamples:
    """Append silent contexts that read like activating train contexts, and what was removed.

    The quota is filled in turns, one context a query, so that no single query decides what all of
    them look like. Each query searches the contexts of `side` only.
    """
    if contexts.length != index.contexts.length or contexts.n_tiles != index.contexts.n_tiles:
        raise BadInput("the sentence index was made for other contexts: open it with these")
    seed = seeds.seed_of(contexts.seed, hookpoint, examples.feature, f"neg-similar-{SPLITS[side]}")
    queries = index.vectors(examples.first_token[query_slots(examples, seed)])
    queries = queries[np.isfinite(queries).all(axis=1)]
    row = np.flatnonzero(index.side == side)
    cosine = index.cosines(queries)[:, row]
    busy = busy_groups(contexts, activations)[index.group[row]]
    copy = ~busy & (cosine > COPY).any(axis=0)
    left = np.where(busy | copy | np.isnan(cosine), -np.inf, cosine)
    taken = round_robin(left, size)
    looked_at = _looked_at(cosine, left, taken)
    removed = {
        "similar-active": int((busy & looked_at).sum()),
        "similar-copy": int((copy & looked_at).sum()),
    }
    tile = index.tile[row[taken]]
    nothing = np.zeros(len(tile), np.float32)
    no_source = np.full(len(tile), NO_SOURCE, np.int32)
    examples = examples._replace(removed=examples.removed | removed)
    return appended(contexts, examples, SIMILAR, side, Found(tile, nothing, no_source))


def query_slots(examples: FeatureExamples, seed: int, size: int = N_QUERIES) -> np.ndarray:
    """Slots of activating train contexts, one from each decile, then a second one, …, int64 [n]."""
    slot = np.flatnonzero((examples.kind == ACTIVATING) & (examples.split == TRAIN))
    slot = slot[np.argsort(seeds.draws(seed, examples.first_token[slot]), kind="stable")]
    decile = examples.decile[slot]
    nth = np.zeros(len(slot), np.int64)
    for one in np.unique(decile).tolist():
        nth[decile == one] = np.arange(np.count_nonzero(decile == one))
    return slot[np.lexsort((decile, nth))[:size]]


def round_robin(cosine: np.ndarray, size: int) -> np.ndarray:
    """Let each query in turn take the nearest context that is left; -inf is never taken.

    >>> round_robin([[0.9, 0.8, 0.1], [0.9, 0.2, 0.7]], 3)
    [0, 2, 1]
    """
    size = min(size, cosine.shape[1])
    if not size or not len(cosine):
        return np.empty(0, np.int64)
    # A query never looks beyond its `size` nearest: if all of them are taken, so is the quota.
    near = np.argpartition(-cosine, size - 1, axis=1)[:, :size]
    near = np.take_along_axis(
        near, np.lexsort((near, -np.take_along_axis(cosine, near, axis=1)), axis=1), axis=1
    )
    lines = [
        iter([one for one in line.tolist() if np.isfinite(cosine[query, one])])
        for query, line in enumerate(near)
    ]
    taken: dict[int, None] = {}
    while lines and len(taken) < size:
        for line in list(lines):
            found = next((one for one in line if one not in taken), None)
            if found is None:
                lines.remove(line)
            elif len(taken) < size:
                taken[found] = None
    return np.array(list(taken), np.int64)


def _looked_at(cosine: np.ndarray, left: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Mark contexts at least as near to some query as the farthest one that was taken, bool [n].

    A context is counted for the query that is nearest to it, as is what was taken.
    """
    if not len(taken):
        return np.any(np.isfinite(cosine), axis=0)
    nearest = left[:, taken].argmax(axis=0)
    reach = np.full(len(cosine), np.inf)
    np.minimum.at(reach, nearest, left[nearest, taken])
    return np.any(cosine >= reach[:, None], axis=0)

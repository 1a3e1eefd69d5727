"""Whether a unigram feature fires on its token whatever stands before it (methods.md 7.2).

    BOS | 19 tokens drawn uniformly from the ordinary vocabulary | the token

Two such sequences a token, the same ones for every feature and hookpoint, because they are drawn by
the token alone. In: a subject, SAEs and pairs of feature and token. Out: in how many of the
sequences the feature fires at the last token. Where the post does not say, the token stands last
and the sequence begins with BOS as those of the cache do.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from core.seeds import below, seeds_of
from data.flags import SCRAMBLED, SCRAMBLED_TOKENS
from data.vocabulary import Vocabulary

if TYPE_CHECKING:  # torch is loaded when something is run
    from core.sae import Sae
    from core.subject import Subject

BATCH = 64  # sequences run at once


class Pairs(NamedTuple):
    """Features and the tokens that they are to be tried on."""

    feature: np.ndarray  # int64 [n]
    token: np.ndarray  # id, int64 [n]


class Outcome(NamedTuple):
    """What became of some pairs of one hookpoint."""

    hookpoint: str
    feature: np.ndarray  # int64 [n]
    token: np.ndarray  # int64 [n]
    n_fired: np.ndarray  # of SCRAMBLED sequences, int64 [n]


def ordinary_ids(vocabulary: Vocabulary, special_ids: Sequence[int], rows: int) -> np.ndarray:
    """Ids that stand for something and are not special, int64; rows: of the embedding."""
    known = [number for number, found in enumerate(vocabulary.bytes[:rows]) if found]
    return np.setdiff1d(np.array(known, np.int64), np.array(list(special_ids), np.int64))


def sequences(
    tokens: np.ndarray, ordinary: np.ndarray, *, seed: int, bos_id: int | None
) -> np.ndarray:
    """Write SCRAMBLED sequences for each token, int64 [tokens * SCRAMBLED, length], token last."""
    streams = seeds_of(seed, "", tokens, "scrambled")[:, None]
    places = np.arange(SCRAMBLED * SCRAMBLED_TOKENS)[None, :]
    drawn = ordinary[below(streams, places, len(ordinary))]
    rows = drawn.reshape(-1, SCRAMBLED_TOKENS)
    before = np.array([] if bos_id is None else [bos_id], np.int64)
    before = np.broadcast_to(before, (len(rows), len(before)))
    return np.concatenate([before, rows, np.repeat(tokens, SCRAMBLED)[:, None]], axis=1)


def check(
    subject: "Subject",
    saes: Mapping[str, "Sae"],
    wanted: Mapping[str, Pairs],
    ordinary: np.ndarray,
    *,
    seed: int,
    bos_id: int | None,
) -> Iterator[tuple[int, int, list[Outcome]]]:
    """Try all pairs, a batch of tokens at a time: tokens done, tokens in all, what came of them."""
    sorted_ = {name: _by_token(pairs) for name, pairs in wanted.items()}
    every = np.unique(np.concatenate([pairs.token for pairs in sorted_.values()]))
    for first in range(0, len(every), BATCH // SCRAMBLED):
        tokens = every[first : first + BATCH // SCRAMBLED]
        here = {name: _between(pairs, tokens[0], tokens[-1]) for name, pairs in sorted_.items()}
        here = {name: pairs for name, pairs in here.items() if len(pairs.token)}
        rows = sequences(tokens, ordinary, seed=seed, bos_id=bos_id)
        fired = _fired(subject, {name: saes[name] for name in here}, rows)
        found = [_outcome(name, pairs, tokens, *fired[name]) for name, pairs in here.items()]
        yield first + len(tokens), len(every), found


def _by_token(pairs: Pairs) -> Pairs:
    order = np.argsort(pairs.token, kind="stable")
    return Pairs(pairs.feature[order], pairs.token[order])


def _between(pairs: Pairs, first: int, last: int) -> Pairs:
    """The pairs with a token from first to last; they are sorted by it."""
    part = slice(np.searchsorted(pairs.token, first), np.searchsorted(pairs.token, last, "right"))
    return Pairs(pairs.feature[part], pairs.token[part])


def _fired(
    subject: "Subject", saes: Mapping[str, "Sae"], rows: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Find the features on at the last token of each row, as the cache would store them."""
    import torch

    from core.encoding import THRESHOLD

    found = {}
    read = subject.activations(torch.from_numpy(rows), list(saes))
    for name, sae in saes.items():
        with torch.inference_mode():
            active = sae.encode(read[name][:, -1])
            kept = active.value.abs() > THRESHOLD
            found[name] = (active.row[kept].cpu().numpy(), active.feature[kept].cpu().numpy())
    return found


def _outcome(
    name: str, pairs: Pairs, tokens: np.ndarray, row: np.ndarray, feature: np.ndarray
) -> Outcome:
    """Count for each pair the sequences of its token in which the feature fired."""
    width = len(tokens)
    asked = pairs.feature * width + np.searchsorted(tokens, pairs.token)
    seen = np.sort(feature.astype(np.int64) * width + row // SCRAMBLED)
    n_fired = np.searchsorted(seen, asked, "right") - np.searchsorted(seen, asked, "left")
    return Outcome(name, pairs.feature, pairs.token, n_fired)

"""The exact check: every token of the corpus, at the true base rate, no sampling (methods.md 4.4).

Undefined figures are None: precision without claims, recall without active tokens, the correlation
of a constant.
"""

from dataclasses import asdict, dataclass

import numpy as np

from core.grammar.corpus import Corpus
from core.grammar.language import Rules
from core.grammar.scan import claims

CONTEXT = 32  # tokens of a context, methods.md 2.1
LISTED = 10  # misses and false alarms kept


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts and what follows from them; one unit (token or context) throughout."""

    n: int  # units asked
    tp: int
    fp: int
    fn: int
    tn: int
    base_rate: float | None  # share of active units, 0..1
    precision: float | None  # 0..1
    recall: float | None  # 0..1
    f1: float | None  # 0..1
    iou: float | None  # 0..1


@dataclass(frozen=True, slots=True)
class Decile:
    """A tenth of the active contexts, by their peak activation."""

    decile: int  # 1 weakest .. 10 strongest
    n: int  # active contexts
    recalled: int  # contexts whose peak token is claimed


@dataclass(frozen=True, slots=True)
class Part:
    """The check of one part of the corpus."""

    tokens: Figures
    contexts: Figures  # of 32 tokens: any token claimed against any token active
    f1_low: float | None  # 95 % interval of the token F1, bootstrap over sequences
    f1_high: float | None  # None where the part is the whole corpus: nothing was left out
    pearson: float | None  # predicted value against activation over all tokens, -1..1
    weighted_recall: float | None  # share of the activation mass that is claimed, 0..1
    deciles: tuple[Decile, ...]  # weakest first; none without active contexts

    def as_dict(self) -> dict:
        """Give plain numbers: token figures on top, the rest beside them."""
        names = ("pearson", "weighted_recall")
        return {
            **asdict(self.tokens),
            "interval": [self.f1_low, self.f1_high],
            **{name: getattr(self, name) for name in names},
            "contexts": asdict(self.contexts),
            "by_decile": [asdict(decile) for decile in self.deciles],
        }


@dataclass(frozen=True, slots=True)
class ExactCheck:
    """What a list of rules is worth: test sequences are the headline."""

    test: Part
    corpus: Part
    misses: tuple[tuple[int, float], ...]  # strongest active tokens not claimed, test: (token, raw)
    false_alarms: tuple[tuple[int, float], ...]  # claimed silent tokens, test: (token, value said)

    def as_dict(self) -> dict:
        """Give plain lists and numbers for JSON."""
        return {
            "test": self.test.as_dict(),
            "corpus": self.corpus.as_dict(),
            "misses": [list(pair) for pair in self.misses],
            "false_alarms": [list(pair) for pair in self.false_alarms],
        }


def check(corpus: Corpus, rules: Rules, token: np.ndarray, activation: np.ndarray) -> ExactCheck:
    """Compare what the rules claim with what is active, token by token.

    token uint32 [n] ascending flat indices and activation float32 [n] of one feature.
    """
    said = claims(corpus, rules)
    values = np.array([rule.value for rule in rules.rules], np.float32)[said.rule]
    dense = np.zeros(corpus.n_tokens, np.float32)
    dense[token] = activation
    actual = dense[said.position]
    at = np.asarray(token, np.int64)[activation > 0]
    raw = dense[at]
    claimed = np.zeros(corpus.n_tokens, bool)
    claimed[said.position] = True
    hit = claimed[at]
    on_test = corpus.test_positions
    seen = (said.position, values, actual, at, raw, hit)
    here, there = on_test[said.position], on_test[at]
    headline = (*(x[here] for x in seen[:3]), *(x[there] for x in seen[3:]))
    missed, missed_raw = at[there & ~hit], raw[there & ~hit]
    wrong = here & (actual <= 0)
    return ExactCheck(
        _part(corpus, *headline, whole=False),
        _part(corpus, *seen, whole=True),
        _strongest(missed, missed_raw),
        _strongest(said.position[wrong], values[wrong]),
    )


def _part(corpus: Corpus, said, values, actual, at, raw, hit, *, whole: bool) -> Part:
    n = corpus.n_valid if whole else corpus.n_valid_test
    tokens = figures(n, int((actual > 0).sum()), len(said), len(at))
    n_contexts = corpus.n_contexts if whole else corpus.n_contexts_test
    tile = _tiles(corpus, said), _tiles(corpus, at)
    said_tiles, active_tiles = _distinct(tile[0]), _distinct(tile[1])
    both = int(np.isin(said_tiles, active_tiles, assume_unique=True).sum())
    contexts = figures(n_contexts, both, len(said_tiles), len(active_tiles))
    low, high = (None, None) if whole else f1_interval(corpus, said, actual, at)
    mass = float(raw.sum(dtype=float))
    return Part(
        tokens,
        contexts,
        low,
        high,
        _pearson(n, values, actual, raw),
        float(raw[hit].sum(dtype=float)) / mass if mass > 0 else None,
        _by_decile(tile[1], raw, hit),
    )


def figures(n: int, tp: int, claimed: int, active: int) -> Figures:
    """Complete the table from its margins.

    >>> f = figures(10, tp=2, claimed=3, active=4)
    >>> f.fp, f.fn, f.tn, f.precision, f.recall, f.iou
    (1, 2, 5, 0.6666666666666666, 0.5, 0.4)
    """
    fp, fn = claimed - tp, active - tp
    either = tp + fp + fn
    return Figures(
        n=n,
        tp=tp,
        fp=fp,
        fn=fn,
        tn=n - either,
        base_rate=active / n if n else None,
        precision=tp / claimed if claimed else None,
        recall=tp / active if active else None,
        f1=2 * tp / (2 * tp + fp + fn) if either else None,
        iou=tp / either if either else None,
    )


def f1_interval(
    corpus: Corpus, said: np.ndarray, actual: np.ndarray, at: np.ndarray
) -> tuple[float | None, float | None]:
    """Bootstrap F1 over test sequences, same draws for every feature: (low, high) at 95 %."""
    rank = corpus.test_rank
    n = int((~corpus.train).sum())
    if n < 2 or not len(at):
        return None, None
    right = actual > 0
    per = np.stack(
        [
            np.bincount(rank[said[right] // corpus.length], minlength=n),
            np.bincount(rank[said // corpus.length], minlength=n),
            np.bincount(rank[at // corpus.length], minlength=n),
        ],
        1,
    ).astype(np.float32)
    used = np.flatnonzero(per.any(1))  # all other sequences add nothing
    tp, claimed, active = (corpus.resamples[:, used] @ per[used]).T
    both = claimed + active
    f1 = (2 * tp / np.maximum(both, 1))[both > 0]
    if not len(f1):
        return None, None
    return float(np.quantile(f1, 0.025)), float(np.quantile(f1, 0.975))


def _tiles(corpus: Corpus, position: np.ndarray) -> np.ndarray:
    """Number the 32-token context of each position; contexts never cross sequences."""
    per = -(-corpus.length // CONTEXT)
    return position // corpus.length * per + position % corpus.length // CONTEXT


def _distinct(ascending: np.ndarray) -> np.ndarray:
    return ascending[np.flatnonzero(np.diff(ascending, prepend=-1))]


def _pearson(n: int, values: np.ndarray, actual: np.ndarray, raw: np.ndarray) -> float | None:
    """Correlate over all n tokens from five sums; tokens neither claimed nor active are (0, 0)."""
    x, y, both = values.astype(float), raw.astype(float), actual.astype(float)
    sx, sy = x.sum(), y.sum()
    vx, vy = n * (x @ x) - sx * sx, n * (y @ y) - sy * sy
    if vx <= 0 or vy <= 0:
        return None
    return float((n * (x @ both) - sx * sy) / np.sqrt(vx * vy))


def _by_decile(tile: np.ndarray, raw: np.ndarray, hit: np.ndarray) -> tuple[Decile, ...]:
    """Recall of the peak token of active contexts, by equal-count tenths of the peaks."""
    order = np.lexsort((-raw, tile))
    peak = order[np.flatnonzero(np.diff(tile[order], prepend=-1))]
    peak = peak[np.argsort(raw[peak], kind="stable")]
    decile = np.arange(len(peak)) * 10 // max(1, len(peak))
    counts = np.bincount(decile, minlength=10)
    found = np.bincount(decile, hit[peak], minlength=10)
    return tuple(Decile(i + 1, int(counts[i]), int(found[i])) for i in range(10) if counts[i])


def _strongest(position: np.ndarray, value: np.ndarray) -> tuple[tuple[int, float], ...]:
    order = np.argsort(-value, kind="stable")[:LISTED]
    return tuple((int(position[i]), float(value[i])) for i in order)

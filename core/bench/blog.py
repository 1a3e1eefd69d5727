"""The published GPT-2 features of EleutherAI's post as a yardstick for the grammar.

Reads a folder with two delphi-like runs, gpt2_random and gpt2_top: each has the 20 contexts that
the explainer saw (train/) and the judged examples (scores/detection, scores/fuzz). Rules are learnt
from the 20 contexts, with the other features' contexts of the same run as background, and answer
the same examples. Beside them: a plain set of folded tokens, and the language model's own verdicts.
The only outside knowledge is what core/grammar carries for every user.

    python -m core.bench.blog FOLDER
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.bench.figures import Figure, at_least, context
from core.grammar import (
    Contexts,
    Rules,
    Settings,
    Words,
    detection_verdicts,
    fuzzing_verdicts,
    induce_few,
)
from core.grammar.settings import Sampling
from data.errors import NotFound

PAD = "<pad>"
SAMPLING: dict[str, Sampling] = {"gpt2_random": "random", "gpt2_top": "top"}
BARS = {
    ("gpt2_random", "detection"): 0.79,
    ("gpt2_random", "fuzz"): 0.80,
    ("gpt2_top", "detection"): 0.72,
    ("gpt2_top", "fuzz"): 0.73,
}
BESIDE = Path(__file__).resolve().parents[3] / "shared" / "blog"
KEPT = 0.3  # share of a word's occurrences that must be active, plain token set
RESAMPLES = 2000


class Items(NamedTuple):
    """Examples of one scorer for one feature."""

    tokens: np.ndarray  # int32 [n, w], padded
    marks: np.ndarray  # bool [n, w]
    activating: np.ndarray  # bool [n]
    published: np.ndarray  # bool [n], the language model's verdict


class Published(NamedTuple):
    """One feature."""

    name: str
    train: np.ndarray  # int32 [20, w], padded, one w for all features
    activation: np.ndarray  # float32 [20, w], 0..10
    detection: Items
    fuzz: Items


class Comparison(NamedTuple):
    """Mean balanced accuracy over features, with its 95 % interval over features."""

    grammar: float
    low: float
    high: float
    token_set: float
    published: float
    n: int  # features


class Run(NamedTuple):
    """One folder, read."""

    words: Words
    features: list[Published]


def read(folder: Path) -> Run:
    """Read one run (gpt2_random or gpt2_top)."""
    paths = sorted((folder / "train").glob("*.json"))
    if not paths:
        raise NotFound(f"{folder} holds no train/*.json; give a folder with the published features")
    vocabulary = {PAD: 0}

    def encode(rows: list[list[str]]) -> np.ndarray:
        out = np.zeros((len(rows), max(map(len, rows))), np.int32)
        for i, row in enumerate(rows):
            out[i, : len(row)] = [vocabulary.setdefault(s, len(vocabulary)) for s in row]
        return out

    features = [_feature(path, folder, encode) for path in paths]
    width = max(feature.train.shape[1] for feature in features)
    features = [
        f._replace(train=_widen(f.train, width), activation=_widen(f.activation, width))
        for f in features
    ]
    return Run(Words(list(vocabulary), (0,)), features)


def _widen(rows: np.ndarray, width: int) -> np.ndarray:
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])))


def _feature(path: Path, folder: Path, encode) -> Published:
    train = json.loads(path.read_text())
    tokens = encode([c["str_tokens"] for c in train])
    activation = np.zeros(tokens.shape, np.float32)
    for i, seen in enumerate(train):
        activation[i, : len(seen["activations"])] = seen["activations"]
    items = []
    for scorer in ("detection", "fuzz"):
        rows = json.loads((folder / "scores" / scorer / f"{path.stem}.txt").read_text())
        ids = encode([row["str_tokens"] for row in rows])
        marks = np.zeros(ids.shape, bool)
        for i, row in enumerate(rows):
            marks[i, row.get("marked", [])] = True
        flags = [np.array([bool(row[key]) for row in rows]) for key in ("activating", "correct")]
        items.append(Items(ids, marks, flags[0], flags[0] == flags[1]))
    return Published(path.stem, tokens, activation, *items)


def background_of(run: Run, index: int) -> np.ndarray:
    """Stack the contexts of all other features: int32 [m, w]."""
    return np.concatenate([f.train for i, f in enumerate(run.features) if i != index])


def learn(run: Run, index: int, settings: Settings) -> Rules:
    """Learn one feature's rules from its 20 contexts."""
    feature = run.features[index]
    contexts = Contexts(feature.train, feature.activation, background_of(run, index))
    return induce_few(contexts, run.words, settings, seed=index)


def token_set_answers(run: Run, feature: Published, items: Items) -> np.ndarray:
    """Answer with a plain set of folded words: those active in at least KEPT of their uses."""
    word = run.words.word  # folded forms as numbers
    used = feature.train > 0
    seen, where = np.unique(word[feature.train[used]], return_inverse=True)
    share = np.bincount(where, feature.activation[used] > 0) / np.bincount(where)
    table = np.isin(word, seen[share >= KEPT])
    table[0] = False
    return _answers(table[items.tokens], items.marks)


def _answers(fires: np.ndarray, marks: np.ndarray) -> np.ndarray:
    if not marks.any():
        return np.asarray(fires.any(1))
    return np.asarray((fires & marks).sum(1) >= 0.5 * marks.sum(1))


def answer(rules: Rules, words: Words, items: Items) -> np.ndarray:
    """Answer with the rules, as in the product."""
    starts = np.zeros(len(items.tokens), np.int64)
    if items.marks.any():
        return fuzzing_verdicts(rules, items.tokens, starts, words, items.marks).verdict
    return detection_verdicts(rules, items.tokens, starts, words).verdict


def balanced_accuracy(verdict: np.ndarray, activating: np.ndarray) -> float:
    """Mean of the shares of right answers in both classes.

    >>> balanced_accuracy(np.array([True, False, False]), np.array([True, True, False]))
    0.75
    """
    return float((verdict[activating].mean() + (~verdict[~activating]).mean()) / 2)


def measure(run: Run, settings: Settings, chosen: list[int] | None = None) -> dict[str, Comparison]:
    """Score every feature (or some) in both ways: {"detection": Comparison, "fuzz": Comparison}."""
    chosen = list(range(len(run.features))) if chosen is None else chosen
    scores: dict[str, list[tuple[float, float, float]]] = {"detection": [], "fuzz": []}
    for index in chosen:
        feature, rules = run.features[index], learn(run, index, settings)
        for scorer, items in (("detection", feature.detection), ("fuzz", feature.fuzz)):
            answers = (
                answer(rules, run.words, items),
                token_set_answers(run, feature, items),
                items.published,
            )
            one = tuple(balanced_accuracy(a, items.activating) for a in answers)
            scores[scorer].append((one[0], one[1], one[2]))
    return {scorer: _figure(np.array(rows)) for scorer, rows in scores.items()}


def _figure(scores: np.ndarray) -> Comparison:
    rng = np.random.default_rng(0)
    draws = scores[rng.integers(0, len(scores), (RESAMPLES, len(scores))), 0].mean(1)
    low, high = np.quantile(draws, [0.025, 0.975])
    grammar, token_set, published = (float(mean) for mean in scores.mean(0))
    return Comparison(grammar, float(low), float(high), token_set, published, len(scores))


def blog(folder: Path, settings: Settings | None = None) -> dict[tuple[str, str], Comparison]:
    """Measure both runs: {(run, scorer): Comparison}."""
    settings = settings or Settings(examples=20)
    out = {}
    for name, sampling in SAMPLING.items():
        chosen = replace(settings, sampling=sampling)
        for scorer, figure in measure(read(folder / name), chosen).items():
            out[name, scorer] = figure
    return out


def figures(quick: bool = False) -> Iterator[Figure]:
    """Hold the grammar to its bars, where the published features lie beside the repository."""
    del quick  # seconds anyway
    found = blog(BESIDE) if BESIDE.is_dir() else {}
    if not found:
        yield context(f"published features in {BESIDE}", 0, "runs")
    for (run, scorer), figure in found.items():
        bar = BARS[run, scorer]
        yield at_least(f"{run} {scorer}, balanced accuracy", figure.grammar, "", bar)
        yield context("  the same by a set of tokens", figure.token_set, "")
        yield context("  the same by the published judge", figure.published, "")


def table(found: dict[tuple[str, str], Comparison]) -> str:
    """Lay the figures out for people."""
    lines = ["run          scorer     grammar [95 %]        token set   published"]
    for (run, scorer), f in found.items():
        lines.append(
            f"{run:<12} {scorer:<10} {f.grammar:.3f} [{f.low:.3f}, {f.high:.3f}]"
            f"  {f.token_set:.3f}       {f.published:.3f}   ({f.n} features)"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Print the figures of one folder."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m core.bench.blog FOLDER\n")
        raise SystemExit(2)
    sys.stdout.write(table(blog(Path(arguments[0]))) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])

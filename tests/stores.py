"""A small made-up store for the dashboard's tests, written through the very functions of `data`.

Sentences are drawn from a seeded generator over words and hostile tokens. Feature 0
fires on days of the week, is explained twice and judged, with failed verdicts; 1 fires on hostile
tokens; 2 is explained but not scored; 3 is scarce; 4 failed to be explained; 5 is dead; the rest
fire on one word each and have nothing.
"""

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from core.examples import KINDS, Contexts, FeatureExamples, draw
from core.examples.activating import Stream, activating
from core.examples.draw import alone
from data import activations, cachefiles, caches, judgements, ledger, runs, tokens
from data.catalogue import Catalogue
from data.items import ItemTable
from data.records import Score, Tally
from data.vocabulary import Vocabulary

HOOKPOINT = "layers.1.mlp"
LENGTH = 64  # tokens a sequence
N_FEATURES = 16
HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "$x$", "&amp;", "\u202eright",
    ":material/home:", "\x00", "\u200b", "**bold**", "<b>", "\r", "\t", "[link](javascript:1)",
]  # fmt: skip
DAYS = [" Monday", " Tuesday", " Wednesday", " Thursday", " Friday"]
WORDS = [
    " the", " river", " board", " on", " night", " will", " meet", " at", " six", " in", " a",
    " library", " closed", " and", " opened", " again", ",", ".", "\n", " def", " (", ")", " late",
    " report", " first", " month",
]  # fmt: skip
SMILE = "😴".encode()
BOS = 0
TOKENS = [b"<|bos|>", *(t.encode() for t in [*DAYS, *HOSTILE, *WORDS]), SMILE[:2], SMILE[2:]]
FIRES_ON = {
    0: range(1, 6),
    1: range(6, 6 + len(HOSTILE)),
    2: [TOKENS.index(b" river")],
    3: [TOKENS.index(b" library")],
    4: [TOKENS.index(b" report")],
    5: [],
} | {f: [TOKENS.index(w.encode())] for f, w in zip(range(6, 16), WORDS[5:], strict=False)}
RULE = 'here:token=" Monday"|" Friday" -> 6 @ 0.9'
PRESET = "made"  # its own, so that real scorers draw items of their own
SCARCE_ONLY = 3  # this feature keeps the first few of its activations


@dataclass(frozen=True)
class MadeStore:
    """Where the store is and what is in it."""

    folder: Path
    catalogue: Catalogue
    cache: caches.CacheRecord
    hookpoint_id: int


def make_store(folder: Path, *, sequences: int = 240, judged: bool = True) -> MadeStore:
    """Write the whole store; without `judged` it has features but no explanation."""
    shutil.copytree(_template(sequences, judged), folder, dirs_exist_ok=True)
    catalogue = Catalogue(folder)
    record = caches.cache(catalogue, "made")
    return MadeStore(folder, catalogue, record, record.hookpoints[0].hookpoint_id)


@cache
def _template(sequences: int, judged: bool) -> Path:
    """Make such a store once in this process."""
    place = tempfile.mkdtemp(prefix="gloss-made-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    write(Path(place), sequences, judged)
    return Path(place)


def write(folder: Path, sequences: int, judged: bool) -> None:
    """Write one that no other test has, e.g. with other features."""
    catalogue = Catalogue(folder)
    record = begin(catalogue)
    hookpoint_id = record.hookpoints[0].hookpoint_id
    files = write_files(folder / record.folder, hookpoint_id, sequences)
    columns = files.columns(hookpoint_id)
    contexts = Contexts.open(files)
    corpus = caches.CorpusFacts(
        "made-up", "t" * 64, "v" * 64, "u16", LENGTH, sequences, 2, sequences * (LENGTH - 1), {}
    )
    tables = caches.HookpointTables(
        int(columns.counts().sum()), 0.2, 4.0, *feature_tables(files, contexts, hookpoint_id)
    )
    caches.finish_cache(catalogue, record.cache_id, corpus, {hookpoint_id: tables})
    record = caches.cache(catalogue, "made")
    if judged:
        explain_and_judge(MadeStore(folder, catalogue, record, hookpoint_id), contexts, columns)


def begin(catalogue: Catalogue) -> caches.CacheRecord:
    """Register the cache, as yet without files."""
    subject = caches.SubjectFacts("tiny-subject", None, "GPTNeoX", "float32", 2, 8, len(TOKENS))
    sae = caches.SaeFacts(HOOKPOINT, "sae/tiny", "topk", "ab" * 32, N_FEATURES, {"k": 4})
    return caches.begin_cache(catalogue, "made", subject, [sae], {"corpus": "made-up"}, seed=7)


def write_files(folder: Path, hookpoint_id: int, sequences: int) -> cachefiles.CacheFiles:
    """Tokens, vocabulary and activations of the cache."""
    rng = np.random.default_rng(1)
    weights = np.r_[[0.15] * len(DAYS), [0.1] * len(HOSTILE), [2.0] * len(WORDS)]
    matrix = 1 + rng.choice(len(weights), (sequences, LENGTH), p=weights / weights.sum())
    matrix[:, 0] = BOS
    matrix[::5, 9:11] = [len(TOKENS) - 2, len(TOKENS) - 1]  # a character split over two tokens
    meta = cachefiles.CacheMeta(
        LENGTH, sequences, (BOS,), seed=7, vocabulary_size=len(TOKENS), subject="tiny-subject"
    )
    cachefiles.write_meta(folder, meta)
    Vocabulary(TOKENS).save(folder / "vocabulary.json")
    tokens.write_tokens(folder, [matrix], "u16")
    tokens.write_documents(folder, np.array([1, 3 * LENGTH + 20], np.uint64))
    feature, token, activation = fire(matrix, rng)
    where = folder / str(hookpoint_id)
    activations.write_shard(
        where, 0, feature=feature, token=token, activation=activation, n_features=N_FEATURES
    )
    activations.merge(where)
    return cachefiles.CacheFiles.open(folder)


def fire(matrix: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Feature, flat token and activation of everything that fires, in the order of the corpus."""
    flat = matrix.ravel()
    parts = []
    for feature, ids in FIRES_ON.items():
        token = np.flatnonzero(np.isin(flat, ids))
        if feature == SCARCE_ONLY:
            token = token[:30]
        parts.append((np.full(len(token), feature), token, rng.gamma(2.0, 3.0, len(token)) + 0.1))
    feature, token, activation = (np.concatenate(p) for p in zip(*parts, strict=True))
    order = np.argsort(token, kind="stable")
    return feature[order], token[order], activation[order].astype(np.float32)


def feature_tables(
    files: cachefiles.CacheFiles, contexts: Contexts, hookpoint_id: int
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """The rows of feature, feature_chart and neighbour."""
    columns = files.columns(hookpoint_id)
    rows, charts = [], []
    for feature in range(N_FEATURES):
        one = columns.slice(feature)
        stream = Stream(contexts.seed, HOOKPOINT, np.array([feature]))
        found = activating(contexts, alone(one), stream)
        drawn = draw(contexts, columns, feature, hookpoint=HOOKPOINT)
        rows.append(fact_row(hookpoint_id, feature, one.activation, drawn))
        charts.append(chart_row(hookpoint_id, feature, one, found.peak, drawn))
    near = [
        {"hookpoint_id": hookpoint_id, "feature": f, "measure": m, "rank": 1,
         "other": (f + 1) % N_FEATURES, "value": 0.61}
        for f in range(N_FEATURES) for m in ("cosine", "co-firing")
    ]  # fmt: skip
    return pa.Table.from_pylist(rows), pa.Table.from_pylist(charts), pa.Table.from_pylist(near)


def fact_row(hookpoint_id: int, feature: int, values: np.ndarray, drawn: FeatureExamples) -> dict:
    """One row of table feature."""
    return {
        "hookpoint_id": hookpoint_id,
        "feature": feature,
        "n_active": len(values),
        "n_contexts": drawn.n_contexts,
        "density": len(values) / 15_000,
        "max_activation": float(values.max()) if len(values) else 0.0,
        "mean_activation": float(values.mean()) if len(values) else None,
        "top_token": next(iter(FIRES_ON[feature]), None),
        "top_token_share": 0.5 if len(values) else None,
        "decoder_norm": 1.0,
        "reason": drawn.reason,
    }


def chart_row(hookpoint_id, feature, one, peaks, drawn) -> dict:
    """One row of table feature_chart."""
    width = float(peaks.max()) / 40 if len(peaks) else 1.0
    ids = list(FIRES_ON[feature])
    return {
        "hookpoint_id": hookpoint_id,
        "feature": feature,
        "bin_width": width,
        "counts": np.bincount(np.minimum((peaks / width).astype(int), 39), minlength=40).tolist(),
        "position_counts": np.bincount(one.token % LENGTH, minlength=LENGTH).tolist(),
        "decile_edges": None if drawn.decile_edges is None else drawn.decile_edges.tolist(),
        "top_tokens": [{"token": t, "n": 90 - t, "mean": 3.5} for t in ids],
        "promoted": [{"token": t, "value": 4.0 - t / 10} for t in range(1, 11)],
        "suppressed": [{"token": t, "value": -1.6 + t / 50} for t in range(11, 21)],
    }


def explain_and_judge(made: MadeStore, contexts: Contexts, columns: activations.Columns) -> None:
    """Two explanations of feature 0 with verdicts, one each of 1 and 2, a failure on 4."""
    texts = {0: "Fires on the days of the week", 1: "Fires on <b>markup</b> & $x$",
             2: "Fires on “ river”"}  # fmt: skip
    first = explain(made, {"objective": "f1"}, texts, failed=[4])
    second = explain(made, {"objective": "f1", "examples": 40, "sampling": "quantiles"},
                     {0: "Fires on “ Monday”, “ Friday”"}, failed=[])  # fmt: skip
    for explanation_id, feature, skill in ((first[0], 0, 0.92), (first[1], 1, 0.75),
                                           (second[0], 0, 0.7)):  # fmt: skip
        drawn = draw(contexts, columns, feature, hookpoint=HOOKPOINT)
        judge(made, explanation_id, feature, drawn, skill)


def explain(made: MadeStore, settings: dict, texts: dict[int, str], failed: list[int]) -> list[int]:
    """One finished explain run."""
    explainer = ledger.method_id(made.catalogue, "explainer", "grammar", None, settings)
    exact = ledger.method_id(made.catalogue, "scorer", "exact", "grammar", {"preset": "gloss"})
    plan = runs.Plan("explain", made.cache.cache_id, made.hookpoint_id, explainer, settings)
    run = runs.start_run(made.catalogue, plan, total=len(texts) + len(failed))
    news = [new_explanation(feature, text) for feature, text in texts.items()]
    news += [
        ledger.NewExplanation(f, None, None, "failed", "no rule covers a tenth of the firings",
                              0.2, 7, None, None)
        for f in failed
    ]  # fmt: skip
    ids = ledger.write_explanations(made.catalogue, made.hookpoint_id, explainer, exact, run, news)
    runs.end_run(made.catalogue, run, "done")
    return ids


def new_explanation(feature: int, text: str) -> ledger.NewExplanation:
    """A usable explanation with an exact score."""
    detail = {"test": {"precision": 0.91, "recall": 0.78, "f1": 0.84}, "corpus": {"f1": 0.83}}
    exact = Score("exact", "f1", 0.84, 0.81, 0.87, None, None, 10_000, 0, "grammar", "gloss", {},
                  {}, detail)  # fmt: skip
    return ledger.NewExplanation(feature, text, RULE, "done", None, 0.3, 7, None, exact)


def judge(
    made: MadeStore, explanation_id: int, feature: int, drawn: FeatureExamples, skill: float
) -> None:
    """Detection and fuzzing verdicts that are right with probability `skill`; 3 replies fail."""
    for scorer in ("detection", "fuzzing"):
        rng = np.random.default_rng(len(scorer) + explanation_id)
        scorer_id = ledger.method_id(made.catalogue, "scorer", scorer, "grammar",
                                     {"preset": PRESET})  # fmt: skip
        items = item_table(drawn, scorer)
        expected = np.array([kind == "activating" for kind in items.kind])
        right = rng.random(len(expected)) < skill
        predicted = np.where(right, expected, ~expected).astype(np.int8)
        predicted[:3] = -1
        settings = {"preset": PRESET, "of": explanation_id}
        plan = runs.Plan("score", made.cache.cache_id, made.hookpoint_id, scorer_id, settings)
        run = runs.start_run(made.catalogue, plan, total=1)
        score = tally(scorer, items, expected, predicted)
        judgement = judgements.Judgement(
            explanation_id, feature, scorer_id, scorer, PRESET, items, predicted, None, score
        )
        judgements.write_judgements(made.catalogue, made.hookpoint_id, run, [judgement],
                                features_done=1)  # fmt: skip
        runs.end_run(made.catalogue, run, "done")


def item_table(drawn: FeatureExamples, scorer: str) -> ItemTable:
    """100 activating and 100 silent contexts; for fuzzing with marks, half of them wrong marks."""
    active, silent = drawn.rows("activating", "test"), drawn.rows("random", "test")
    wrong = active[::2] if scorer == "fuzzing" else active[:0]
    if scorer == "fuzzing":
        silent = silent[:50]
    slots = np.concatenate([active, silent, wrong])
    kinds = [KINDS[k] for k in drawn.kind[np.concatenate([active, silent])]]
    marks = [[5, 6]] * len(slots) if scorer == "fuzzing" else [None] * len(slots)
    return ItemTable(
        [*kinds, *["wrong-mark"] * len(wrong)], drawn.decile[slots], drawn.first_token[slots],
        drawn.peak[slots], marks,
    )  # fmt: skip


def tally(scorer: str, items: ItemTable, expected: np.ndarray, predicted: np.ndarray) -> Score:
    """The score of some verdicts."""
    kind, usable = np.array(items.kind), predicted >= 0
    right = usable & (predicted == expected)

    def of(where: np.ndarray) -> Tally:
        return Tally(int((where & usable).sum()), int((where & right).sum()),
                     int((where & ~usable).sum()))  # fmt: skip

    active = kind == "activating"
    tpr, tnr = (right[w].sum() / usable[w].sum() for w in (active, ~active))
    value = (tpr + tnr) / 2
    return Score(
        scorer, "balanced_accuracy", value, value - 0.04, min(1, value + 0.04), tpr, tnr,
        int(usable.sum()), int((~usable).sum()), "grammar", PRESET,
        {d: of(active & (items.decile == d)) for d in range(1, 11)},
        {k: of(kind == k) for k in sorted(set(kind[~active]))}, {},
    )  # fmt: skip

"""A large made-up store for the dashboard's figures: real files, real tables, made-up results.

Tokens, activations and drawn contexts go through the real writers; explanations, scores and
verdicts are filled in by SQL, because thirty million of them through the scorers would take hours.
Scores are not computed from the verdicts: nothing here is a measurement of an explanation.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from core.examples import Contexts, draw_all
from core.examples.activating import REASONS
from core.examples.contexts import TEST
from core.examples.draw import ACTIVATING, RANDOM, BlockExamples
from data import caches, ledger, runs, summaries
from data.activations import merge, write_shard
from data.cachefiles import CacheFiles, CacheMeta, write_meta
from data.catalogue import Catalogue, Connection
from data.records import CacheRecord
from data.tokens import write_documents, write_tokens
from data.vocabulary import Vocabulary

NAME, HOOKPOINT, PRESET = "large", "layers.5.mlp", "gloss"
LENGTH, ACTIVE, SIGMA = 256, 16, 1.2  # tokens a sequence, features a token, of log frequencies
WORDS = 8_000  # distinct tokens
JUDGED = 25  # contexts of either class behind each of the two scores of an explanation
SHARD = 262_144  # tokens


class Size(NamedTuple):
    """How large."""

    n_features: int = 32_768
    n_explanations: int = 10  # of every feature, each of another explainer
    n_tokens: int = 1_048_576
    n_few: int = 1_000  # features that two further explainers have


def make(folder: Path, size: Size) -> CacheRecord:
    """Write the store and give its only cache."""
    catalogue = Catalogue(folder)
    subject = caches.SubjectFacts("made-up", None, "GPTNeoX", "float32", 6, 64, WORDS)
    sae = caches.SaeFacts(HOOKPOINT, "made-up", "topk", "0" * 64, size.n_features, {"k": ACTIVE})
    record = caches.begin_cache(catalogue, NAME, subject, [sae], {"corpus": "made-up"}, seed=1)
    hookpoint_id = record.hookpoints[0].hookpoint_id
    files = write_files(folder / record.folder, hookpoint_id, size)
    blocks = list(draw_all(Contexts.open(files), files.columns(hookpoint_id), hookpoint=HOOKPOINT))
    corpus = caches.CorpusFacts(
        "made-up", "0" * 64, "0" * 64, "u16", LENGTH, files.meta.n_sequences, 1,
        size.n_tokens - files.meta.n_sequences, {},
    )  # fmt: skip
    tables = feature_tables(files, hookpoint_id, blocks)
    caches.finish_cache(catalogue, record.cache_id, corpus, {hookpoint_id: tables})
    explain(catalogue, caches.cache(catalogue, NAME), size)
    judge(catalogue, hookpoint_id, blocks)
    with catalogue.writing() as con:
        summaries.refresh(con, hookpoint_id, range(size.n_features))
    return caches.cache(catalogue, NAME)


def write_files(folder: Path, hookpoint_id: int, size: Size) -> CacheFiles:
    """Tokens that look like words, and activations with log-normal frequencies."""
    rng = np.random.default_rng(0)
    n_sequences = size.n_tokens // LENGTH
    ids = 1 + np.minimum(rng.zipf(1.3, (n_sequences, LENGTH)), WORDS - 1) % (WORDS - 1)
    ids[:, 0] = 0
    meta = CacheMeta(LENGTH, n_sequences, (0,), seed=1, vocabulary_size=WORDS, subject="made-up")
    write_meta(folder, meta)
    letters = np.array(list("etaoinshrdlucmfw"))
    spelled = ["".join(letters[rng.integers(0, 16, rng.integers(2, 9))]) for _ in range(WORDS)]
    Vocabulary([b"<|bos|>", *(f" {w}".encode() for w in spelled[1:])]).save(
        folder / "vocabulary.json"
    )
    write_tokens(folder, [ids], meta.token_dtype)
    write_documents(folder, np.array([1], np.uint64))
    weight = rng.lognormal(0.0, SIGMA, size.n_features)
    edges = np.cumsum(weight / weight.sum())
    for number, first in enumerate(range(0, size.n_tokens, SHARD)):
        token = np.repeat(np.arange(first, min(first + SHARD, size.n_tokens)), ACTIVE)
        token = token[token % LENGTH != 0]
        feature = np.searchsorted(edges, rng.random(len(token))).clip(max=size.n_features - 1)
        _, once = np.unique(token * size.n_features + feature, return_index=True)
        write_shard(
            folder / str(hookpoint_id), number, feature=feature[once], token=token[once],
            activation=rng.gamma(2.0, 2.0, len(once)).astype(np.float16) + np.float16(0.1),
            n_features=size.n_features,
        )  # fmt: skip
    merge(folder / str(hookpoint_id))
    return CacheFiles.open(folder)


def feature_tables(
    files: CacheFiles, hookpoint_id: int, blocks: list[BlockExamples]
) -> caches.HookpointTables:
    """Counts that are true, charts that only have the right shape."""
    rng = np.random.default_rng(2)
    counts = files.columns(hookpoint_id).counts()
    n = len(counts)
    key = {
        "hookpoint_id": pa.array(np.full(n, hookpoint_id, np.uint32)),
        "feature": pa.array(np.arange(n, dtype=np.uint32)),
    }
    reasons = [REASONS[code] for block in blocks for code in block.reason.tolist()]
    edges = np.concatenate([block.decile_edges for block in blocks])
    feature = pa.table(
        key
        | {
            "n_active": pa.array(counts.astype(np.uint64)),
            "n_contexts": pa.array(np.concatenate([b.n_contexts for b in blocks]).astype("u4")),
            "density": pa.array((counts / files.meta.n_tokens).astype(np.float32)),
            "max_activation": pa.array(rng.gamma(9.0, 2.0, n).astype(np.float32)),
            "mean_activation": pa.array(np.full(n, 4.0, np.float32)),
            "top_token": pa.array(rng.integers(1, WORDS, n).astype(np.uint32)),
            "top_token_share": pa.array(rng.random(n).astype(np.float32)),
            "decoder_norm": pa.array(np.ones(n, np.float32)),
            "reason": pa.array(reasons, pa.string()),
        }
    )
    tokens = [{"token": int(t), "n": 40, "mean": 3.0} for t in range(1, 21)]
    effects = [{"token": int(t), "value": 2.0 - t / 10} for t in range(1, 11)]
    chart = pa.table(
        key
        | {
            "bin_width": pa.array(np.full(n, 0.5, np.float32)),
            "counts": pa.array(rng.integers(0, 60, (n, 40)).tolist(), pa.list_(pa.uint32())),
            "position_counts": pa.array([[9] * LENGTH] * n, pa.list_(pa.uint32())),
            "decile_edges": pa.array(
                [None if np.isnan(row[0]) else row.tolist() for row in edges],
                pa.list_(pa.float32()),
            ),
            "top_tokens": pa.array([tokens] * n),
            "promoted": pa.array([effects] * n),
            "suppressed": pa.array([effects] * n),
        }
    )
    near = np.arange(n * 10)
    neighbour = pa.table(
        {
            "hookpoint_id": pa.array(np.full(n * 10, hookpoint_id, np.uint32)),
            "feature": pa.array((near // 10).astype(np.uint32)),
            "measure": pa.array(["cosine"] * (n * 10)),
            "rank": pa.array((near % 10 + 1).astype(np.uint16)),
            "other": pa.array(rng.integers(0, n, n * 10).astype(np.uint32)),
            "value": pa.array((0.9 - near % 10 / 20).astype(np.float32)),
        }
    )
    return caches.HookpointTables(int(counts.sum()), 0.2, ACTIVE, feature, chart, neighbour)


EXPLAIN = """
insert into explanation (
    natural_key, hookpoint_id, feature, explainer_id, run_id, seed, text, rule, status, cost_usd,
    seconds, created_at
)
select md5(concat($explainer, ' ', range)), $hookpoint, range, $explainer, $run, 0,
       concat('Fires on words about ', chr((97 + hash(range) % 26)::integer), ' number ',
              hash(range + $explainer) % 1000, ' in sentences that speak of the weather, of ',
              'travelling or of the price of ', hash(range * 7) % 100, ' other things'),
       null, 'done', 0, 0.1, now()::timestamp
from range($n)
"""


def explain(catalogue: Catalogue, record: CacheRecord, size: Size) -> None:
    """Explanations by ten explainers of every feature, and by two more of the first ones."""
    hookpoint_id = record.hookpoints[0].hookpoint_id
    sizes = [size.n_features] * size.n_explanations + [size.n_few] * 2
    for number, n in enumerate(sizes):
        settings = {"explainer": "plain", "examples": 10 + 10 * number, "sampling": "quantiles"}
        explainer = ledger.method_id(catalogue, "explainer", "plain", "made-up", settings)
        plan = runs.Plan("explain", record.cache_id, hookpoint_id, explainer, settings)
        run = runs.start_run(catalogue, plan, total=n, done=n)
        with catalogue.writing() as con:
            con.run(EXPLAIN, {"explainer": explainer, "hookpoint": hookpoint_id, "run": run,
                              "n": n})  # fmt: skip
        runs.end_run(catalogue, run, "done")


def judge(catalogue: Catalogue, hookpoint_id: int, blocks: list[BlockExamples]) -> None:
    """Items from drawn contexts, a verdict of every explanation on each, and scores."""
    settings = {"preset": PRESET}
    scorer_ids = {
        name: ledger.method_id(catalogue, "scorer", name, "made-up", settings)
        for name in ("detection", "fuzzing")
    }
    with catalogue.writing() as con:
        with con.table("drawn", judged_contexts(blocks)):
            con.run(EXAMPLES, {"hookpoint": hookpoint_id})
        for scorer, scorer_id in scorer_ids.items():
            con.run(ITEMS, {"hookpoint": hookpoint_id, "scorer": scorer, "preset": PRESET})
            fill(con, hookpoint_id, scorer, scorer_id)


def judged_contexts(blocks: list[BlockExamples]) -> pa.Table:
    """The first JUDGED test contexts of either class of every feature."""
    parts = []
    for block in blocks:
        feature = np.repeat(block.features, np.diff(block.indptr))
        for kind in (ACTIVATING, RANDOM):
            chosen = np.flatnonzero((block.split == TEST) & (block.kind == kind))
            begins = np.searchsorted(feature[chosen], feature[chosen])
            chosen = chosen[np.arange(len(chosen)) - begins < JUDGED]
            parts.append(
                pa.table(
                    {
                        "feature": pa.array(feature[chosen].astype(np.uint32)),
                        "kind": pa.array([("activating", "random")[kind]] * len(chosen)),
                        "decile": pa.array(block.decile[chosen], mask=block.decile[chosen] == 0),
                        "first_token": pa.array(block.first_token[chosen]),
                        "peak": pa.array(block.peak[chosen]),
                    }
                )
            )
    return pa.concat_tables(parts)


EXAMPLES = """
insert into example (hookpoint_id, feature, slot, kind, split, decile, first_token, length, peak)
select $hookpoint, feature,
       row_number() over (partition by feature order by kind, first_token) - 1,
       kind, 'test', decile, first_token, 32, peak
from drawn
order by feature
"""
ITEMS = """
insert into item (hookpoint_id, feature, scorer, preset, slot, kind, decile, marks)
select hookpoint_id, feature, $scorer, $preset, slot, kind, decile,
       case when $scorer = 'fuzzing' then [5, 6]::usmallint[] end
from example
where hookpoint_id = $hookpoint
order by feature, slot
"""
VERDICTS = """
insert into verdict (explanation_id, scorer_id, item_id, expected, predicted)
select e.explanation_id, $scorer_id, i.item_id, i.kind = 'activating',
       case hash(e.explanation_id, i.item_id) % 100
           when 0 then null
           else (hash(e.explanation_id * 31 + i.item_id) % 100 < 75) = (i.kind = 'activating')
       end
from explanation e
join item i on i.hookpoint_id = e.hookpoint_id and i.feature = e.feature
where e.hookpoint_id = $hookpoint and i.scorer = $scorer
order by e.explanation_id, i.item_id
"""
SCORES = """
insert into score (
    explanation_id, scorer_id, run_id, metric, value, low, high, tpr, tnr, n_judged, n_failed,
    detail, cost_usd, created_at
)
select explanation_id, $scorer_id, run_id, 'balanced_accuracy', value, value - 0.06, value + 0.06,
       value, value, 49, 1, detail, 0.001, now()::timestamp
from (
    select explanation_id, run_id,
           0.5 + (hash(explanation_id + $scorer_id) % 1000) / 2100 as value,
           concat(
               '{"by_decile":{',
               list_aggregate(
                   list_transform(range(1, 11), lambda d: concat(
                       '"', d, '":{"correct":', 1 + hash(explanation_id * d) % 2,
                       ',"failed":0,"n":', 2 + d % 2, '}')),
                   'string_agg', ','),
               '},"non_activating":{"random":{"correct":', 15 + hash(explanation_id) % 9,
               ',"failed":1,"n":24}},"detail":{}}'
           ) as detail
    from explanation
    where hookpoint_id = $hookpoint
)
order by explanation_id
"""


def fill(con: Connection, hookpoint_id: int, scorer: str, scorer_id: int) -> None:
    """Verdicts and scores of all explanations, in the order of their ids, as scorers write them."""
    given = {"hookpoint": hookpoint_id, "scorer_id": scorer_id}
    con.run(VERDICTS, given | {"scorer": scorer})
    con.run(SCORES, given)

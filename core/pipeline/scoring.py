"""The stage that scores: explanations and test contexts in, verdicts and scores out.

Every explanation of a feature is asked about the same items. An explanation that has a score of
the same scorer, judge and preset is left alone, so that a second run adds nothing and a killed one
goes on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from core.examples import PRESETS, Neighbour
from core.pipeline import selection
from core.pipeline.judging import JUDGE, KINDS, SCORERS, Asked, JudgeWork, ScoreRequest
from core.pipeline.running import Meter, running
from core.pipeline.workbench import Workbench
from core.pipeline.workers import default_workers, in_order
from data import caches, ledger
from data.catalogue import Catalogue
from data.errors import BadInput, NotFound
from data.records import CacheRecord, HookpointRecord, Progress
from data.runs import Plan

CHUNK = 48  # features in one transaction


def score_stage(catalogue: Catalogue, request: ScoreRequest) -> Iterator[Progress]:
    """Judge the explanations of a cache, one run a hookpoint."""
    _check(request)
    record = caches.cache(catalogue, request.cache)
    bench = Workbench.open(catalogue, record)
    bench.require_split()
    _require_explanations(catalogue, request, record)
    named = [caches.hookpoint(record, name) for name in request.hookpoints]
    for hookpoint in named or record.hookpoints:
        yield from _score_hookpoint(catalogue, request, bench, hookpoint)


EXPLAINED = """
select count(*) from explanation e join run r using (run_id)
where r.cache_id = ? and (? is null or e.run_id = ?)
"""


def _require_explanations(catalogue: Catalogue, request: ScoreRequest, record: CacheRecord) -> None:
    """Say so when there is nothing that could be scored."""
    with catalogue.reading() as con:
        n = con.value(EXPLAINED, [record.cache_id, request.run_id, request.run_id])
    if not n and request.run_id is not None:
        raise NotFound(
            f"run {request.run_id} wrote no explanation of cache '{record.name}'; "
            "gloss status lists the runs"
        )
    if not n:
        raise NotFound(
            f"cache '{record.name}' has no explanations yet; run gloss explain {record.name}"
        )


def _check(request: ScoreRequest) -> None:
    if not request.scorers:
        raise BadInput(f"--scorers is empty; there is {', '.join(SCORERS)}")
    for name, known, flag in (
        *((scorer, SCORERS, "--scorers") for scorer in request.scorers),
        *((kind, KINDS, "--kinds") for kind in request.kinds),
        (request.preset, tuple(PRESETS), "--preset"),
    ):
        if name not in known:
            raise BadInput(f"{flag} {name}: there is {', '.join(known)}")


def _score_hookpoint(
    catalogue: Catalogue, request: ScoreRequest, bench: Workbench, hookpoint: HookpointRecord
) -> Iterator[Progress]:
    record = bench.record
    chosen = selection.features(
        request.features, bench.live(hookpoint), hookpoint.n_features,
        seed=record.seed, name=hookpoint.name,
    )  # fmt: skip
    scorer_ids = grammar_scorers(catalogue, request)
    asked = unscored_features(catalogue, request, hookpoint, scorer_ids, set(chosen.tolist()))
    if not asked:
        return
    meter = Meter(f"scoring {hookpoint.name}", len(asked))
    plan = Plan("score", record.cache_id, hookpoint.hookpoint_id, scorer_ids[0], request.settings)
    work = JudgeWork(record, bench.files.folder, hookpoint, request, scorer_ids)
    yield meter.now()
    with running(catalogue, plan, len(asked)) as run_id:
        pieces = [asked[i : i + CHUNK] for i in range(0, len(asked), CHUNK)]
        for made in in_order(work, pieces, request.workers or default_workers()):
            fresh = [judgement for feature in made for judgement in feature]
            ledger.write_judgements(
                catalogue, hookpoint.hookpoint_id, run_id, fresh, features_done=len(made)
            )
            yield meter.advance(len(made))
        ledger.summarise_deciles(catalogue, run_id)


def grammar_scorers(catalogue: Catalogue, request: ScoreRequest) -> tuple[int, ...]:
    """The scorer_id of each scorer with the grammar as judge."""
    settings = {"preset": request.label}
    return tuple(
        ledger.method_id(catalogue, "scorer", scorer, JUDGE, settings) for scorer in request.scorers
    )


RULES = """
select e.explanation_id, e.feature, e.rule
from explanation e
join feature f using (hookpoint_id, feature)
where e.hookpoint_id = ? and e.feature between ? and ? and e.rule is not null
    and (? is null or e.run_id = ?)
    and (f.reason is null or f.reason = 'reduced')
order by e.feature, e.explanation_id
"""
NEAREST = """
select feature, other, value
from neighbour
where hookpoint_id = ? and measure = 'cosine'
order by feature, rank
"""


def unscored_features(
    catalogue: Catalogue,
    request: ScoreRequest,
    hookpoint: HookpointRecord,
    scorer_ids: Sequence[int],
    chosen: set[int],
) -> list[Asked]:
    """The chosen features with explanations that lack a score; those with too few contexts go."""
    if not chosen:
        return []
    span = [min(chosen), max(chosen)]
    with catalogue.reading() as con:
        rows = con.rows(RULES, [hookpoint.hookpoint_id, *span, request.run_id, request.run_id])
    rows = [row for row in rows if row["feature"] in chosen]
    missing = ledger.unscored(
        catalogue, hookpoint.hookpoint_id, scorer_ids, [row["explanation_id"] for row in rows]
    )
    found: dict[int, list[tuple[int, str]]] = {}
    for row in rows:
        if row["explanation_id"] in missing:
            found.setdefault(row["feature"], []).append((row["explanation_id"], row["rule"]))
    asked = [Asked(feature, tuple(rules)) for feature, rules in found.items()]
    return _with_nearest(catalogue, hookpoint, asked) if "neighbour" in request.kinds else asked


def _with_nearest(
    catalogue: Catalogue, hookpoint: HookpointRecord, asked: list[Asked]
) -> list[Asked]:
    nearest: dict[int, list[Neighbour]] = {}
    with catalogue.reading() as con:
        for row in con.rows(NEAREST, [hookpoint.hookpoint_id]):
            nearest.setdefault(row["feature"], []).append(Neighbour(row["other"], row["value"]))
    return [replace(one, nearest=tuple(nearest.get(one.feature, ()))) for one in asked]

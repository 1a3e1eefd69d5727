"""The stage that scores: explanations and test contexts in, verdicts and scores out.

Every explanation of a feature is asked about the same items. An explanation that has a score of
the same scorer, judge and preset is left alone, so that a second run adds nothing and a killed one
goes on. Scorers that run in different places make runs of their own.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import pyarrow as pa

from core.examples import PRESETS
from core.examples.similar import SimilarIndex
from core.pipeline.crowd import in_groups
from core.pipeline.explaining_model import traffic_note
from core.pipeline.judging import SIBLINGS, Asked, Bench, GrammarWork, ScoreRequest
from core.pipeline.materials import KINDS, Drawer, nearest_features
from core.pipeline.nulls import NULL_KINDS, null_stage
from core.pipeline.running import Meter, running
from core.pipeline.scorers import (
    SCORERS,
    TRANSLATED,
    Controls,
    Group,
    Tools,
    asks_grammar,
    groups,
    opened,
    scorer_settings,
    stored_name,
)
from core.pipeline.workbench import Workbench
from core.pipeline.workers import default_workers, in_order
from core.score.material import Claim, Material, Scorer
from core.seeds import permutation
from data import caches, judgements, ledger
from data.catalogue import Catalogue
from data.errors import BadInput, NotFound
from data.judgements import Judgement
from data.records import CacheRecord, HookpointRecord, Progress
from data.runs import Plan

CHUNK = 48  # features in one transaction of the grammar
CONTROLS = 3  # explanations of other features whose texts are a feature's control


def score_stage(catalogue: Catalogue, request: ScoreRequest) -> Iterator[Progress]:
    """Judge the explanations of a cache, one run a hookpoint and place."""
    check(request)
    record = caches.cache(catalogue, request.cache)
    request = request.fitted(record)
    bench = open_bench(catalogue, record, request.preset)
    require_explanations(catalogue, request, record)
    named = [caches.hookpoint(record, name) for name in request.hookpoints]
    with opened(catalogue, bench, request.means) as tools:
        index = None
        if "similar" in request.kinds:
            index = SimilarIndex.open(bench.files, bench.contexts, tools.encoder)
            yield from index.build()
        for hookpoint in named or record.hookpoints:
            for group in groups(request.scorers, request.means):
                work = Work(catalogue, request, bench, hookpoint, group, tools, index)
                yield from _score(work)
            if request.nulls:
                chosen = bench.chosen(hookpoint, request.features)
                made = made_scorers(catalogue, request, tools, hookpoint)
                yield from null_stage(catalogue, request, tools, hookpoint, chosen, made)


def open_bench(catalogue: Catalogue, record: CacheRecord, preset: str) -> Workbench:
    """Open a cache with the contexts of a preset."""
    bench = Workbench.open(catalogue, record, PRESETS[preset].context_length)
    if record.has_activations:
        bench.require_split()
    return bench


EXPLAINED = """
select count(*) from explanation e join run r using (run_id)
where r.cache_id = ? and (? is null or e.run_id = ?)
    and (len(?) = 0 or list_contains(?, e.explanation_id))
"""


def require_explanations(catalogue: Catalogue, request: ScoreRequest, record: CacheRecord) -> None:
    """Say so when there is nothing that could be scored."""
    with catalogue.reading() as con:
        n = con.value(EXPLAINED, [record.cache_id, *which(request)])
    if not n and request.explanations:
        numbers = ", ".join(f"#{number}" for number in request.explanations)
        raise NotFound(f"cache '{record.name}' has no explanation {numbers}")
    if not n and request.run_id is not None:
        raise NotFound(
            f"run {request.run_id} wrote no explanation of cache '{record.name}'; "
            "gloss status lists the runs"
        )
    if not n:
        raise NotFound(
            f"cache '{record.name}' has no explanations yet; run gloss explain {record.name}"
        )


def which(request: ScoreRequest) -> list[object]:
    """Parameters that narrow a query down to the explanations of a request."""
    chosen = list(request.explanations)
    return [request.run_id, request.run_id, chosen, chosen]


def check(request: ScoreRequest) -> None:
    """Refuse what is not there."""
    if not request.scorers:
        raise BadInput(f"--scorers is empty; there is {', '.join(SCORERS)}")
    if "intervention" in request.scorers:
        raise BadInput(
            f"interventions write explanations of their own: run gloss intervene {request.cache}"
        )
    for name, known, flag in (
        *((scorer, (*SCORERS, TRANSLATED), "--scorers") for scorer in request.scorers),
        *((kind, KINDS, "--kinds") for kind in request.kinds),
        *((kind, NULL_KINDS, "--nulls") for kind in request.nulls),
        (request.preset, tuple(PRESETS), "--preset"),
    ):
        if name not in known:
            raise BadInput(f"{flag} {name}: there is {', '.join(known)}")


class Work(NamedTuple):
    """Some scorers over some features of a hookpoint."""

    catalogue: Catalogue
    request: ScoreRequest
    bench: Workbench
    hookpoint: HookpointRecord
    group: Group
    tools: Tools
    similar: SimilarIndex | None

    def plan(self, scorer_ids: Sequence[int]) -> Plan:
        """The run that stores the scores."""
        return Plan(
            "score", self.bench.record.cache_id, self.hookpoint.hookpoint_id, scorer_ids[0],
            self.request.settings(self.group.names), self.request.command,
            paid=self.tools.journal is not None,
        )  # fmt: skip

    @property
    def drawer(self) -> Drawer:
        """What the items are drawn by."""
        return Drawer(self.bench, self.hookpoint, self.request.drawing, self.similar)

    def scorer(self, name: str) -> Scorer:
        """One of the scorers, in this process."""
        return self.tools.scorer(name, partial(controls, self.catalogue, self.hookpoint))

    def judging(self, scorer_ids: tuple[int, ...]) -> Bench:
        """All of the scorers, in this process."""
        return Bench(self.drawer, tuple(map(self.scorer, self.group.names)), scorer_ids)


def _score(work: Work) -> Iterator[Progress]:
    catalogue, hookpoint = work.catalogue, work.hookpoint
    scorer_ids = scorers_of(catalogue, work.request, work.group.names, work.tools)
    asked = unscored_features(work, scorer_ids)
    if not asked:
        yield Progress(f"scoring {hookpoint.name}", 0, 0, note=why_nothing(work))
        return
    meter = Meter(f"scoring {hookpoint.name}", len(asked))
    yield meter.now()
    with running(catalogue, work.plan(scorer_ids), len(asked)) as run_id:
        for made in made_by(work, scorer_ids, asked):
            if made:
                judgements.write_judgements(
                    catalogue, hookpoint.hookpoint_id, run_id,
                    [judgement for feature in made for judgement in feature],
                    features_done=len(made), journal=work.tools.journal,
                )  # fmt: skip
            else:
                ledger.require_wanted(catalogue, run_id)
            meter.note = traffic_note(work.tools.client)
            yield meter.advance(len(made))
        judgements.summarise_deciles(catalogue, run_id)


def made_by(
    work: Work, scorer_ids: tuple[int, ...], asked: Sequence[Asked]
) -> Iterator[list[list[Judgement]]]:
    """Judge features in groups that belong into one transaction; [] is a sign of life."""
    if work.group.place == "processes" and work.similar is None:
        grammar = GrammarWork(
            work.bench.record, work.bench.files.folder, work.hookpoint, work.request.drawing,
            work.group.names, scorer_ids,
        )  # fmt: skip
        pieces = [list(asked[i : i + CHUNK]) for i in range(0, len(asked), CHUNK)]
        yield from in_order(grammar, pieces, work.request.workers or default_workers())
        return
    judging = work.judging(scorer_ids)
    yield from in_groups(judging.judged, asked, work.tools.threads(work.group.names[0]))


def scorers_of(
    catalogue: Catalogue, request: ScoreRequest, names: Sequence[str], tools: Tools
) -> tuple[int, ...]:
    """The scorer_id of each scorer with its judge."""
    return tuple(
        ledger.method_id(
            catalogue, "scorer", stored_name(name), tools.judge_of(name),
            scorer_settings(name, request.means, request.label),
        )
        for name in names
    )  # fmt: skip


UNSCORED = """
select count(*) as explained,
       count(*) filter (f.reason is not null and f.reason <> 'reduced') as few
from (
    select distinct hookpoint_id, feature
    from explanation
    where hookpoint_id = ? and text is not null and (? is null or run_id = ?)
        and (len(?) = 0 or list_contains(?, explanation_id))
) e
join feature f using (hookpoint_id, feature)
semi join chosen using (feature)
"""


def why_nothing(work: Work) -> str:
    """Say why no score is missing, e.g. "3 of 3 explained features have too few contexts"."""
    chosen = work.bench.chosen(work.hookpoint, work.request.features)
    table = pa.table({"feature": pa.array(chosen, pa.uint32())})
    with work.catalogue.reading() as con, con.table("chosen", table):
        (row,) = con.rows(UNSCORED, [work.hookpoint.hookpoint_id, *which(work.request)])
    explained, few = row["explained"], row["few"]
    if not explained:
        return f"none of the {len(chosen):,} chosen features has an explanation; explain them first"
    said = f"{few:,} of {explained:,} explained features have too few contexts for a score"
    return (
        said
        if few == explained
        else "the chosen explanations have these scores" + (f"; {said}" if few else "")
    )


def made_scorers(
    catalogue: Catalogue, request: ScoreRequest, tools: Tools, hookpoint: HookpointRecord
) -> list[tuple[Scorer, int]]:
    """All scorers of a request with their ids, in this process."""
    others = partial(controls, catalogue, hookpoint)
    ids = scorers_of(catalogue, request, request.scorers, tools)
    made = [tools.scorer(name, others) for name in request.scorers]
    return list(zip(made, ids, strict=True))


CLAIMS = """
select e.explanation_id, e.feature, e.text, e.rule
from explanation e
join feature f using (hookpoint_id, feature)
where e.hookpoint_id = ? and e.feature between ? and ? and e.text is not null
    and (? is null or e.run_id = ?)
    and (len(?) = 0 or list_contains(?, e.explanation_id))
    and (f.reason is null or f.reason = 'reduced')
order by e.feature, e.explanation_id
"""


def unscored_features(work: Work, scorer_ids: Sequence[int]) -> list[Asked]:
    """The chosen features with explanations that lack a score; those with too few contexts go."""
    request, hookpoint = work.request, work.hookpoint
    chosen = set(work.bench.chosen(hookpoint, request.features))
    claims = claims_of(work.catalogue, request, hookpoint, chosen)
    if TRANSLATED in work.group.names:  # what is a rule needs no translation
        claims = {f: [c for c in found if c.rule is None] for f, found in claims.items()}
    elif asks_grammar(work.group.names, work.request.means):
        claims = {f: [c for c in found if c.rule is not None] for f, found in claims.items()}
    every = [claim.explanation_id for found in claims.values() for claim in found]
    missing = judgements.unscored(work.catalogue, hookpoint.hookpoint_id, scorer_ids, every)
    nearest = {}
    if "neighbour" in request.kinds or set(SIBLINGS) & set(work.group.names):
        nearest = nearest_features(work.catalogue, hookpoint)
    asked = [
        Asked(
            feature,
            tuple(
                tuple(claim for claim in found if claim.explanation_id in missing[scorer_id])
                for scorer_id in scorer_ids
            ),
            nearest.get(feature, ()),
        )
        for feature, found in claims.items()
    ]
    return [one for one in asked if any(one.claims)]


def claims_of(
    catalogue: Catalogue, request: ScoreRequest, hookpoint: HookpointRecord, chosen: set[int]
) -> dict[int, list[Claim]]:
    """The explanations of the chosen features, by feature."""
    if not chosen:
        return {}
    span = [min(chosen), max(chosen)]
    with catalogue.reading() as con:
        rows = con.rows(CLAIMS, [hookpoint.hookpoint_id, *span, *which(request)])
    found: dict[int, list[Claim]] = {}
    for row in rows:
        if row["feature"] in chosen:
            claim = Claim(row["explanation_id"], row["text"], row["rule"])
            found.setdefault(row["feature"], []).append(claim)
    return found


OTHERS = """
select feature, min_by(text, explanation_id) as text
from explanation
where hookpoint_id = ? and text is not null
group by feature
order by feature
"""


def controls(catalogue: Catalogue, hookpoint: HookpointRecord) -> Controls:
    """Choose other features' explanations for each feature, by its own seed."""
    with catalogue.reading() as con:
        rows = con.rows(OTHERS, [hookpoint.hookpoint_id])
    texts = {row["feature"]: row["text"] for row in rows}

    def chosen(material: Material) -> Sequence[str]:
        features = [feature for feature in texts if feature != material.feature]
        order = permutation(material.seed("controls"), len(features))
        return [texts[features[i]] for i in order[:CONTROLS].tolist()]

    return chosen

"""One feature explained again with other settings, checked, and judged on the same items as before.

What the dashboard's drawer does: about a second, in one of its threads, no worker processes.
"""

from contextlib import ExitStack
from dataclasses import asdict

from core.grammar.settings import Settings
from core.pipeline.explaining_grammar import GrammarWork, grammar_methods
from core.pipeline.judging import Bench, ScoreRequest
from core.pipeline.materials import Drawer
from core.pipeline.running import running
from core.pipeline.scorers import Tools, grammar_scorer, groups
from core.pipeline.scoring import Work, scorers_of, unscored_features
from core.pipeline.workbench import Workbench
from data import judgements, ledger
from data.catalogue import Catalogue
from data.records import HookpointRecord
from data.runs import Plan


def reexplain(
    catalogue: Catalogue, bench: Workbench, hookpoint: HookpointRecord, feature: int,
    settings: Settings, *, seed: int = 0,
) -> int:  # fmt: skip
    """Explain one feature, check and score the explanation, and give its explanation_id.

    The same settings again give the explanation that is there.
    """
    bench.require_split()
    explanation_id = explain_one(catalogue, bench, hookpoint, feature, settings, seed=seed)
    score_one(catalogue, bench, hookpoint, feature)
    return explanation_id


def explain_one(
    catalogue: Catalogue, bench: Workbench, hookpoint: HookpointRecord, feature: int,
    settings: Settings, *, seed: int = 0,
) -> int:  # fmt: skip
    """Explain and check one feature."""
    explainer_id, exact_id = grammar_methods(catalogue, settings)
    question = [hookpoint.hookpoint_id, feature, explainer_id, seed]
    known = _answer(catalogue, question)
    if known is not None:
        return known
    asked = asdict(settings) | {"features": str(feature), "seed": seed}
    plan = Plan("explain", bench.record.cache_id, hookpoint.hookpoint_id, explainer_id, asked)
    work = GrammarWork(bench.record, bench.files.folder, hookpoint, settings, seed)
    with running(catalogue, plan, 1) as run_id:
        made = work.one(bench, feature)
        ledger.write_explanations(
            catalogue, hookpoint.hookpoint_id, explainer_id, exact_id, run_id, [made]
        )
    again = _answer(catalogue, question)
    assert again is not None  # we wrote it, or somebody was faster
    return again


def score_one(
    catalogue: Catalogue, bench: Workbench, hookpoint: HookpointRecord, feature: int
) -> None:
    """Judge those explanations of one feature that have no score yet."""
    request = ScoreRequest(bench.record.name, (hookpoint.name,), str(feature))
    tools = Tools(catalogue, bench, request.means, None, ExitStack())
    (group,) = groups(request.scorers, request.means)
    work = Work(catalogue, request, bench, hookpoint, group, tools, None)
    scorer_ids = scorers_of(catalogue, request, group.names, tools)
    asked = unscored_features(work, scorer_ids)
    if not asked:
        return
    plan = Plan("score", bench.record.cache_id, hookpoint.hookpoint_id, scorer_ids[0],
                work.settings)  # fmt: skip
    scorers = tuple(grammar_scorer(name, bench) for name in group.names)
    judging = Bench(Drawer(bench, hookpoint, request.drawing), scorers, scorer_ids)
    with running(catalogue, plan, 1) as run_id:
        judgements.write_judgements(
            catalogue, hookpoint.hookpoint_id, run_id, judging.judged(asked[0]), features_done=1
        )


KNOWN = """
select max(explanation_id)
from explanation
where hookpoint_id = ? and feature = ? and explainer_id = ? and seed = ?
"""


def asked_before(
    catalogue: Catalogue,
    hookpoint: HookpointRecord,
    feature: int,
    settings: Settings,
    seed: int = 0,
) -> int | None:
    """The explanation_id of an earlier answer to the same question, or None."""
    explainer_id, _ = grammar_methods(catalogue, settings)
    return _answer(catalogue, [hookpoint.hookpoint_id, feature, explainer_id, seed])


def _answer(catalogue: Catalogue, question: list[int]) -> int | None:
    """The newest explanation_id for the parameters of KNOWN, or None."""
    with catalogue.reading() as con:
        return con.value(KNOWN, question)

"""Made-up scores of explainer settings, added to any catalogue: what comparisons read."""

from data import caches, ledger, runs
from data.caches import CacheRecord
from data.catalogue import Catalogue
from data.ledger import NewExplanation
from data.records import Score, Tally
from data.score_rows import score_rows

NO_RUN = 1000  # the run that scores are of


def begin(catalogue: Catalogue, name="one", hookpoints=("h.1", "h.2")) -> CacheRecord:
    """A cache without files."""
    subject = caches.SubjectFacts("tiny", None, "GPTNeoX", "float32", 2, 8, 50)
    saes = [caches.SaeFacts(h, f"sae/{name}", "topk", f"{name}{h}", 50, {}) for h in hookpoints]
    return caches.begin_cache(catalogue, name, subject, saes, {"corpus": "made-up"}, seed=7)


def explain(catalogue, record, settings, features, *, at=0, text="Fires", seed=7) -> dict[int, int]:
    """One explainer's explanations at a hookpoint: explanation_id by feature."""
    explainer = ledger.method_id(catalogue, "explainer", "grammar", None, settings)
    exact = ledger.method_id(catalogue, "scorer", "exact", "grammar", {"preset": "exact"})
    hookpoint_id = record.hookpoints[at].hookpoint_id
    run_settings = {**settings, "features": list(features)}
    plan = runs.Plan("explain", record.cache_id, hookpoint_id, explainer, run_settings)
    run = runs.start_run(catalogue, plan, total=len(features))
    status, why = ("done", None) if text else ("failed", "no rule")
    news = [
        NewExplanation(f, text, None, status, why, 0.1, seed, None, None) for f in features
    ]  # fmt: skip
    ids = ledger.write_explanations(catalogue, hookpoint_id, explainer, exact, run, news)
    runs.end_run(catalogue, run, "done")
    return dict(zip(features, ids, strict=True))


def judge(catalogue, ids, values, *, scorer="detection", preset="gloss", by="grammar", failed=0):
    """Scores of explanations: {feature: value}, where None is undefined; gives the scorer_id.

    Of ten verdicts in decile 1 as many are right as ten times the value, of ten silent ones nine.
    """
    scorer_id = ledger.method_id(catalogue, "scorer", scorer, by, {"preset": preset})
    rows = [
        (ids[feature], scorer_id, made_score(scorer, value, preset, by, failed))
        for feature, value in values.items()
    ]
    with catalogue.writing() as con:
        con.append("score", score_rows(NO_RUN, rows))
    return scorer_id


def made_score(scorer, value, preset, by, failed) -> Score:
    """A score with a decile and a silent kind."""
    right = round(10 * (value or 0))
    return Score(
        scorer, "balanced_accuracy", value, None, None, None, None, 20, failed, by, preset,
        {1: Tally(10, right)}, {"random": Tally(10, 9)}, {},
    )  # fmt: skip

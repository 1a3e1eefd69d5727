"""A sweep over the small store: every part a run, nothing twice, priced before it is started."""

import json
from dataclasses import replace

import pytest
from answering import by_text
from commands import gloss
from scripted_server import serving

from core.grammar.settings import Settings
from core.llm.settings import EndpointSettings
from core.pipeline.scorers import Means
from core.pipeline.sweep_plan import plan_sweep
from core.pipeline.sweep_results import results, side_by_side
from core.pipeline.sweep_words import explainers_of
from core.pipeline.sweeping import SweepRequest, sweep_stage
from core.pipeline.variations import variations
from data import runs
from data.catalogue import Catalogue
from data.errors import BadInput, BudgetReached

MODEL = "test-model"
SWEEP = SweepRequest(
    "small", variations(["grammar"], ["objective=f1,f0.5"]), features="0-5", workers=1
)


def asking(url: str, **more) -> SweepRequest:
    endpoint = EndpointSettings(MODEL, url, timeout=20.0)
    request = SweepRequest(
        "small", variations(["plain", "cot"], ["examples=10"]), features="0-2",
        endpoint=endpoint, means=Means(judge=MODEL, endpoint=endpoint), preset="quick",
        scorers=("detection",),
    )  # fmt: skip
    return replace(request, **more)


def counts(catalogue: Catalogue) -> tuple[int, int, int]:
    with catalogue.reading() as con:
        return tuple(
            con.value(f"select count(*) from {t}") for t in ("explanation", "score", "run")
        )


def test_a_sweep_explains_and_scores_every_setting_and_does_nothing_twice(fresh_store):
    catalogue = Catalogue(fresh_store)
    plan = plan_sweep(catalogue, SWEEP)
    assert [part.to_explain for part in plan.parts] == [6, 6]
    assert plan.calls == 0
    assert "it costs nothing" in plan.in_all()
    seen = list(sweep_stage(catalogue, SWEEP))
    assert seen[0].stage == "setting 1 of 2: explaining gpt_neox.layers.2"
    assert [(r["stage"], r["status"]) for r in runs.runs(catalogue)][1:] == [
        ("explain", "done"), ("score", "done")] * 2  # fmt: skip
    before = counts(catalogue)
    list(sweep_stage(catalogue, SWEEP))
    assert counts(catalogue) == before
    assert [p.to_explain + p.to_score for p in plan_sweep(catalogue, SWEEP).parts] == [0, 0]
    found = results(catalogue, SWEEP)
    assert [one.differs for one in found] == [{"objective": "f1"}, {"objective": "f0.5"}]
    assert all(one.scores["detection"].n for one in found)
    assert side_by_side("small", found) == "side by side: gloss compare small:1 small:2"
    command = ["gloss", "sweep", "small", "--vary", "objective=f1,f0.5,mdl", "--features=0-5"]
    assert explainers_of(catalogue, command) == [1, 2]


def test_only_what_the_sweep_explained_is_scored(fresh_store):
    catalogue = Catalogue(fresh_store)
    list(sweep_stage(catalogue, replace(SWEEP, settings=(Settings(),), features="0-1")))
    list(sweep_stage(catalogue, replace(SWEEP, settings=(Settings(objective="f2"),))))
    with catalogue.reading() as con:
        scored = con.rows(
            "select distinct explainer_id, feature from score join explanation using "
            "(explanation_id) where feature > 1"
        )
    assert {row["explainer_id"] for row in scored} == {2}


def test_a_sweep_with_a_model_asks_what_its_plan_says(fresh_store):
    catalogue = Catalogue(fresh_store)
    with serving(by_text) as server:
        request = asking(server.base_url)
        plan = plan_sweep(catalogue, request)
        with catalogue.reading() as con:
            assert con.value("select count(*) from reply") == 0
        list(sweep_stage(catalogue, request))
    assert [part.explainer for part in plan.parts] == ["plain", "cot"]
    assert plan.dollars is None
    with catalogue.reading() as con:
        asked = con.value("select count(*) from reply")
    assert plan.calls == pytest.approx(asked, rel=0.2)  # it looks at a sample, for a while
    found = results(catalogue, request)
    assert [(one.explainer, one.model) for one in found] == [("plain", MODEL), ("cot", MODEL)]
    assert all(set(one.scores) == {"detection"} for one in found)


def test_a_plan_asks_about_contexts_of_the_presets_length(fresh_store):
    catalogue = Catalogue(fresh_store)
    with serving(by_text) as server:
        request = asking(server.base_url, preset="blog", features="0")  # 20 tokens, not 32
        plan = plan_sweep(catalogue, request)
        list(sweep_stage(catalogue, request))
    with catalogue.reading() as con:
        asked = con.value("select count(*) from reply")
        assert con.value("select max(length) from example") == 20
    assert plan.calls == asked


def test_the_budget_is_for_the_whole_sweep(fresh_store):
    catalogue = Catalogue(fresh_store)
    (fresh_store / "prices.toml").write_text(
        f'["{MODEL}"]\ninput = 1000000.0\noutput = 1000000.0\n', encoding="utf-8"
    )
    with serving(by_text) as server:
        request = asking(server.base_url)
        endpoint = replace(request.endpoint, budget=1.0)
        limited = replace(request, endpoint=endpoint, means=Means(MODEL, endpoint))
        with pytest.raises(BudgetReached):
            list(sweep_stage(catalogue, limited))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"settings": variations(["plain"], [])}, "needs a language model"),
        ({"settings": ()}, "at least one setting"),
        ({"scorers": ("bard",)}, "--scorers bard"),
        ({"preset": "bard"}, "--preset bard"),
        ({"settings": variations(["plain"], []), "endpoint": EndpointSettings(MODEL)},
         "the grammar judges rules only"),
    ],
)  # fmt: skip
def test_what_cannot_be_swept_is_refused_before_anything_is_begun(cached_store, change, said):
    with pytest.raises(BadInput, match=said):
        next(sweep_stage(Catalogue(cached_store), replace(SWEEP, **change)))


def test_time_is_told_from_runs_of_the_same_kind_only(fresh_store):
    catalogue = Catalogue(fresh_store)
    plan = plan_sweep(catalogue, SWEEP)
    assert plan.seconds is None
    assert "some minutes" in plan.in_all()
    list(sweep_stage(catalogue, SWEEP))
    with catalogue.writing() as con:
        con.run("update run set finished_at = started_at + interval 6 seconds")
    more = replace(SWEEP, features="6-11")
    # 6 features and 6 scores in 6 s each, twice: 12 of either at 1 a second.
    assert plan_sweep(catalogue, more).seconds == pytest.approx(24)
    few = replace(more, settings=variations(["grammar"], ["examples=20"]))
    assert plan_sweep(catalogue, few).seconds is None


def test_the_command_prints_a_line_or_an_object_a_setting(fresh_store):
    words = ["small", "--features", "0-3", "--vary", "families=token", "--store", str(fresh_store)]
    planned = gloss("sweep", *words, "--dry-run", "--json")
    assert json.loads(planned.stdout)["to_explain"] == 4
    done = gloss("sweep", *words, "--json")
    (one,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (one["explainer"], one["settings"]["families"]) == ("grammar", "token")
    assert set(one["scores"]) >= {"exact"}
    last = gloss("sweep", *words).stdout.splitlines()[-1]
    assert last.startswith("as small:1, on the page Compare")
    wrong = gloss("sweep", "small", "--vary", "foo=1", "--store", str(fresh_store))
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)

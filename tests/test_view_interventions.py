"""The page of interventions, driven by AppTest: figures, one feature to read, an empty store."""

import pages
import planted_subject as planted
import pytest
from pages import html_of

from core.intervening.pooled import pooled
from dashboard.charts.interventions import interventions_figure, interventions_table
from dashboard.panels.interventions import drawn
from data import caches, interventions, ledger
from data.interventions import Explained, InterventionRow, Place, PromptRow
from data.records import Score
from data.runs import Plan, start_run

POINT = planted.POINT
SETTINGS = {"explain": 1, "select": 1, "score": 2, "context": 24, "new_tokens": 2, "few_shots": 1,
            "passage_tokens": 40}  # fmt: skip


def prompt(role, difference):
    return PromptRow(role, 65, 6, 3, (5, 6), (7, 7), 0.9, ((7, 0.01, 0.4),), difference)


def row(arm, feature, target, value, *, other=None, reason=None, explained=None):
    shown = () if reason else (prompt("explain", None), prompt("select", 1.0), prompt("score", 2.5))
    return InterventionRow(
        arm, feature, target, shown, other=other, text=None if reason else "<b>lantern</b>",
        candidates=(("<b>lantern</b>", 1.0), ("x", None)), strength=3.0, kl=0.9, reason=reason,
        note="reduced: 1 to explain", value=None if reason else value,
        low=None if reason else value - 1, high=None if reason else value + 1,
        error=None if reason else 0.5, per_token=None if reason else value / 2, n_tokens=2,
        n_prompts=2, explained=explained,
    )  # fmt: skip


def explained(catalogue, feature, target):
    explainer = ledger.method_id(catalogue, "explainer", "rising", None, {"kl": target})
    scorer = ledger.method_id(catalogue, "scorer", "intervention", "judges/a",
                              {"kl": target, "preset": f"KL {target:g}"})  # fmt: skip
    made = ledger.NewExplanation(
        feature=feature, text="<b>lantern</b>", rule=None, status="done", error=None, seconds=None,
        seed=0, example_tokens=(), exact=None,
    )  # fmt: skip
    score = Score(
        scorer="intervention", metric="nats", value=2.0, low=1.0, high=3.0, tpr=None, tnr=None, n=2,
        failed=0, judge="judges/a", preset=f"KL {target:g}", by_decile={}, non_activating={},
        detail={},
    )  # fmt: skip
    return Explained(explainer, scorer, made, score)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    catalogue = planted.make_store(tmp_path_factory.mktemp("made") / "store")
    record = caches.cache(catalogue, "planted")
    (hookpoint,) = record.hookpoints
    study = interventions.study_id(catalogue, "judges/a", None, SETTINGS)
    run_id = start_run(catalogue, Plan("intervene", record.cache_id, hookpoint.hookpoint_id, study,
                                       {}), 3)  # fmt: skip
    rows = [row("feature", f, kl, f + kl, explained=explained(catalogue, f, kl))
            for f in (1, 2, 5) for kl in (0.1, 1.0)]  # fmt: skip
    rows += [row("feature", 6, 0.1, 0, reason="unreachable"), row("ablation", 5, None, 0.0)]
    rows += [row("random-sae", f, 1.0, 0.1 * f) for f in range(3)]
    rows += [row("shuffled", 5, 1.0, 0.25, other=1)]
    interventions.write(catalogue, Place(study, hookpoint.hookpoint_id), run_id, rows,
                        features_done=3)  # fmt: skip
    with catalogue.writing() as con:
        con.run("update run set status = 'done'")
    return catalogue


def open_page(monkeypatch, store, **query):
    return pages.open_page(monkeypatch, store, "interventions", **query)


def test_features_stand_beside_their_baselines_at_every_kl(monkeypatch, made):
    app = open_page(monkeypatch, made.store)
    said = html_of(app)
    assert "At KL 1 the explanations of 3 features score 3.67 nats" in said
    assert "the features beat the random SAE" in said
    assert "there is no random SAE to compare with" in said  # at KL 0.1
    assert "Judge judges/a, shown 1 worked example, the last 40 tokens" in said
    table = next(t.value for t in app.dataframe if "Feature" in t.value)
    assert table["Feature"].tolist() == [1, 2, 5, 6]
    assert table["KL 1"].tolist()[:3] == [2.0, 3.0, 6.0]
    assert table["Flags"].tolist() == [0, 0, 0, 1]


def test_a_feature_is_read_with_both_texts_side_by_side(monkeypatch, made):
    app = open_page(monkeypatch, made.store, feature=f"{POINT}/5")
    said = html_of(app)
    assert "Feature 5" in said
    assert "&lt;b&gt;lantern&lt;/b&gt;" in said
    assert "<b>lantern" not in said
    assert "+6.00" in said
    assert "+0.25" in said
    assert "scores · fifth 3 of 5 · KL 0.9 · +2.50 nats · rises:" in said
    assert "reduced: 1 to explain" in said
    app.segmented_control(key="interventions.kl").set_value("ablation").run()
    assert app.query_params["kl"] in ("ablation", ["ablation"])
    app = open_page(monkeypatch, made.store, feature=f"{POINT}/6")
    assert "No score: unreachable." in html_of(app)
    app = open_page(monkeypatch, made.store, feature=f"{POINT}/9")
    assert "Feature 9 is not in this study" in html_of(app)


def test_the_features_own_page_has_the_figures_in_a_closed_part(monkeypatch, made):
    app = pages.open_page(monkeypatch, made.store, "feature", feature=f"{POINT}/5")
    assert "another's" not in html_of(app)
    app.pills(key="more").set_value(["Interventions"]).run()
    assert not app.exception
    said = html_of(app)
    assert "another's" in said
    assert "+6.00" in said


def test_without_any_the_page_gives_the_command(monkeypatch, tmp_path):
    catalogue = planted.make_store(tmp_path / "store")
    app = open_page(monkeypatch, catalogue.store)
    assert f"gloss intervene planted --hookpoint {POINT}" in html_of(app)


def test_the_figure_has_a_point_a_score_and_its_numbers(made):
    with made.reading() as con:
        place = Place(1, con.value("select max(hookpoint_id) from intervention"))
        targets = pooled(interventions.figures(con, place))
    figure = interventions_figure(targets)
    points = [t for t in figure["data"] if not t["name"].startswith("mean")]
    assert {t["name"]: len(t["y"]) for t in points} == {
        "features": 6, "features of a random SAE": 3, "explanations of other features": 1,
        "zero-ablations": 1,
    }  # fmt: skip
    assert figure["layout"]["xaxis"]["ticktext"] == ["0.1<br>3", "1<br>3 · 3 · 1",
                                                     "ablation, KL 0.9<br>1"]  # fmt: skip
    assert len(interventions_table(targets)) == 11


def test_drawn_prompts_are_escaped():
    one = drawn.Shown("score", 1, "<i>", "<u>", "</div>", 0.5, [("<s>", 0.1, 0.2)], -1.0)
    said = drawn.prompts([one])
    assert "<i>" not in said
    assert "&lt;/div&gt;" in said
    assert "−" in said or "-1.00 nats" in said

"""A feature of which some contexts were imported and no more is explained again from its page."""

import pytest
from answering import by_text
from neuronpedia_runs import write_contexts
from one_store import MODEL, One
from pages import html_of, open_page
from scripted_server import serving

from core.explain.settings import ExplainerSettings
from core.grammar.settings import Settings
from core.importing.neuronpedia import ImportRequest, import_neuronpedia
from core.llm.settings import EndpointSettings
from core.pipeline.again import reexplain
from core.pipeline.ask import Ask
from core.pipeline.by_hand import write_by_hand
from core.pipeline.collecting import make
from core.pipeline.preview import preview
from core.pipeline.scorers import Means
from core.pipeline.sweep_plan import plan_sweep
from core.pipeline.sweeping import SweepRequest, sweep_stage
from core.pipeline.variations import variations
from core.pipeline.workbench import Workbench
from data import caches, results
from data.catalogue import Catalogue
from data.errors import BadInput


@pytest.fixture
def store(tmp_path):
    export = write_contexts(tmp_path / "np")
    list(import_neuronpedia(tmp_path / "s", ImportRequest(export, name="run")))
    return tmp_path / "s"


@pytest.fixture
def one(store):
    catalogue = Catalogue(store)
    record = caches.cache(catalogue, "run")
    return One(catalogue, Workbench.open(catalogue, record), record.hookpoints[0], 0)


def asked(url: str, scorers: tuple[str, ...] = ("detection", "fuzzing")) -> Ask:
    endpoint = EndpointSettings(MODEL, url, timeout=20.0)
    return Ask(ExplainerSettings("activations"), endpoint, means=Means(MODEL, endpoint),
               scorers=scorers)  # fmt: skip


def explained(one):
    with one.catalogue.reading() as con:
        return results.explanations(con, one.hookpoint.hookpoint_id, 0)[0]


def test_a_model_explains_it_and_judges_the_imported_contexts(one):
    with serving(by_text) as server:
        foretold = preview(*one, asked(server.base_url))
        assert server.log.requests == 0
        made = reexplain(*one, asked(server.base_url))
        assert (
            server.log.requests == foretold.explaining[0].total.calls + foretold.scoring.total.calls
        )
        assert reexplain(*one, asked(server.base_url)) == made
    found = next(e for e in explained(one) if e.explanation_id == made)
    assert {(s.scorer, s.preset) for s in found.scores} == {
        ("detection", "gloss, imported contexts"), ("fuzzing", "gloss, imported contexts"),
    }  # fmt: skip


def test_what_it_lacks_the_contexts_for_is_one_line(one):
    with pytest.raises(BadInput, match="from which rules are learnt"):
        reexplain(*one, Ask(Settings()))
    with pytest.raises(BadInput, match="from which rules are learnt"):
        preview(*one, Ask(Settings()))
    with serving(by_text) as server, pytest.raises(BadInput, match="intruder needs"):
        reexplain(*one, asked(server.base_url, ("intruder",)))
    with pytest.raises(BadInput, match="imported without activations"):
        write_by_hand(*one, "", 'here:token="the"')


def test_words_of_a_persons_own_stand_beside(one):
    made = write_by_hand(*one, "the article")
    assert {e.explanation_id: e.text for e in explained(one)}[made] == "the article"


def test_settings_of_a_model_are_swept(one):
    with serving(by_text) as server:
        endpoint = EndpointSettings(MODEL, server.base_url, timeout=20.0)
        request = SweepRequest(
            "run", variations(["plain", "activations"], ()), features="all", endpoint=endpoint,
            means=Means(MODEL, endpoint), scorers=("detection",),
        )  # fmt: skip
        plan_sweep(one.catalogue, request)
        assert server.log.requests == 0
        list(sweep_stage(one.catalogue, request))
    made = [e for e in explained(one) if e.model == MODEL]
    assert sorted(e.explainer for e in made) == ["activations", "plain"]
    assert all([s.scorer for s in e.scores] == ["detection"] for e in made)


def page(monkeypatch, store, label):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    app = open_page(monkeypatch, store, "feature", feature="0")
    next(b for b in app.button if b.label == label).click().run()
    assert not app.exception
    return app


def test_the_drawer_offers_what_the_import_has_the_contexts_for(monkeypatch, store):
    app = page(monkeypatch, store, "Re-explain")
    assert app.selectbox(key="reexplain.explainer").value == "plain"
    assert not [o for o in app.selectbox(key="reexplain.explainer").options if "grammar" in o]
    app.selectbox(key="reexplain.model.where").set_value("another address").run()
    with serving(by_text) as server:
        app.text_input(key="reexplain.model.url").set_value(server.base_url)
        app.text_input(key="reexplain.model.model").set_value(MODEL).run()
        assert "calls · ~" in html_of(app)
    scorers = next(p for p in app.get("button_group") if p.label == "Scorers")
    assert not {"intruder", "output-side", "translated"} & set(scorers.options)


def test_a_person_writes_words_and_no_rule(monkeypatch, store):
    app = page(monkeypatch, store, "Write")
    assert not [area for area in app.text_area if area.key == "write.rule"]
    app.text_area(key="write.text").set_value("the article").run()
    assert not next(b for b in app.button if b.key == "write.save").disabled


def test_a_sweep_offers_models_alone(monkeypatch, store):
    app = open_page(monkeypatch, store, "compare", cache="run", mode="many")
    app.button(key="sweep.open").click().run()
    assert not app.exception
    offered = app.multiselect(key="sweep.explainers")
    assert offered.value == ["plain"]
    assert "grammar" not in offered.options


def test_a_collection_is_explained_and_judged_by_a_model(monkeypatch, store, one):
    make(one.catalogue, "mine", "run", f"{one.hookpoint.name}/0 days", "pasted")
    app = open_page(monkeypatch, store, "collected")
    assert not app.exception
    options = {group.label: group.options for group in app.get("button_group")}
    assert options["Explained by"] == options["Judged by"] == ["a language model"]
    assert "output-side" not in options["Scores"]

"""Contexts that were imported alone are judged anew, as far as they go."""

import json
import re

import numpy as np
import pytest
from answering import TEXT, plausible
from delphi_runs import write_text_run
from imported_runs import bring, feature_of, rows_in
from neuronpedia_runs import SOURCE, context, feature, write_contexts, write_export
from scripted_server import serving

from core.examples.stored import sampled
from core.explain.settings import ExplainerSettings
from core.grammar.settings import Settings
from core.importing.neuronpedia import ImportRequest, import_neuronpedia
from core.llm.settings import EndpointSettings
from core.pipeline.explaining import ExplainRequest, explain_stage
from core.pipeline.judging import ScoreRequest
from core.pipeline.pricing import price_scoring
from core.pipeline.scorers import Means
from core.pipeline.scoring import score_stage
from data.catalogue import Catalogue
from data.errors import BadInput

MODEL = "test-model"


def knows_the(body: dict) -> str:
    """Say yes to texts with the word that feature 0 fires on, and to it alone where marked."""
    if '"verdicts"' not in json.dumps(body.get("response_format", {})):
        return plausible(body)
    texts = TEXT.findall(body["messages"][-1]["content"])
    right = r"<< the>>" if "<<" in "".join(texts) else r" the\b"
    return json.dumps({"verdicts": [int(bool(re.search(right, text))) for text in texts]})


def judging(url: str, scorers: tuple[str, ...], **more) -> ScoreRequest:
    asked = Means(judge=MODEL, endpoint=EndpointSettings(MODEL, url, timeout=20.0))
    return ScoreRequest("run", (), "0", scorers, means=more.pop("means", asked), **more)


def scored(catalogue: Catalogue, scorers: tuple[str, ...]) -> dict[str, dict]:
    """Score feature 0 of the run; the new scores by scorer."""
    with serving(knows_the) as server:
        (plan,) = price_scoring(catalogue, judging(server.base_url, scorers))
        list(score_stage(catalogue, judging(server.base_url, scorers)))
        assert len(server.log.bodies) == plan.total.calls
        questions = [body["messages"][-1]["content"] for body in server.log.bodies]
        assert "↵" not in "".join(questions)  # what fills up a short context is no text
    (explanation,) = feature_of(catalogue, "run", "0")["explanations"]
    return {one["scorer"]: one for one in explanation["presets"] if one["judge"] == MODEL}


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> Catalogue:
    """A store with one run without activations; only to be read."""
    folder = tmp_path_factory.mktemp("imported")
    return bring(folder / "store", write_text_run(folder / "run"))


def test_the_very_contexts_of_an_import_are_judged_anew(tmp_path):
    catalogue = bring(tmp_path / "s", write_text_run(tmp_path / "run"))
    found = scored(catalogue, ("detection", "fuzzing", "simulation"))
    assert {one["preset"] for one in found.values()} == {"gloss, imported contexts"}
    assert (found["detection"]["balanced_accuracy"], found["detection"]["n"]) == (1.0, 4)
    assert [d["decile"] for d in found["detection"]["by_decile"] if d["n"]] == [1, 10]
    assert found["detection"]["non_activating"]["random"]["n"] == 2
    assert (found["fuzzing"]["tpr"], found["simulation"]["n"]) == (1.0, 4)
    assert rows_in(catalogue, "example") == {"example": 8}  # no context is added


LACKING = {
    "places": (("intruder",), {}, "intruder needs a feature's contexts by decile"),
    "subject": (("detection", "generation"), {}, "generation needs the subject and its SAE"),
    "kinds": (("detection",), {"kinds": ("token",)}, "--kinds draws contexts of the whole corpus"),
    "rules": (("detection",), {"means": Means()}, "give --judge MODEL"),
}


@pytest.mark.parametrize("what", LACKING)
def test_what_imported_contexts_cannot_be_asked_is_one_line(imported, what):
    scorers, more, said = LACKING[what]
    with pytest.raises(BadInput, match=said):
        list(score_stage(imported, judging("http://nowhere", scorers, **more)))


def test_contexts_without_activations_are_not_marked(tmp_path):
    folder = write_text_run(tmp_path / "run")
    for path in (folder / "scores").rglob("*.txt"):
        rows = [one | {"str_tokens": ["".join(one["str_tokens"])]} for one in
                json.loads(path.read_text())]  # fmt: skip
        path.write_text(json.dumps(rows))
    catalogue = bring(tmp_path / "s", folder)
    assert scored(catalogue, ("detection",))["detection"]["balanced_accuracy"] == 1.0
    with pytest.raises(BadInput, match="without an activation of any token, which fuzzing needs"):
        list(score_stage(catalogue, judging("http://nowhere", ("fuzzing",))))


def test_an_explainer_is_shown_other_imported_contexts_than_its_judge(tmp_path):
    export = write_contexts(tmp_path / "np")
    list(import_neuronpedia(tmp_path / "s", ImportRequest(export, name="run")))
    catalogue = Catalogue(tmp_path / "s")
    with serving(knows_the) as server:
        asked = ExplainRequest("run", (), "all", ExplainerSettings(explainer="activations"),
                               endpoint=EndpointSettings(MODEL, server.base_url))  # fmt: skip
        list(explain_stage(catalogue, asked))
        explained = server.log.bodies[-1]["messages"][-1]["content"]
        list(score_stage(catalogue, judging(server.base_url, ("detection",))))
        judged = TEXT.findall("\n".join(b["messages"][-1]["content"] for b in server.log.bodies))
    found = feature_of(catalogue, "run", f"{SOURCE}/0")
    shown = [f"w{n}" for n in range(24) if re.search(rf"\bw{n}\b", explained)]
    asked_about = {text.split()[0] for text in judged}
    assert 3 <= len(shown) < 12
    assert asked_about.isdisjoint(shown)
    assert len(asked_about & {f"w{n}" for n in range(24)}) == 24 - len(shown)
    score = found["explanations"][-1]["scores"]["detection"]
    assert (score["balanced_accuracy"], score["n"]) == (1.0, len(asked_about))
    assert {one["split"] for one in found["examples"]} == {"test"}  # as they were imported


def test_without_silent_contexts_nothing_is_asked(tmp_path):
    rows = [context(0, n, [f"w{n}", "Ġthe"], [0.0, 1.0 + n]) for n in range(3)]
    export = write_export(tmp_path / "np", features=[feature(0)], activations=rows)
    list(import_neuronpedia(tmp_path / "s", ImportRequest(export, name="run")))
    catalogue = Catalogue(tmp_path / "s")
    with serving(knows_the) as server:
        list(score_stage(catalogue, judging(server.base_url, ("detection",))))
        assert not server.log.bodies
    (explanation,) = feature_of(catalogue, "run", f"{SOURCE}/0")["explanations"]
    score = explanation["scores"]["detection"]
    assert (score["balanced_accuracy"], score["n"]) == (None, 0)


def test_rules_are_not_learnt_from_imported_contexts(imported):
    with pytest.raises(BadInput, match="imported without activations of the whole corpus"):
        list(explain_stage(imported, ExplainRequest("run", (), "all", Settings())))


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [("quantiles", [1, 2, 0]), ("top", [2, 4, 0]), ("all", [1, 3, 2, 4, 0])],
)
def test_an_import_is_sampled_by_the_order_of_its_peaks(sampling, expected):
    size = 9 if sampling == "all" else 3
    how = "random" if sampling == "all" else sampling
    assert sampled(np.array([5.0, 1, 3, 2, 4]), 0, how, size).tolist() == expected

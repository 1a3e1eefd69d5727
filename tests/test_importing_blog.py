"""The blog's published verdicts: the figures beside them come out of the store exactly."""

import json
from time import process_time

import numpy as np
import pytest
from imported_runs import SHARED, bring, codes
from typer.testing import CliRunner

from core import comparing
from core.cli import app
from core.comparing import Question
from data.catalogue import Catalogue

pytestmark = pytest.mark.skipif(not (SHARED / "blog").is_dir(), reason="the verdicts are not here")
BLOG = {
    ("gpt2_top", "detection"): ".463 .515 .519 .592 .586 .612 .671 .686 .731 .839 .908 .765",
    ("gpt2_top", "fuzzing"): ".495 .478 .527 .598 .569 .659 .678 .692 .749 .832 .691 .659",
    ("gpt2_random", "detection"): ".742 .764 .788 .756 .829 .842 .892 .864 .893 .881 .810 .818",
    ("gpt2_random", "fuzzing"): ".742 .803 .792 .812 .854 .907 .910 .917 .914 .941 .530 .694",
}  # deciles 1 .. 10, non-activating or wrongly marked, mean balanced accuracy


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory) -> Catalogue:
    """A store with both runs; only to be read."""
    store = tmp_path_factory.mktemp("blog") / "store"
    before = process_time()
    for name in ("gpt2_top", "gpt2_random"):
        bring(store, SHARED / "blog" / name)
    assert process_time() - before < 60  # seconds
    return Catalogue(store)


def written(figures: list[float]) -> str:
    return " ".join(f"{x:.3f}"[1:] for x in figures)


@pytest.mark.parametrize("name", ["gpt2_top", "gpt2_random"])
def test_the_figures_come_out_of_gloss_show(catalogue, name):
    shown = CliRunner().invoke(app, ["show", name, "--json", "--store", str(catalogue.store)])
    features = [json.loads(line) for line in shown.stdout.splitlines()]
    assert len(features) == 118
    for scorer in ("detection", "fuzzing"):
        scores = [f["explanations"][0]["scores"][scorer] for f in features]
        pooled = [
            [sum(score["by_decile"][d][key] for score in scores) for key in ("correct", "n")]
            for d in range(10)
        ]
        kinds = [kind for score in scores for kind in score["non_activating"].values()]
        pooled.append([sum(kind[key] for kind in kinds) for key in ("correct", "n")])
        figures = [right / n for right, n in pooled]
        figures.append(float(np.mean([score["balanced_accuracy"] for score in scores])))
        assert written(figures) == BLOG[name, scorer]


@pytest.mark.parametrize("scorer", ["detection", "fuzzing"])
def test_the_figures_come_out_of_a_comparison(catalogue, scorer):
    with catalogue.reading() as con:
        first, second = (one.side for one in comparing.sides(con))
        found = comparing.compare(comparing.read(con, Question(first, second, scorer=scorer)))
    assert found.n == 118
    sides = zip(("gpt2_top", "gpt2_random"), found.curves, (found.first, found.second), strict=True)
    for name, curve, mean in sides:
        by_place = {share.place: share for share in curve}
        figures = [by_place.pop(str(decile)).figure.value for decile in range(1, 11)]
        rest = by_place.values()  # by kind: silent contexts, wrong marks
        figures.append(sum(share.right for share in rest) / sum(share.n for share in rest))
        assert written([*figures, mean.value]) == BLOG[name, scorer]


def test_which_end_is_the_strong_one_was_found_out(catalogue):
    assert codes(catalogue, "gpt2_top")["distance_from_1"] == 1

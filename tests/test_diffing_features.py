"""A second subject beside a cache, and the features that differ between the two."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import diffed
import numpy as np
import planted_subject
import pytest
import tiny
from commands import gloss
from planted_subject import Planted

from core.diffing import features
from core.diffing.settings import DiffSettings
from core.diffing.statistics import Spans
from core.diffing.words import fit_warning
from core.pipeline.diffing import DiffRequest, diff_stage, open_pair
from core.pipeline.second_subject import SecondRequest, named_after, second_stage
from data import caches, diffs, runs
from data.cachefiles import CacheFiles, read_meta, write_meta
from data.catalogue import Catalogue
from data.errors import BadInput, GlossError

CHANGED = {Planted.CONTEXT_ONLY, Planted.TOKEN_IN_CONTEXT}


@pytest.fixture
def store(tmp_path):
    return diffed.make_store(tmp_path / "store")


def test_the_planted_difference_is_found_and_confirmed_and_nothing_else_is(store):
    rows = diffed.rows(store)
    assert set(rows["feature"][:2]) == CHANGED
    assert set(rows.loc[rows["mean_held"] <= 0.05, "feature"]) == CHANGED
    assert set(rows.loc[rows["rate_held"] <= 0.05, "feature"]) == CHANGED
    same = rows[~rows["feature"].isin(CHANGED)]
    assert (same[["mean", "mean_low", "mean_high", "rate"]] == 0).all(axis=None)
    assert same["auroc"].eq(0.5).all()
    changed = rows[rows["feature"].isin(CHANGED)]
    assert (changed["mean_high"] < 0).all()
    assert changed["second_rate"].eq(0).all()
    assert diffed.found(store).facts["n_mean_confirmed"] == 2


def test_equal_weights_give_differences_of_exactly_0_and_no_discovery(store):
    list(diff_stage(store, DiffRequest("planted", "twin")))
    rows = diffed.rows(store, "twin")
    assert (rows[["mean", "rate", "mean_low", "mean_high"]] == 0).all(axis=None)
    assert rows["auroc"].eq(0.5).all()
    assert rows["mean_held"].isna().all()
    assert diffed.found(store, "twin").facts["n_mean_chosen"] == 0


def test_sums_are_those_of_the_caches(store):
    rows = diffed.rows(store, order="feature")
    with store.reading() as con:
        density = con.frame(
            "select f.feature, density from feature f join hookpoint using (hookpoint_id) "
            "join cache c using (cache_id) where c.name = 'planted' order by feature"
        )["density"]
    # Every sequence has about as many ordinary tokens, so a mean of shares is about the whole one.
    assert rows["first_rate"].to_numpy() == pytest.approx(density.to_numpy(), rel=0.03)


def test_the_same_again_does_nothing(store):
    assert list(diff_stage(store, DiffRequest("planted", "tuned")))[-1].note.startswith("nothing")
    tuned = str(diffed.template() / "tuned")
    again = list(second_stage(store, SecondRequest("planted", tuned, "tuned")))
    assert again[-1].note.startswith("nothing to do")


def test_the_second_cache_holds_the_same_tokens_and_its_own_reconstruction(store):
    first, second = (caches.cache(store, name) for name in ("planted", "tuned"))
    files = [CacheFiles.open(store.store / one.folder) for one in (first, second)]
    assert (files[0].tokens.matrix() == files[1].tokens.matrix()).all()
    assert files[0].meta.subject_sha256 != files[1].meta.subject_sha256
    assert first.hookpoints[0].fvu != second.hookpoints[0].fvu
    assert (second.corpus, second.n_sequences) == (first.corpus, first.n_sequences)


def test_halves_are_disjoint_and_equal(store):
    files = CacheFiles.open(store.store / caches.cache(store, "planted").folder)
    units = features.sequences(files, 0)
    assert units.chooses.sum() == len(units.chooses) // 2
    assert int(units.ordinary.sum()) == files.meta.n_unmasked


def test_what_does_not_hold_or_turns_round_is_not_confirmed():
    nothing = np.zeros(4)
    effect = features.Effect(
        nothing, nothing, Spans(np.array([1.0, 1.0, -1.0, 0.0]), nothing, nothing),
        sign=np.array([1.0, 1.0, 1.0, 0.0]), p=np.array([0.001, 0.002, 0.001, np.nan]),
        p_held=np.array([0.01, 0.6, 0.001, np.nan]),
    )  # fmt: skip
    found = features.tested(effect, 0.05)
    # Of three that fire: .001 x 3 / 2, .002 x 3 / 3; then held out: .01 x 3 / 2, .6, turned.
    assert found.q[:3].tolist() == pytest.approx([0.0015, 0.002, 0.0015])
    assert found.q_held[:3].tolist() == pytest.approx([0.015, 0.6, 1.0])
    assert np.isnan([found.q[3], found.q_held[3]]).all()


def refused(store, tmp_path, subject: Path, words: str, cache: str = "planted") -> None:
    with pytest.raises(BadInput, match=words):
        list(second_stage(store, SecondRequest(cache, str(subject), "other")))
    assert "other" not in [one.name for one in caches.caches(store)]


def test_another_tokenizer_is_refused_with_both_figures(store, tmp_path):
    refused(store, tmp_path, tiny.save_subject(tmp_path / "tiny"), "258 tokens.*56 tokens")


@pytest.mark.parametrize("what", ["width", "hookpoint", "length"])
def test_a_subject_that_is_built_otherwise_is_refused(store, tmp_path, what):
    words = {"width": "reads 256 numbers a token.*gives 16", "length": "64 tokens.*trained on 32",
             "hookpoint": "no hookpoint transformer.h.0"}  # fmt: skip
    family = "llama" if what == "hookpoint" else "gpt2"
    model = tiny.model(family)
    config = model.config
    config.vocab_size = len(planted_subject.WORDS)
    if what == "length":
        config.n_positions = 32
    type(model)(config).save_pretrained(tmp_path / "model")
    planted_subject.tokenizer().save_pretrained(tmp_path / "model")
    refused(store, tmp_path, tmp_path / "model", words[what])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"tokens_sha256": "0" * 64}, "do not hold the same tokens: gloss diff cache planted"),
        ({"sae_sha256": "0" * 64}, "do not read transformer.h.0 by the same SAE"),
    ],
    ids=["tokens", "sae"],
)
def test_caches_over_other_tokens_or_saes_are_not_compared(store, changed, words):
    folder = store.store / caches.cache(store, "twin").folder
    meta = read_meta(folder)
    if "sae_sha256" in changed:
        hookpoints = tuple(replace(one, **changed) for one in meta.hookpoints)
        write_meta(folder, replace(meta, hookpoints=hookpoints))
    else:
        write_meta(folder, replace(meta, **changed))
    with pytest.raises(BadInput, match=words):
        open_pair(store, "planted", "twin")


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_level_that_is_no_share_is_refused(store, level):
    with pytest.raises(BadInput, match="no share between 0 and 1"):
        list(diff_stage(store, DiffRequest("planted", "twin", settings=DiffSettings(level))))


def test_the_command_prints_an_object_a_feature_and_lines_for_people(store):
    words = ("diff", "features", "planted", "tuned", "--store", str(store.store))
    said = gloss(*words, "--json")
    found = [json.loads(line) for line in said.stdout.splitlines()]
    assert len(found) == len(Planted)
    assert {one["feature"] for one in found[:2]} == CHANGED
    assert found[-1]["mean_q"] is None  # the dead one
    assert {"hookpoint", "first", "second", "mean_held", "auroc_low"} <= found[0].keys()
    lines = gloss(*words, "--top", "1").stdout.splitlines()
    assert "differ 2 by mean activation, 2 of them confirmed" in lines[0]
    assert "second: FVU 2.199" in lines[2]
    assert len([line for line in lines if "#" in line]) == 1
    listed = gloss(*words, "--json", "--order", "auroc").stdout.splitlines()
    far = [abs(json.loads(line)["auroc"] - 0.5) for line in listed]
    assert far == sorted(far, reverse=True)


def test_a_subject_rebuilt_worse_than_by_its_mean_has_no_share_left_unexplained(store):
    (shared,) = open_pair(store, "planted", "tuned").shared
    first, second = (replace(one, fvu=fvu) for one, fvu in zip(shared, (0.1, 2250.6), strict=True))
    assert fit_warning(first, second).startswith(
        "The SAE rebuilds the second subject worse than its mean vector would (FVU 2,250.6), and "
        "leaves 10 % of the first subject's variance unexplained")  # fmt: skip


def test_a_second_cache_is_named_after_its_subject():
    names = ["/models/base/", "org/base.gguf", "re-randomised:3:/models/base", "/"]
    assert [named_after(name) for name in names] == ["base", "base", "re-randomised-3-base",
                                                     "second"]  # fmt: skip


def test_a_comparison_that_is_cancelled_ends_and_keeps_nothing_half(store):
    steps = diff_stage(store, DiffRequest("planted", "twin"))
    assert next(steps).done == 0
    with store.reading() as con:
        runs.cancel(store, con.value("select max(run_id) from run"))
    with pytest.raises(GlossError, match="was cancelled"):
        list(steps)
    with store.reading() as con:
        assert diffs.diffs(con, "features", "planted", "twin") == []


def test_a_second_cache_that_was_killed_goes_on(store, tmp_path):
    request = SecondRequest("planted", str(diffed.template() / "tuned"), "third")
    steps = second_stage(store, request)
    while (step := next(steps)).stage != "caching" or step.done < 5000:
        pass
    shutil.copytree(store.store, tmp_path / "killed")  # what a kill at this moment leaves
    steps.close()
    killed = Catalogue(tmp_path / "killed")
    with killed.writing() as con:
        con.run("update run set pid = 4194305")  # no process has this number
    assert caches.cache(killed, "third").status == "running"
    list(second_stage(killed, request))
    both = [caches.cache(killed, name) for name in ("third", "tuned")]
    columns = [
        CacheFiles.open(killed.store / one.folder).columns(one.hookpoints[0].hookpoint_id)
        for one in both
    ]
    assert (columns[0].counts() == columns[1].counts()).all()
    assert (columns[0].slice(0).token == columns[1].slice(0).token).all()
    with killed.reading() as con:
        last = con.row("select status, total, done from run order by run_id desc limit 1")
    assert last == {"status": "done", "total": 19_968, "done": 19_968}

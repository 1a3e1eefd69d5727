"""Coverage and price, by hand: shares of what fires, calls of presets, tokens times prices."""

import json
from dataclasses import replace

import pytest
from commands import gloss
from compared import judge
from made_baselines import begin, make_store
from planted_subject import make_store as make_planted

from core.coverage import covered, lacking, lines
from core.coverage_price import (
    BLOG_TOKENS,
    PresetPrice,
    Priced,
    Tokens,
    calls,
    headline,
    price,
)
from core.examples import PRESETS
from core.llm.prices import Price
from data import caches, ledger, runs
from data.catalogue import Catalogue
from data.ledger import NewExplanation
from data.records import Usage


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("made") / "store")[0]


def test_shares_are_of_the_features_that_fire(made):
    (one,) = covered(made, "one").hookpoints
    assert (one.n_features, one.alive, one.explainable, one.scorable) == (50, 8, 6, 6)
    assert (one.explained, one.failed) == (6, 0)
    assert one.share(one.explained) == 6 / 8
    (scored,) = one.scored
    assert (scored.scorer, scored.n) == ("detection", 5)


def test_ten_null_scores_have_no_95th_percentile(made):
    (one,) = covered(made, "one").hookpoints
    (scored,) = one.scored
    assert (scored.null_n, scored.threshold, scored.n_above) == (10, None, None)
    assert "; 10 null scores are too few for a 95th percentile" in "\n".join(lines(made, "one"))
    # together they may be enough and yet no hookpoint has a null of its own
    assert lacking(replace(one, hookpoint=""), replace(scored, null_n=30)) == (
        "a hookpoint has fewer than 20 null scores of its own")  # fmt: skip


def test_features_above_their_null_are_counted(tmp_path):
    catalogue, _ = make_store(tmp_path / "store")
    with catalogue.writing() as con:  # 20 more null scores of .65
        con.run("insert into null_score select hookpoint_id, feature, scorer_id, explainer_id, "
                "run_id, kind, other, explanation_id, .65, n_judged, n_failed, detail, created_at "
                "from null_score, range(2)")  # fmt: skip
    (scored,) = covered(catalogue, "one").hookpoints[0].scored
    assert (scored.null_n, scored.threshold) == (30, pytest.approx(0.65))
    assert scored.n_above == 3  # .9, .8 and .7
    assert scored.above is not None
    assert scored.above.value == 3 / 5


PUSHED = {"explain": 4, "select": 4, "score": 8, "context": 48, "kl": 0.33, "judge": "judges/b"}


def test_two_studies_of_the_same_features_are_not_added_up(tmp_path):
    catalogue, _ = make_store(tmp_path / "store")
    with catalogue.writing() as con:
        con.run("insert into explainer (name, settings, settings_hash) values ('rising', $1, 'x')",
                [json.dumps(PUSHED)])  # fmt: skip
        con.run(
            "insert into explanation (natural_key, hookpoint_id, feature, explainer_id, seed, "
            "text, status) select 'again ' || explanation_id, hookpoint_id, feature, (select "
            "max(explainer_id) from explainer), seed, text, e.status from explanation e "
            "join hookpoint h using (hookpoint_id) where h.cache_id = 1"
        )
        con.run(
            "insert into score (explanation_id, scorer_id, metric, value, n_judged) select "
            "new.explanation_id, scorer_id, metric, value, n_judged from explanation new join "
            "explanation old on new.natural_key = 'again ' || old.explanation_id join score s on "
            "s.explanation_id = old.explanation_id"
        )
    found = covered(catalogue, "one").total
    assert [one.n for one in found.scored] == [5, 5]
    assert found.scored[-1].explainer == (
        "rising, 4/4/8 prompts of 48 tokens, KL 0.33, chosen by b")  # fmt: skip


def test_hookpoints_are_added_up_and_a_missing_null_is_not_zero(tmp_path):
    catalogue = Catalogue(tmp_path / "store")
    begin(catalogue, "two", {}, (None, None, "rare"))
    found = covered(catalogue, "two")
    assert (found.total.alive, found.total.explained) == (3, 0)
    assert found.every == found.hookpoints
    said = "\n".join(lines(catalogue, "two"))
    assert "none is scored yet" in said
    assert "no price where nothing was measured: no cache in" in said


@pytest.mark.parametrize(
    ("preset", "n"), [("gloss", 81), ("paper", 81), ("blog", 29), ("delphi", 41), ("quick", 17)]
)
def test_calls_follow_from_the_sizes_of_a_preset(preset, n):
    assert sum(calls(PRESETS[preset]).values()) == n


def test_a_price_is_tokens_times_calls():
    tokens = {
        "explanation": Tokens(1000, 10, 100, "planned", False),
        "detection": Tokens(800, 12, 12, "measured", True, 5),
        "fuzzing": Tokens(900, 12, 12, "measured", True, 5),
    }
    one = PresetPrice("gloss", calls(PRESETS["gloss"]), tokens)
    found = one.dollars(Price(1e-6, 2e-6), explained=10, scored=5)
    # 10 (1000 + 2 * 10) + 5 * 40 (800 + 24 + 900 + 24) = 10,200 + 349,600 millionths
    assert found.low == pytest.approx(0.3598)
    assert found.high == pytest.approx(0.3598 + 10 * 2 * 90 * 1e-6)
    assert one.source == "explanation: planned; detection, fuzzing: measured"


def test_a_price_of_some_hookpoints_names_them():
    part = Priced("mine", ("layers.1",), 3, 2, (), ())
    assert next(part.lines()).startswith("layers.1 of mine: 3 explanations")
    assert next(replace(part, hookpoints=()).lines()).startswith("the whole of mine: 3")


def test_the_blogs_headline_pays_one_explanation_and_one_call():
    found = headline()
    assert BLOG_TOKENS == 963 + 30 + 778 + 12 == 1783
    assert found["usd_per_million_tokens"] == pytest.approx(1300 / 1.5e6 / 1783 * 1e6)
    # gloss: 993 + 80 * 790 = 64,193 tokens a feature, 36 times as many
    assert found["full_usd"]["gloss"] == pytest.approx(1300 * 64193 / 1783)
    assert found["full_usd"]["blog"] == pytest.approx(1300 * (993 + 28 * 790) / 1783)


def asked(catalogue, name, n=2, again=False):
    """Explanations and scores that took calls: 1000 + 20 tokens to explain, 4,000 + 60 to judge.

    Twenty items are judged five a call, so four calls were meant; with `again` a fifth was needed,
    and a second to explain.
    """
    record = caches.cache(catalogue, name)
    hookpoint = record.hookpoints[0].hookpoint_id
    explainer = ledger.method_id(catalogue, "explainer", "activations", "m", {"examples": 40})
    run = runs.start_run(catalogue, runs.Plan("explain", record.cache_id, hookpoint, explainer, {}),
                         total=n)  # fmt: skip
    news = [NewExplanation(f, "Fires", None, "done", None, 0.1, 0, None, None,
                           usage=Usage(1, 1000, 20, None)) for f in range(n)]  # fmt: skip
    ids = ledger.write_explanations(catalogue, hookpoint, explainer, None, run, news)
    with catalogue.writing() as con:
        con.run(f"update explanation set calls = {[1] * (1 + again)} where explainer_id = ?",
                [explainer])  # fmt: skip
    for scorer in ("detection", "fuzzing"):
        judge(catalogue, dict(enumerate(ids)), dict.fromkeys(range(n), 0.5), scorer=scorer, by="m")
    with catalogue.writing() as con:
        con.run(f"update score set n_calls = {4 + again}, input_tokens = 4000, output_tokens = 60 "
                "where explanation_id in (select explanation_id from explanation "
                "where explainer_id = ?)", [explainer])  # fmt: skip
    return record


def test_measured_tokens_are_used_where_calls_were_made_and_said_so(tmp_path):
    catalogue, _ = make_store(tmp_path / "store")
    record = asked(catalogue, "one")
    (catalogue.store / "prices.toml").write_text('["m"]\ninput = 1\noutput = 2\n')
    bare = Catalogue(catalogue.store)
    with bare.writing() as con:  # no activations: nothing can be planned in the blog's place
        con.run('update cache set settings = \'{"activations": "contexts"}\'')
    found = price(bare, caches.cache(bare, record.name), 6, 6)
    # quick shows 20 contexts to the explainer; these explanations were made of 40
    assert [one.preset for one in found.presets] == ["gloss", "paper", "delphi"]
    tokens = found.presets[0].tokens
    assert tokens["explanation"][:3] == (1000, 20, 20)
    assert tokens["detection"][:3] == (1000, 15, 15)
    assert tokens["detection"].source == "measured, 8 calls of m"
    own = found.quoted[0]
    assert (own.name, own.source) == ("m", "prices.toml")
    # 6 (1000 + 2 * 20 + 80 (1000 + 2 * 15)) millionths
    cost = found.presets[0].dollars(own.price, 6, 6)
    assert cost.low == cost.high == pytest.approx(6 * (1040 + 80 * 1030) * 1e-6)


def test_what_was_asked_again_is_part_of_the_price(tmp_path):
    catalogue, _ = make_store(tmp_path / "store")
    record = asked(catalogue, "one", again=True)
    tokens = price(catalogue, record, 6, 6).presets[0].tokens
    # the same tokens were paid for the same two explanations and scores, in more calls
    assert tokens["explanation"][:3] == (1000, 20, 20)
    assert tokens["detection"][:3] == (1000, 15, 15)
    assert tokens["explanation"].source == "measured, 4 calls of m, 2 of them asked again"
    assert tokens["detection"].source == "measured, 10 calls of m, 2 of them asked again"


def test_a_store_without_calls_is_priced_by_its_prompts(tmp_path):
    catalogue = make_planted(tmp_path / "store")
    done = gloss("coverage", "planted", "--json", "--store", str(catalogue.store))
    assert done.returncode == 0, done.stderr
    first, *prices, last = map(json.loads, done.stdout.splitlines())
    assert (first["explained"], first["scores"]) == (0, [])
    assert {one["preset"] for one in prices} == set(PRESETS)
    gloss_preset = prices[0]
    assert gloss_preset["tokens"]["detection"]["is_measured"] is False
    assert 400 < gloss_preset["tokens"]["detection"]["input"] < 2000
    low, high = gloss_preset["cost_usd"]
    assert 0 < low < high
    assert last["headline"]["stated_usd"] == 1300
    assert last["problem"] is None


def test_a_cache_that_is_not_there_is_one_line(made):
    done = gloss("coverage", "nobody", "--store", str(made.store))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)

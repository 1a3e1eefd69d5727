"""The table of features: filtered, sorted and cut in SQL."""

from itertools import product

import pytest
from stores import make_store

from data import queries
from data.catalogue import Catalogue
from data.queries import Filter, Preset, Sort


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=120)


def page(made, **wanted):
    with made.catalogue.reading() as con:
        return queries.features(con, made.hookpoint_id, Filter(**wanted))


def numbers(made, **wanted):
    return page(made, **wanted).rows["feature"].tolist()


def test_all_features_come_in_order(made):
    found = page(made)
    assert (found.total, found.number) == (16, 1)
    assert found.rows["feature"].tolist() == list(range(16))


def test_the_best_explanation_by_detection_is_shown_and_all_are_counted(made):
    first = page(made).rows.iloc[0]
    assert first["text"] == "Fires on the days of the week"
    assert first["n_explanations"] == 2
    assert first["n_failed"] == 6


def test_every_word_must_occur_in_some_explanation(made):
    assert numbers(made, words="DAYS week") == [0]
    assert numbers(made, words="monday") == [0]  # in the other explanation
    assert numbers(made, words="days river") == []
    assert numbers(made, words="'; drop table feature; --") == []


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        (Preset.DEAD, [5]),
        (Preset.SCARCE, [3]),
        (Preset.UNSCORED, [2]),
        (Preset.FAILED, [0, 1]),
        (Preset.UNEXPLAINED, [3, 4, *range(6, 16)]),
    ],
)
def test_presets_pick_what_their_name_says(made, preset, expected):
    assert numbers(made, preset=preset) == expected


def test_sorting_puts_what_has_no_value_last(made):
    best = numbers(made, sort=Sort.DETECTION_HIGH)
    worst = numbers(made, sort=Sort.DETECTION_LOW)
    assert best[:2] == [0, 1]
    assert worst[:2] == [1, 0]
    assert numbers(made, sort=Sort.DENSITY_LOW)[-1] == 5


def test_every_question_is_valid_sql_on_an_empty_store(tmp_path):
    with Catalogue(tmp_path).reading() as con:
        for preset, sort in product(Preset, Sort):
            found = queries.features(con, 1, Filter("a b", preset, sort, page=7))
            assert (found.total, found.number, len(found.rows)) == (0, 1, 0)


def test_a_page_beyond_the_last_is_the_last(made):
    assert page(made, page=99).number == 1


def test_one_feature_has_facts_neighbours_and_identity(made):
    with made.catalogue.reading() as con:
        facts = queries.facts(con, made.hookpoint_id, 0)
        near = queries.neighbours(con, made.hookpoint_id, 0)
        identity = queries.identity(con, made.hookpoint_id)
        live = queries.live_features(con, made.hookpoint_id)
    assert len(facts["counts"]) == 40
    assert facts["n_contexts"] == sum(facts["counts"])
    assert near[0]["text"] == "Fires on <b>markup</b> & $x$"
    assert identity["subject"] == "tiny-subject"
    assert 5 not in live
    assert len(live) == 15

"""The table of features: filtered, sorted and cut in SQL."""

from dataclasses import replace

import pandas as pd
import pytest
from stores import make_store

from data import collections, feature_table, notes
from data.catalogue import Catalogue
from data.feature_filter import Explained, Filter, Flag, Marked, Preset, Similar, Sort, Span


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=120)


def page(made, **wanted):
    with made.catalogue.reading() as con:
        return feature_table.features(con, made.hookpoint_id, Filter(**wanted))


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
    best = numbers(made, sort=Sort("detection", high_first=True))
    worst = numbers(made, sort=Sort("detection"))
    assert best[:2] == [0, 1]
    assert worst[:2] == [1, 0]
    assert numbers(made, sort=Sort("density"))[-1] == 5
    assert numbers(made, sort=Sort("max", high_first=True))[-1] == 5


def test_every_question_is_valid_sql_on_an_empty_store(tmp_path):
    orders = [Sort(by, end) for by in ("index", "detection", "intruder", "max", "density")
              for end in (True, False)]  # fmt: skip
    one = Filter("a b", alive=True, explained=Explained.NO, density=Span(0, 1), scorer="exact",
                 score=Span(0, 1), flags=tuple(Flag), marked=tuple(Marked), explainer=1, run=2,
                 judge="x", collection=3, near=(Similar(1, 2, 0.5),), page=7)  # fmt: skip
    questions = [Filter(sort=sort) for sort in orders] + [Filter(preset=p) for p in Preset]
    with Catalogue(tmp_path).reading() as con:
        for asked in [*questions, one, replace(one, preset=Preset.UNEXPLAINED)]:
            found = feature_table.features(con, 1, asked)
            assert (found.total, found.number, len(found.rows)) == (0, 1, 0)
        assert feature_table.nth(con, 1, one, 0) is None
        assert feature_table.picture(con, 1, one).total == 0
        assert len(feature_table.whole(con, 1, one)) == 0


def test_a_page_beyond_the_last_is_the_last(made):
    assert page(made, page=99).number == 1


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"alive": True, "flags": (Flag.DEAD, Flag.SCARCE)}, [3]),
        ({"flags": (Flag.DEAD, Flag.SCARCE)}, [3, 5]),
        ({"explained": Explained.YES}, [0, 1, 2]),
        ({"explained": Explained.YES, "words": "river"}, [2]),
        ({"scorer": "detection", "score": Span(0.8, None)}, [0]),
        ({"scorer": "detection", "score": Span(None, 0.8)}, [1]),
        ({"scorer": "exact", "score": Span(0.84, 0.84)}, [0, 1, 2]),  # as it was scored
        ({"scorer": "exact", "score": Span(0.83, 0.85)}, [0, 1, 2]),
        ({"flags": (Flag.ONE_TOKEN, Flag.VERY_DENSE)}, []),
        ({"preset": Preset.WORST}, [1, 0]),
        ({"preset": Preset.LOW_DETECTION}, []),
    ],
)
def test_each_part_of_the_filter_narrows(made, wanted, expected):
    assert numbers(made, **wanted) == expected


def test_a_collection_is_its_members_at_the_hookpoint(tmp_path):
    made = make_store(tmp_path, sequences=60)
    here, elsewhere = made.hookpoint_id, made.hookpoint_id + 1
    listed = [collections.Member(here, 5), collections.Member(here, 1),
              collections.Member(elsewhere, 2)]  # fmt: skip
    cache_id = made.cache.cache_id
    found = collections.create(made.catalogue, "circuit", cache_id, listed, "pasted")
    collections.create(made.catalogue, "far", cache_id, listed[2:], "pasted")
    assert numbers(made, collection=found.collection_id) == [1, 5]
    assert numbers(made, collection=found.collection_id, alive=True) == [1]
    with made.catalogue.reading() as con:
        assert [one["name"] for one in feature_table.choices(con, here).collections] == ["circuit"]


def test_a_facet_shows_its_own_best_explanation(made):
    first, second = (page(made, explainer=number) for number in (1, 2))
    assert first.rows["feature"].tolist() == [0, 1, 2]
    assert second.rows[["feature", "text", "n_explanations"]].to_numpy().tolist() == [
        [0, "Fires on “ Monday”, “ Friday”", 1]
    ]
    by_run = page(made, run=2)
    assert by_run.rows.drop(columns="deciles").equals(second.rows.drop(columns="deciles"))


def test_a_facet_of_all_there_is_equals_the_stored_summary(made):
    plain, judged = page(made, explained=Explained.YES), page(made, judge="grammar")
    pd.testing.assert_frame_equal(plain.rows, judged.rows)


def test_what_lacks_an_explanation_of_a_facet_can_be_asked_for(made):
    assert numbers(made, explainer=2, explained=Explained.NO) == [*range(1, 16)]


def test_deciles_are_shares_of_right_verdicts(made):
    first, *_, last = page(made).rows["deciles"]
    assert len(first) == 10
    assert all(0 <= share <= 1 for share in first)
    assert last is None


def test_a_failed_explanation_says_why(made):
    assert page(made).rows["error"][4] == "no rule covers a tenth of the firings"


def test_a_search_by_meaning_keeps_its_order_and_shows_what_it_found(made):
    near = (Similar(2, 3, 0.9), Similar(0, 5, 0.4))
    found = page(made, near=near)
    assert found.rows["feature"].tolist() == [2, 0]
    assert found.rows["text"].tolist() == ["Fires on “ river”", "Fires on “ Monday”, “ Friday”"]
    assert found.rows["similarity"].round(2).tolist() == [0.9, 0.4]


def test_notes_are_searched_and_filtered(tmp_path):
    made = make_store(tmp_path, sequences=60, judged=False)
    notes.write_note(made.catalogue, made.hookpoint_id, 7, "bookmark", notes.SET)
    notes.write_note(made.catalogue, made.hookpoint_id, 8, "bookmark", notes.SET)
    notes.write_note(made.catalogue, made.hookpoint_id, 8, "bookmark", None)
    notes.write_note(made.catalogue, made.hookpoint_id, 9, "label", "My Label")
    notes.write_note(made.catalogue, made.hookpoint_id, 10, "remark", "odd one")
    assert numbers(made, preset=Preset.BOOKMARKED) == [7]
    assert numbers(made, marked=(Marked.LABELLED,)) == [9]
    assert numbers(made, words="label my") == [9]
    assert numbers(made, words="odd") == [10]
    assert page(made).rows["label"][9] == "My Label"


def test_the_nth_feature_runs_through_all_that_pass(made):
    with made.catalogue.reading() as con:
        found = [
            feature_table.nth(con, made.hookpoint_id, Filter(explained=Explained.YES), place)
            for place in range(4)
        ]
    assert found == [0, 1, 2, None]


def test_the_picture_counts_what_the_table_lists(made):
    with made.catalogue.reading() as con:
        seen = feature_table.picture(con, made.hookpoint_id, Filter())
    assert (seen.total, seen.n_both, seen.points["feature"].tolist()) == (16, 2, [0, 1])
    assert {d.scorer: (d.n, sum(d.counts)) for d in seen.distributions} == {
        "detection": (2, 2), "fuzzing": (2, 2), "exact": (3, 3)}  # fmt: skip
    assert seen.distributions[2].counts[21] == 3  # .84 lies in .84..88


def test_the_whole_table_has_every_row_and_the_same_columns(made):
    with made.catalogue.reading() as con:
        rows = feature_table.whole(con, made.hookpoint_id, Filter())
    shown = page(made).rows
    pd.testing.assert_frame_equal(rows, shown.drop(columns=["deciles", "error"]))


def test_choices_name_what_is_in_the_store(made):
    with made.catalogue.reading() as con:
        found = feature_table.choices(con, made.hookpoint_id)
    assert found.scorers == ["detection", "fuzzing", "exact"]
    assert found.judges == ["grammar"]
    assert [row["explainer_id"] for row in found.explainers] == [2, 1]
    assert [row["run_id"] for row in found.runs] == [2, 1]
    assert not found.has_labels
    assert not found.has_judges

"""Which contexts are shown, in which groups, with which verdicts and widths."""

import pytest
from stores import LENGTH, make_store

from core.pipeline.workbench import Workbench
from dashboard.listing import Listing, Show, asked
from dashboard.reader import FeatureReader, Width
from dashboard.spans import Verdict
from data import results


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=120)


@pytest.fixture(scope="module")
def bench(made):
    return Workbench.open(made.catalogue, made.cache)


def listing(made, bench, width=Width.CONTEXT, feature=0):
    with made.catalogue.reading() as con:
        verdicts = results.verdicts(con, made.hookpoint_id, feature)
        shown = results.explanations(con, made.hookpoint_id, feature)[feature][0]
    reader = FeatureReader(bench, made.cache.hookpoints[0], feature)
    return Listing(reader, asked(verdicts, shown.explanation_id), shown, width)


def test_deciles_come_strongest_first_then_the_silent_ones(made, bench):
    names = [heading.name for heading, _ in listing(made, bench).groups(Show.DECILES)]
    assert names[:2] == ["Decile 10", "Decile 9"]
    assert names[-2:] == ["Non-activating", "Wrong marks"]


def test_one_decile_is_shown_whole(made, bench):
    groups = listing(made, bench).groups(Show.DECILES, 10)
    assert [heading.name for heading, _ in groups] == ["Decile 10"]


def test_the_hits_of_a_group_are_those_of_all_its_verdicts(made, bench):
    found = listing(made, bench)
    heading, rows = found.groups(Show.DECILES, 10)[0]
    score = next(s for s in found.explanation.scores if s.scorer == "detection")
    tally = score.by_decile[10]
    assert heading.hits.startswith(f"detection {tally.correct}/{tally.n}")
    shown = [row.detection for row in rows]
    assert shown.count(Verdict.RIGHT) == tally.correct


def test_the_strongest_are_sorted_over_both_splits_and_train_says_so(made, bench):
    _, rows = listing(made, bench).groups(Show.STRONGEST)[0]
    peaks = [row.peak for row in rows]
    assert peaks == sorted(peaks, reverse=True)
    assert {row.note for row in rows} == {"", "train"}
    assert all(row.detection is None for row in rows if row.note == "train")


def test_wrong_verdicts_are_all_there_and_only_those(made, bench):
    found = listing(made, bench)
    questions = [q for qs in found.asked.by_context.values() for q in qs]
    expected = sum(q.verdict is not Verdict.RIGHT for q in questions)
    rows = [row for _, rows in found.groups(Show.WRONG) for row in rows]
    assert len(rows) == expected
    assert all({Verdict.WRONG, Verdict.UNREADABLE} & {row.detection, row.fuzzing} for row in rows)


def test_a_wrong_verdict_has_the_other_scorer_s_beside_it(made, bench):
    groups = {h.name: rows for h, rows in listing(made, bench).groups(Show.WRONG)}
    missed = groups["Detection: missed"]
    assert {row.detection for row in missed} == {Verdict.WRONG}
    assert any(row.fuzzing is Verdict.RIGHT for row in missed)


def test_wrong_marks_outline_what_the_judge_was_asked_about(made, bench):
    groups = {h.name: rows for h, rows in listing(made, bench).groups(Show.SILENT)}
    assert all(row.passage.marks == {5, 6} for row in groups["Wrong marks"])
    marked = [row for row in groups["Non-activating"] if row.fuzzing]
    assert marked
    assert all(row.passage.marks == {5, 6} for row in marked)


def test_bos_is_never_text_and_split_characters_join(made, bench):
    found = listing(made, bench, Width.SEQUENCE)
    texts = ["".join(row.passage.pieces) for _, rows in found.groups(Show.DECILES) for row in rows]
    assert not any("bos" in text for text in texts)
    assert any("😴" in text for text in texts)


@pytest.mark.parametrize(
    ("width", "most"), [(Width.FIVE, 11), (Width.SIXTEEN, 33), (Width.SEQUENCE, LENGTH)]
)
def test_widths_stand_around_the_peak_within_the_sequence(made, bench, width, most):
    found = listing(made, bench, width)
    for _, rows in found.groups(Show.STRONGEST):
        for row in rows:
            passage = row.passage
            assert len(passage.pieces) <= most
            inside = [v for i, v in enumerate(passage.activations) if i not in passage.outside]
            assert max(inside) == pytest.approx(row.peak)


def test_the_second_document_of_a_sequence_has_a_border(made, bench):
    reader = FeatureReader(bench, made.cache.hookpoints[0], 0)
    passage = reader.passages([3 * LENGTH], Width.SEQUENCE)[0]
    assert passage.borders == {20}


def test_contexts_around_tokens_are_given_once(made, bench):
    reader = FeatureReader(bench, made.cache.hookpoints[0], 0)
    passages = reader.around([70, 5, 66])
    assert [p.marks for p in passages] == [{6, 2}, {5}]


def test_a_dead_feature_has_no_group(made, bench):
    found = Listing(FeatureReader(bench, made.cache.hookpoints[0], 5), asked([], None), None)
    assert found.groups(Show.STRONGEST) == []

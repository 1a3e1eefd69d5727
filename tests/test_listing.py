"""Which contexts are shown, in which groups, with which verdicts and widths."""

from dataclasses import replace

import pytest
from stores import LENGTH, make_store

from core.drawing.listing import Judged, Listing, Show, asked
from core.drawing.reader import FeatureReader, Width
from core.drawing.spans import Verdict
from core.pipeline.workbench import Workbench
from data import results


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=120)


@pytest.fixture(scope="module")
def bench(made):
    return Workbench.open(made.catalogue, made.cache)


def listing(made, bench, width=Width.CONTEXT, feature=0, *, pinned=False, prompted=()):
    with made.catalogue.reading() as con:
        verdicts = results.verdicts(con, made.hookpoint_id, feature)
        found = results.explanations(con, made.hookpoint_id, feature)[feature]
    reader = FeatureReader(bench, made.cache.hookpoints[0], feature)
    shown, *others = (Judged(e, asked(verdicts, e.explanation_id)) for e in found)
    shown = replace(shown, prompted=frozenset(prompted))
    return Listing(reader, shown, others[0] if pinned else None, width)


def test_deciles_come_strongest_first_then_the_silent_ones(made, bench):
    names = [heading.name for heading, _ in listing(made, bench).groups(Show.DECILES)]
    assert names[:2] == ["Decile 10", "Decile 9"]
    assert names[-2:] == ["Non-activating", "Wrong marks"]


def test_one_decile_is_shown_whole(made, bench):
    groups = listing(made, bench).groups(Show.DECILES, [10])
    assert [heading.name for heading, _ in groups] == ["Decile 10"]


def test_the_hits_of_a_group_are_those_of_all_its_verdicts(made, bench):
    found = listing(made, bench)
    heading, rows = found.groups(Show.DECILES, [10])[0]
    score = next(s for s in found.shown.explanation.scores if s.scorer == "detection")
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
    found = reader.around([70, 5, 66])
    assert {token: passage.marks for token, passage in found.items()} == {70: {6, 2}, 5: {5}}
    assert list(found) == [70, 5]


def test_a_dead_feature_has_no_group(made, bench):
    found = Listing(FeatureReader(bench, made.cache.hookpoints[0], 5))
    assert found.groups(Show.STRONGEST) == []


def test_a_pinned_explanation_has_its_own_verdicts_beside_every_context(made, bench):
    found = listing(made, bench, pinned=True)
    alone = listing(made, bench)
    rows = [row for _, rows in found.groups(Show.DECILES) for row in rows]
    assert all(row.second is not None for row in rows)
    assert {row.second.detection for row in rows} >= {Verdict.RIGHT, Verdict.WRONG}
    same = [row for _, rows in alone.groups(Show.DECILES) for row in rows]
    assert [row.detection for row in rows] == [row.detection for row in same]
    assert all(row.second is None for row in same)


def test_two_explanations_have_two_headings_and_two_lines_of_hits(made, bench):
    found = listing(made, bench, pinned=True)
    heading, _ = found.groups(Show.DECILES, [10])[0]
    assert found.columns == ["#1", "#5"]
    assert [line.split()[0] for line in heading.hits.splitlines()] == ["#1", "#5"]
    assert listing(made, bench).columns == []


def test_wrong_verdicts_show_what_the_pinned_one_got(made, bench):
    groups = {h.name: rows for h, rows in listing(made, bench, pinned=True).groups(Show.WRONG)}
    seconds = {row.second.detection for row in groups["Detection: missed"]}
    assert Verdict.RIGHT in seconds


def test_a_context_in_the_prompt_says_so_in_place_of_its_verdicts(made, bench):
    reader = FeatureReader(bench, made.cache.hookpoints[0], 0)
    train = reader.strongest.first_token[reader.strongest.split == 0].tolist()
    _, rows = listing(made, bench, prompted=train[:3]).groups(Show.STRONGEST)[0]
    notes = [row.note for row in rows]
    assert notes.count("prompt") == 3
    assert {"train", ""} <= set(notes)
    assert all(row.detection is None for row in rows if row.note == "prompt")


def test_several_deciles_come_strongest_first(made, bench):
    names = [heading.name for heading, _ in listing(made, bench).groups(Show.DECILES, [3, 4])]
    assert names == ["Decile 4", "Decile 3"]


def test_ranked_items_of_other_scorers_are_no_failed_verdicts():
    row = {"explanation_id": 1, "scorer": "embedding", "kind": "random", "context_kind": "random",
           "first_token": 0, "marks": None, "predicted": None, "expected": False}  # fmt: skip
    assert not asked([row], 1).by_context
    assert asked([row | {"scorer": "detection"}], 1).by_context


def test_passages_name_their_tokens_but_not_the_special_ones(made, bench):
    reader = FeatureReader(bench, made.cache.hookpoints[0], 0)
    passage = reader.passages([0])[0]
    assert len(passage.tokens) == len(passage.pieces)
    assert passage.tokens[0] == -1
    assert min(passage.tokens[1:]) > 0

"""What scores say of features whose meaning is known: an explanation that a text can bear out is
found right by every scorer of the input side, and where there is none, every one is at chance.

The output side of the same features: test_output_stages.py, test_score_output_side.py and
test_intervening.py; their flags: test_filtering_stage.py.
"""

import planted_subject
import pytest
from planted_subject import Planted

from core.grammar import Settings
from core.pipeline.explaining import ExplainRequest, explain_stage
from core.pipeline.judging import ScoreRequest
from core.pipeline.scoring import score_stage

READING = {  # what the rules have to say of it, and no less
    Planted.POSITIONAL: "within the first 9 positions",
    Planted.UNIGRAM: "Fires on “apple” (",
    Planted.PRIOR_TOKEN: "any token right after “river”",
    Planted.CONTEXT_ONLY: "words inside brackets",
    Planted.TOKEN_IN_CONTEXT: "“bank” inside brackets",
}
CHANCE = {"detection": 0.5, "fuzzing": 0.5, "intruder": 0.2}


@pytest.fixture(scope="module")
def scored(tmp_path_factory) -> dict[int, dict]:
    """Text and scores by feature, all by rules."""
    made = planted_subject.make_store(tmp_path_factory.mktemp("planted") / "store")
    features = ",".join(str(int(one)) for one in (*READING, Planted.OUTPUT_ONLY))
    list(explain_stage(made, ExplainRequest("planted", (), features, Settings(), workers=1)))
    scorers = (*CHANCE, "simulation")
    list(score_stage(made, ScoreRequest("planted", (), features, scorers)))
    with made.reading() as con:
        rows = con.rows(
            "select feature, text, m.name, value, low, high from explanation "
            "join score s using (explanation_id) join scorer m using (scorer_id)"
        )
    found: dict[int, dict] = {}
    for row in rows:
        one = found.setdefault(row["feature"], {"text": row["text"]})
        one[row["name"]] = (row["value"], row["low"], row["high"])
    return found


@pytest.mark.parametrize("feature", READING, ids=lambda one: one.name)
def test_what_a_feature_reads_is_said_and_every_score_agrees(scored, feature):
    found = scored[feature]
    assert READING[feature] in found["text"]
    for scorer in ("exact", "simulation", *CHANCE):
        assert found[scorer][0] > 0.9, (scorer, found)


def test_a_feature_that_no_text_foretells_is_at_chance_by_every_score(scored):
    found = scored[Planted.OUTPUT_ONLY]
    for scorer, chance in CHANCE.items():
        _, low, high = found[scorer]
        assert low <= chance <= high, (scorer, found)
    assert found["exact"][0] < 0.1  # at its rate of 1 token in 20
    assert abs(found["simulation"][0]) < 0.1

"""The rows of scores that Gloss adds to a Neuronpedia export, with their verdicts (formats 3.3).

The first keys are those of Neuronpedia's table of scores, so rows of other tools are read too;
these turn a lost reply into a no, and have neither kinds nor deciles of ours.
"""

from typing import Any, NamedTuple

from data.imports.delphi_rows import ForeignContext
from data.imports.delphi_run import LAST_INDEX
from data.imports.fields import Fields
from data.imports.neuronpedia_rows import name_in
from data.imports.report import Report
from data.strict_json import loads

SCORERS = {"eleuther_recall": "detection", "eleuther_fuzz": "fuzzing",
           "eleuther_embedding": "embedding"}  # fmt: skip
OURS = "gloss_"  # what the kinds of score begin with that only Gloss has
STRONGEST = 11  # a distance is 11 - decile
MOST_VERDICTS = 1_000_000


class Verdict(NamedTuple):
    """One question and its answer."""

    context: ForeignContext
    activating: bool
    kind: str | None  # of the context, as Gloss calls it; None = another tool's
    distance: float | None  # 1 strongest .. 10 weakest
    predicted: bool | None  # None = no usable reply
    probability: float | None  # of "yes", 0..1


class ScoreRow(NamedTuple):
    """One score of one explanation."""

    feature: int
    explanation_id: str
    scorer: str  # as Gloss calls it
    value: float | None  # 0..1, as written
    judge: str | None
    verdicts: list[Verdict]  # [] = not kept, or of a scorer that asks no yes or no
    gloss: dict[str, Any]  # what the format has no place for; {} = another tool wrote it


def score_row(row: Fields, report: Report) -> ScoreRow:
    """Read a score; verdicts that are no JSON are counted, and left out."""
    explanation, kind = row.text("explanationId"), name_in(row, "explanationScoreTypeName")
    if explanation is None or kind is None:
        raise row.wrong("names no explanation or no kind of score")
    value = row.number("value")
    if value is not None and not 0 <= value <= 1:
        raise row.wrong(f"has a 'value' of {value:g}, outside 0..1")
    gloss = row.found.get("gloss")
    gloss = gloss if isinstance(gloss, dict) else {}
    scorer = SCORERS.get(kind, kind.removeprefix(OURS))
    return ScoreRow(
        feature=Fields(row.where, gloss or row.found).index("index", LAST_INDEX),
        explanation_id=explanation,
        scorer=scorer,
        value=value,
        judge=name_in(row, "explanationScoreModelName"),
        verdicts=_verdicts(row, report, is_yes_no=scorer in ("detection", "fuzzing")),
        gloss=gloss,
    )


def _verdicts(row: Fields, report: Report, *, is_yes_no: bool) -> list[Verdict]:
    """The questions and answers that are written as text inside the row; others are not read."""
    text = row.text("jsonDetails")
    if text is None:
        return []
    try:
        found = loads(text)
    except (ValueError, RecursionError):
        report.add("details_damaged", 1, row.where)
        return []
    if not is_yes_no:
        return []
    if not isinstance(found, list) or len(found) > MOST_VERDICTS:
        raise row.wrong("has 'jsonDetails' that are no list of verdicts")
    return [_verdict(row, number, one) for number, one in enumerate(found)]


def _verdict(row: Fields, number: int, found: Any) -> Verdict:
    if not isinstance(found, dict):
        raise row.wrong(f"has a verdict {number} that is no object")
    inner = Fields(f"{row.where}, verdict {number}", found)
    tokens, values = inner.strings("str_tokens"), inner.values("activations")
    if not tokens and (text := inner.text("text")):
        tokens = [text]
    if not tokens or len(values) not in (0, len(tokens)):
        raise inner.wrong(f"has {len(tokens):,} tokens but {len(values):,} activations")
    activating = inner.found.get("ground_truth")
    if not isinstance(activating, bool):
        raise inner.wrong("has no 'ground_truth' that is true or false")
    probability = inner.number("probability")
    if probability is not None and not 0 <= probability <= 1:
        raise inner.wrong("has a 'probability' outside 0..1")
    return Verdict(
        context=ForeignContext(tokens, values),
        activating=activating,
        kind=name_in(inner, "kind"),
        distance=inner.number("distance"),
        predicted=_predicted(inner),
        probability=probability,
    )


def _predicted(row: Fields) -> bool | None:
    """True, False, 0 and 1 are verdicts; null and -1 are none."""
    value = row.found.get("prediction")
    if value is None or (type(value) in (int, float) and value == -1):
        return None
    if type(value) in (bool, int, float) and value in (0, 1):
        return bool(value)
    raise row.wrong("has a 'prediction' that is no verdict")

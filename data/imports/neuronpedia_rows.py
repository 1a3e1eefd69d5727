"""The rows of a Neuronpedia export: features, contexts, explanations (formats 3.2).

A row becomes a record or is refused with its file and line; what is only doubtful is counted in
the report, and the values themselves count. Knows nothing of folders.
"""

import json
from itertools import pairwise
from typing import Any, NamedTuple

from data.imports.delphi_run import LAST_INDEX
from data.imports.fields import Fields
from data.imports.foreign import clean
from data.imports.report import Report

TOP = -1.0  # what stands for the bounds of the group of the strongest contexts
UNKNOWN_DENSITY = -1.0
NEAR = 1e-3  # between a stated maximum and that of the values, which are rounded
BOS = frozenset({"<bos>", "<s>", "<|endoftext|>", "<|begin_of_text|>", "[CLS]", "<|im_start|>"})
LONGEST_NAME = 512  # letters


class Bins(NamedTuple):
    """A histogram as written."""

    centres: list[float]
    counts: list[float]


class FeatureRow(NamedTuple):
    """What an export says of one feature; None and [] = not in it."""

    feature: int
    max_activation: float | None  # of the corpus
    density: float | None  # share of tokens with an activation, 0..1
    activations: Bins | None  # activations that are not zero, by size
    logits: Bins | None  # effects on all logits
    promoted: list[tuple[str, float]]  # tokens and effects, strongest first
    suppressed: list[tuple[str, float]]  # most negative first
    nearest: list[tuple[int, float]]  # other features and cosines, nearest first
    hook: str | None  # as the tool calls it


class Interval(NamedTuple):
    """The group of equal width that a context was put in: activations low <= peak < high."""

    low: float
    high: float
    share: float | None  # of all tokens with such an activation, 0..1


class ActivationRow(NamedTuple):
    """One context with its activations."""

    feature: int
    tokens: list[str]  # raw pieces of the vocabulary or decoded text, as the producer had it
    values: list[float]  # one a token
    interval: Interval | None
    is_top: bool  # of the group of the strongest

    @property
    def peak(self) -> float:
        """The largest activation."""
        return max(self.values)


class ExplanationRow(NamedTuple):
    """One explanation."""

    feature: int
    explanation_id: str | None
    text: str
    method: str | None  # name of the kind of explanation
    model: str | None
    author: str | None
    notes: dict[str, Any]  # what Gloss wrote there; {} = nothing of ours


def feature_row(row: Fields, report: Report, key: str = "index") -> FeatureRow:
    """Read a feature; key: what the row calls its number."""
    feature = row.index(key, LAST_INDEX)
    density = row.number("frac_nonzero")
    if density == UNKNOWN_DENSITY:
        density = None
    if density is not None and not 0 <= density <= 1:
        raise row.wrong(f"has the impossible density {density:g}")
    report.add("density_unknown", density is None, _about(feature))
    return FeatureRow(
        feature=feature,
        max_activation=row.number("maxActApprox"),
        density=density,
        activations=_bins(row, "freq_hist_data_bar", feature, report),
        logits=_bins(row, "logits_hist_data_bar", feature, report),
        promoted=_effects(row, "pos", feature, report, sign=1),
        suppressed=_effects(row, "neg", feature, report, sign=-1),
        nearest=_nearest(row, feature, report),
        hook=row.text("hookName"),
    )


def _bins(row: Fields, name: str, feature: int, report: Report) -> Bins | None:
    """A histogram; None where there is none, or where it cannot be one."""
    centres, counts = row.figures(f"{name}_values"), row.figures(f"{name}_heights")
    if not centres and not counts:
        return None
    known = [one for one in centres if one is not None]
    heights = [one for one in counts if one is not None and one >= 0]
    fits = len(known) == len(centres) == len(counts) == len(heights)
    if not fits or any(one >= other for one, other in pairwise(known)):
        report.add("histogram_damaged", 1, _about(feature))
        return None
    return Bins(known, heights)


def _effects(
    row: Fields, name: str, feature: int, report: Report, *, sign: int
) -> list[tuple[str, float]]:
    """Tokens with their effects on the logits, the largest (times sign) first."""
    raw, values = row.strings(f"{name}_str"), row.figures(f"{name}_values")
    tokens = [clean(token) for token in raw]
    report.add("text_damaged", tokens != raw, _about(feature))
    if len(tokens) != len(values):
        report.add("logits_damaged", 1, _about(feature))
        return []
    known = [(t, v) for t, v in zip(tokens, values, strict=True) if v is not None]
    inorder = sorted(known, key=lambda pair: -sign * pair[1])
    report.add("logits_damaged", len(known) < len(tokens) or inorder != known,
               _about(feature))  # fmt: skip
    return inorder


def _nearest(row: Fields, feature: int, report: Report) -> list[tuple[int, float]]:
    """Other features with their cosines."""
    others, values = row.entries("topkCosSimIndices"), row.figures("topkCosSimValues")
    usable = all(type(other) is int and 0 <= other <= LAST_INDEX for other in others)
    if len(others) != len(values) or not usable:
        report.add("neighbours_damaged", 1, _about(feature))
        return []
    pairs = zip(others, values, strict=True)
    return [(other, value) for other, value in pairs if value is not None and other != feature]


def _about(feature: int) -> str:
    return f"feature {feature}"


def activation_row(row: Fields, report: Report) -> ActivationRow:
    """Read a context."""
    found = context_of(row, row.index("index", LAST_INDEX), ("binMin", "binMax", "binContains"))
    top, place = row.number("maxValue"), row.found.get("maxValueTokenIndex")
    near = NEAR * max(1.0, abs(found.peak))
    disagrees = top is not None and abs(top - found.peak) > near
    if place is not None:
        is_place = type(place) is int and 0 <= place < len(found.values)
        disagrees |= not is_place or abs(found.values[place] - found.peak) > near
    report.add("peak_disagrees", disagrees, _about(found.feature))
    note_context(found, report)
    return found


def context_of(row: Fields, feature: int, names: tuple[str, str, str]) -> ActivationRow:
    """Tokens, values and group of a context; names: of the group's bounds and share."""
    tokens, values = row.strings("tokens"), row.values("values")
    if len(tokens) != len(values) or not tokens:
        raise row.wrong(f"has {len(tokens):,} tokens but {len(values):,} values")
    low, high, share = (row.number(name) for name in names)
    is_top = low == TOP and share == TOP
    interval = None
    if low is not None and high is not None and not is_top:
        interval = Interval(low, high, share)
    return ActivationRow(feature, tokens, values, interval, is_top)


def note_context(found: ActivationRow, report: Report) -> None:
    """Count what has to be said of a context."""
    where = _about(found.feature)
    at = found.values.index(found.peak)
    if found.peak <= 0:
        report.add("silent_shown_only", 1, where)
    elif found.tokens[at] in BOS:
        report.add("bos_is_max", 1, where)
    report.add("intervals", found.interval is not None, where)


def explanation_row(row: Fields) -> ExplanationRow:
    """Read an explanation; one without text is refused."""
    text = row.text("description")
    if text is None:
        raise row.wrong("has no 'description'")
    return ExplanationRow(
        feature=row.index("index", LAST_INDEX),
        explanation_id=row.text("id"),
        text=text,
        method=name_in(row, "typeName"),
        model=name_in(row, "explanationModelName"),
        author=name_in(row, "authorId"),
        notes=_object(row.text("notes")),
    )


def name_in(row: Fields, key: str) -> str | None:
    """A name that may be missing."""
    found = row.text(key)
    if found is not None and len(found) > LONGEST_NAME:
        raise row.wrong(f"has a '{key}' of {len(found):,} letters")
    return found


def _object(text: str | None) -> dict[str, Any]:
    """An object that is written as text; {} where it is a person's note or nothing."""
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

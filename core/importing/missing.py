"""Why features of a run have no score: derived from its settings and its activations.

Upstream leaves no word of what it skipped. In its order: a feature that never fires, one beyond the
number that was asked for, one with too few contexts (formats 2.7).
"""

from collections.abc import Iterable

import numpy as np

from core.importing.gather import Gathered
from data.activations import Columns
from data.imports.delphi_run import DelphiRun
from data.imports.report import Report

USUAL_CONTEXT, USUAL_FEWEST = 32, 200  # upstream's defaults
REASONS = {
    "dead": "never fired",
    "not_selected": "were beyond the number of features asked for",
    "too_few_contexts": "fired in fewer contexts than the run asked for",
    "not_covered": "are in no file of activations, so nothing is known of them",
    "unknown": "have no score for a reason that the run does not give",
}


def report_missing(run: DelphiRun, gathered: Gathered, report: Report) -> None:
    """Of a run without activations: features with something but without a score."""
    scored = {questions.address for questions in gathered.questions} | set(gathered.simulations)
    scored.update(gathered.measured, *run.values.values())
    for hookpoint in run.hookpoints:
        without = [f for f in run.features(hookpoint) if (hookpoint, f) not in scored]
        _add(report, hookpoint, "unknown", without)


def report_skipped(
    run: DelphiRun,
    hookpoint: str,
    columns: Columns,
    sequence_length: int,
    unknown: np.ndarray,
    report: Report,
) -> None:
    """Of a hookpoint with activations: every feature without a score, with its reason.

    unknown: features that no file of activations is about, bool [features].
    """
    scored = {address.feature for part in run.scores.values() for address in part
              if address.hookpoint == hookpoint}  # fmt: skip
    counts = columns.counts()
    wanted = run.config.get("max_latents")
    limit = wanted if type(wanted) is int else len(counts)
    fewest, length, is_centred = _protocol(run)
    found: dict[str, list[int]] = {}
    for feature in np.flatnonzero(~np.isin(np.arange(len(counts)), list(scored))).tolist():
        if unknown[feature]:
            reason = "not_covered"
        elif not counts[feature]:
            reason = "dead"
        elif feature >= limit:
            reason = "not_selected"
        else:
            tokens = columns.slice(feature).token.astype(np.int64)
            few = _tiles(tokens, length, sequence_length, is_centred=is_centred) < fewest
            reason = "too_few_contexts" if few else "unknown"
        found.setdefault(reason, []).append(feature)
    for reason, features in found.items():
        _add(report, hookpoint, reason, features)


def _protocol(run: DelphiRun) -> tuple[int, int, bool]:
    """Fewest contexts, their length, and whether windows are centred on their peak."""
    section = run.section("constructor_cfg")
    fewest, length = section.get("min_examples"), section.get("example_ctx_len")
    return (
        fewest if type(fewest) is int else USUAL_FEWEST,
        length if type(length) is int and length > 0 else USUAL_CONTEXT,
        section.get("center_examples") is False,
    )


def _tiles(tokens: np.ndarray, length: int, sequence_length: int, *, is_centred: bool) -> int:
    """Distinct tiles with a firing; centred windows need a tile on either side."""
    sequence, position = np.divmod(tokens, sequence_length)
    tile, last = position // length, sequence_length // length - 1
    if is_centred:
        inside = (tile > 0) & (tile < last)
        sequence, tile = sequence[inside], tile[inside]
    return len(np.unique(sequence * (last + 2) + tile))


def _add(report: Report, hookpoint: str, reason: str, features: Iterable[int]) -> None:
    listed = list(features)
    if listed:
        report.add("partial_run", len(listed), f"{hookpoint}/{listed[0]}",
                   f"features without a score ({reason}): they {REASONS[reason]}")  # fmt: skip

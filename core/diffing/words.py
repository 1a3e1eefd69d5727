"""Two subjects in words: sentences and lines, the same on the page and on the command line."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.comparing.words import p_words
from core.diffing.game import Tally
from core.drawing.spans import plain
from data.diffs import DiffRecord, Figure, Point
from data.percents import percent
from data.records import HookpointRecord

NAMES: dict[Figure, str] = {"mean": "mean activation", "rate": "firing rate"}
LEVEL = 0.05  # q from which on a feature reacts
FEW = 0.01  # share of the features tested; less is no hindrance
SIDES = {1: "first", 2: "second", 3: "second minus first"}


def found_words(diff: DiffRecord) -> str:
    """What a comparison of features found, in one sentence."""
    facts = diff.facts
    parts = [
        f"{facts[f'n_{figure}_chosen']:,} by {name}, {facts[f'n_{figure}_confirmed']:,} of them "
        "confirmed"
        for figure, name in NAMES.items()
    ]
    return (
        f"{diff.hookpoint}: of {facts['n_alive']:,} features that fire, differ {'; '.join(parts)} "
        f"(chosen on {facts['n_chosen_on']:,} sequences, confirmed on {facts['n_held_out']:,} "
        f"others; comparison {diff.diff_id}: {settings_words(diff)})"
    )


def settings_words(diff: DiffRecord) -> str:
    """What tells one comparison of features from another of the same two caches."""
    return f"q {diff.settings['level']:g}, seed {diff.settings['seed']}"


def fit_words(first: HookpointRecord, second: HookpointRecord) -> list[str]:
    """How well the SAE rebuilds each subject, a line each."""
    return [f"{name}: {_fit(one)}" for name, one in (("first", first), ("second", second))]


def _fit(one: HookpointRecord) -> str:
    if one.fvu is None:
        return "reconstruction not measured"
    share = one.losses and one.losses.recovered_mean
    lost = "" if share is None else f", {percent(share, 1)} of the loss recovered against the mean"
    l0 = "" if one.l0 is None else f", {one.l0:.1f} features a token"
    return f"FVU {one.fvu:.3f}{lost}{l0}"


def fit_warning(first: HookpointRecord, second: HookpointRecord) -> str:
    """A warning where the SAE rebuilds the second subject clearly worse; "" where it does not."""
    if first.fvu is None or second.fvu is None or second.fvu <= 1.5 * first.fvu + 0.02:
        return ""
    return (
        f"The SAE {_left(second.fvu, 'second')}, and {_left(first.fvu, 'first')}: part of what "
        "changed lies outside of its features."
    )


def _left(fvu: float, which: str) -> str:
    """How badly a subject is rebuilt; above 1 a share of the variance would mean nothing."""
    if fvu > 1:
        return f"rebuilds the {which} subject worse than its mean vector would (FVU {fvu:,.1f})"
    return f"leaves {percent(fvu)} of the {which} subject's variance unexplained"


def feature_line(row: Mapping[str, Any], figure: Figure = "mean") -> str:
    """One feature, e.g. "#17 mean +.12 [+.10, +.15], q .001, held-out .002, AUROC .71: ..."."""
    held = row[f"{figure}_held"]
    said = "not chosen" if _is_none(held) else f"held-out q {held:.2g}"
    q = row[f"{figure}_q"]
    return (
        f"#{row['feature']}  {NAMES[figure]} {row[f'first_{figure}']:.4g} -> "
        f"{row[f'second_{figure}']:.4g}, difference {row[figure]:+.3g} "
        f"[{row[f'{figure}_low']:+.3g}, {row[f'{figure}_high']:+.3g}], "
        f"q {'-' if _is_none(q) else f'{q:.2g}'}, {said}, AUROC {row['auroc']:.2f}"
        f"{_explained(row)}"
    )


def least_words(n_pairs: int) -> str:
    """What so many pairs can show at best: all the same way, p is 2 / 2^n, and q is no smaller."""
    least = min(1.0, 2 / 2 ** min(n_pairs, 60))
    said = f"with {n_pairs} pairs p is at least {least:.2g}"
    if least > LEVEL:
        return f"{said}, so that no feature can react at q .05: give more pairs"
    share = least / LEVEL  # Benjamini-Hochberg: q = p m / k of k features with that p among m
    return f"{said}: q .05 takes that p in {percent(share)} of the features tested" if (
        share >= FEW) else said  # fmt: skip


def reaction_line(row: Mapping[str, Any]) -> str:
    """One feature of contrast pairs."""
    return (
        f"#{row['feature']}  a minus b {row['difference']:+.3g} [{row['low']:+.3g}, "
        f"{row['high']:+.3g}], {row['n']} pairs differ, "
        f"q {'- (too few)' if _is_none(row['q']) else format(row['q'], '.2g')}{_explained(row)}"
    )


def _explained(row: Mapping[str, Any]) -> str:
    text = row["explanation"]
    return f"  {plain(text)}" if isinstance(text, str) else ""


def _is_none(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def as_object(row: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A row for scripts: plain numbers, null where undefined."""
    return more | {
        str(name): None if _is_none(value) else value.item() if hasattr(value, "item") else value
        for name, value in row.items()
    }


def point_line(side: str, point: Point, spans: Mapping[str, tuple[float, float, float]]) -> str:
    """One point of a noise sweep."""
    said = ", ".join(
        f"{name} {value:.4g} [{low:.4g}, {high:.4g}]" for name, (value, low, high) in spans.items()
    )
    return f"{side}  {point.direction} {point.strength:g} x {point.length:.3g}: {said}"


def tally_words(who: str, found: Tally) -> str:
    """What somebody's guesses come to, in one sentence."""
    if not found.answers:
        return f"{plain(who)} has no usable answer yet"
    said, one = "no question is answered alike in both orders yet", found.interval
    if one is not None:
        said = (f"{found.right} of {found.n} questions answered alike in both orders are right, "
                f"{percent(one.value)} [{percent(one.low)}, {percent(one.high)}], "
                f"{p_words(found.p)} against a coin")  # fmt: skip
    lost = f"; {found.failed} without a usable answer" * bool(found.failed)
    return (
        f"{plain(who)}: {said}; {found.split} answered differently in the two orders; "
        f"{found.answers_right} of {found.answers} answers right, X named {found.x_named} "
        f"times{lost}"
    )

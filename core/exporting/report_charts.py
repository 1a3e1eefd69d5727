"""The two charts of a feature as SVG: activations by size over accuracy by decile.

Only numbers and words of ours get into them. Every mark says its value, interval and n on hover.
"""

import math
from collections.abc import Callable, Iterator, Sequence

from core.drawing.curves import SILENT_PLACES, Curve, Histogram, Point

WIDTH, LEFT, RIGHT = 460, 40, 6  # pixels; all charts scale with the page
TALL, ACCURACY = 120, 210  # of the panels
CLASSES = {"detection": ("det", -0.11), "fuzzing": ("fuz", 0.11)}  # and how far they are apart
SIZE = 3.6  # of a mark


def histogram(found: Histogram) -> str:
    """How activations are spread, counts on a log scale."""
    top, last = max(found.counts, default=0), len(found.counts)
    if not top:
        return ""
    power = max(1, math.ceil(math.log10(top) + 0.1))
    low, span = -0.15, power + 0.15  # a single context is seen

    def up(n: float) -> float:
        return TALL - 20 - (math.log10(n) - low) / span * (TALL - 48)

    step, first, width = (WIDTH - LEFT - RIGHT) / last, found.first, found.bin_width
    what = "peak" if found.of == "contexts" else "activation"
    bars = [
        f'<rect class="act" x="{LEFT + k * step + 0.4:.1f}" y="{up(n):.1f}" '
        f'width="{step - 0.8:.1f}" height="{up(10**low) - up(n):.1f}"><title>{what} '
        f"{first + k * width:.3g} to {first + (k + 1) * width:.3g}: {n:,} {found.of}</title>"
        "</rect>"
        for k, n in enumerate(found.counts)
        if n
    ]
    grid = [_rule(up(10**k), f"{10**k:,}") for k in range(power + 1)]
    ends = width * last
    ticks = [
        _word(
            LEFT + share * (WIDTH - LEFT - RIGHT), TALL - 6, f"{first + ends * share:.3g}", anchor
        )
        for share, anchor in zip((0, 0.25, 0.5, 0.75, 1), [*["middle"] * 4, "end"], strict=True)
    ]
    counted = f"{sum(found.counts):,} {found.of}"
    title = _title("Activation distribution", f"{counted} by {what}, log counts")
    label = f"Activation distribution of {counted}"
    return _svg(TALL, label, [title, *grid, *bars, *ticks])


def accuracy(curves: Sequence[Curve]) -> str:
    """Share of right verdicts by decile with 95 % intervals; dashed: chance."""
    points = [point for curve in curves for point in curve.points]
    if not points:
        return ""
    silent = {x: name for x, name in SILENT_PLACES.values() if any(p.x == x for p in points)}
    end = max(silent, default=10) + 0.6
    paired = any(point.x % 1 == 0.5 for point in points)

    def across(x: float) -> float:
        return LEFT + (x - 0.4) / (end - 0.4) * (WIDTH - LEFT - RIGHT)

    def up(share: float) -> float:
        return ACCURACY - 42 - share * (ACCURACY - 76)

    grid = [_rule(up(k / 5), f"{k / 5:.1f}") for k in range(6)]
    chance = (
        f'<path class="axis" stroke-dasharray="4 3" d="M{LEFT} {up(0.5):.1f}H{WIDTH - RIGHT}"/>'
    )
    marks = [mark for curve in curves for mark in _marks(curve, across, up)]
    step = 2 if paired else 1
    ticks = [
        _word(across(d + (step - 1) / 2), ACCURACY - 26, f"{d}–{d + 1}" if paired else str(d))
        for d in range(1, 11, step)
    ]
    ticks += [
        _word(across(x), ACCURACY - 26 + 12 * i, word)
        for x, name in silent.items()
        for i, word in enumerate(name.split("<br>"))
    ]
    if silent:
        chance += f'<path class="axis" stroke-dasharray="1 3" d="M{across(10.8):.1f} 34V{up(0)}"/>'
    axis = "deciles in pairs" if paired else "activation decile"
    under = _word(across(5.5), ACCURACY - 6, f"{axis} (1 weakest … 10 strongest)")
    title = _title("Accuracy by decile", _sizes(points))
    return _svg(
        ACCURACY, "Share of right verdicts by activation decile",
        [title, *_keys(curves), *grid, chance, *marks, *ticks, under],
    )  # fmt: skip


Scale = Callable[[float], float]  # to pixels


def _marks(curve: Curve, across: Scale, up: Scale) -> Iterator[str]:
    """Dots of detection and squares of fuzzing, with whiskers."""
    style, dodge = CLASSES[curve.scorer]
    for point in curve.points:
        x, y = across(point.x + dodge), up(point.share.value)
        low, high = up(point.share.low), up(point.share.high)
        yield (
            f'<g class="{style}"><title>{_said(curve.scorer, point)}</title>'
            f'<path fill="none" stroke-width="1.6" d="M{x:.1f} {low:.1f}V{high:.1f}"/>'
            f"{_shape(style, x, y)}</g>"
        )


def _shape(style: str, x: float, y: float) -> str:
    if style == "det":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{SIZE}"/>'
    return f'<rect x="{x - 3.2:.1f}" y="{y - 3.2:.1f}" width="6.4" height="6.4"/>'


def _said(scorer: str, point: Point) -> str:
    share, tally = point.share, point.tally
    failed = f", {tally.failed} failed" if tally.failed else ""
    return (
        f"{scorer}, {point.label}: {share.value:.2f} [{share.low:.2f}, {share.high:.2f}], "
        f"n {tally.n}{failed}"
    )


def _keys(curves: Sequence[Curve]) -> Iterator[str]:
    """Which mark is which, at the right of the title."""
    x = WIDTH - RIGHT
    for curve in reversed(curves):
        style, _ = CLASSES[curve.scorer]
        x -= 6 * len(curve.scorer) + 18
        shape = _shape(style, x - 8, 24)
        name = curve.scorer.capitalize()
        yield f'<g class="{style}">{shape}</g><text x="{x:.0f}" y="28">{name}</text>'


def _sizes(points: Sequence[Point]) -> str:
    """What a whisker is and how many verdicts stand behind a point."""
    sizes = {point.tally.n for point in points if point.x <= 10}
    low, high = min(sizes, default=0), max(sizes, default=0)
    return "95 % interval, " + (f"n = {low} each" if low == high else f"n = {low} to {high}")


def _title(name: str, note: str) -> str:
    return (
        f'<text x="0" y="12"><tspan class="t">{name}</tspan>'
        f'<tspan class="n" dx="8">{note}</tspan></text>'
    )


def _rule(y: float, name: str) -> str:
    return (
        f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{name}</text>'
    )


def _word(x: float, y: float, said: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{said}</text>'


def _svg(height: int, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )

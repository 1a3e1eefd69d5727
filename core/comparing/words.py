"""A comparison in words, the same on the page and on the command line."""

from core.comparing.figures import Comparison, Figure


def headline(found: Comparison) -> str:
    """The result in one sentence."""
    mean, over = found.difference, f"over {counted(found.n)}"
    if mean is None:
        return "Nothing is compared."
    who = f"B wins {found.wins:,}, ties {found.ties:,}, A wins {found.losses:,}"
    out = found.left_out.n
    rest = f"; {counted(out)} left out: {left_out_words(found)}" if out else ""
    return f"{verdict(found)} {over}; {who}{rest}."


def verdict(found: Comparison) -> str:
    """Which side is better and by how much, or that it cannot be said."""
    mean = found.difference
    if mean is None:
        return "Nothing is compared"
    if mean.low is None or mean.high is None:
        return f"B minus A is {signed(mean.value)}, too few features for an interval,"
    if not mean.excludes_zero:
        return f"A and B are not distinguishable: B minus A is {spanned(mean)}"
    better, size = ("B", mean) if mean.value > 0 else ("A", _turned(mean))
    return f"{better} is better by {short(size.value)} [{short(size.low)}, {short(size.high)}]"


def _turned(figure: Figure) -> Figure:
    low, high = figure.low, figure.high
    return Figure(-figure.value, None if high is None else -high, None if low is None else -low)


def short(value: float | None) -> str:
    """Three decimals without the leading zero, e.g. .031; – where there is none."""
    if value is None:
        return "–"
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def signed(value: float | None) -> str:
    """As `short`, with its sign."""
    if value is None:
        return "–"
    size = short(abs(value))
    sign = "" if size == ".000" else "+" if value > 0 else "−"
    return sign + size


def spanned(figure: Figure) -> str:
    """A signed number with its interval."""
    return f"{signed(figure.value)} [{signed(figure.low)}, {signed(figure.high)}]"


def counted(n: int) -> str:
    """A number of features, e.g. "1 feature"."""
    return f"{n:,} {'feature' if n == 1 else 'features'}"


def left_out_words(found: Comparison) -> str:
    """Why features are not compared, by side."""
    parts = [
        f"{letter} " + ", ".join(f"{n:,} {reason}" for reason, n in reasons.items())
        for letter, reasons in (("A", found.left_out.first), ("B", found.left_out.second))
        if reasons
    ]
    return "; ".join(parts) or "none"


def asides(found: Comparison) -> list[str]:
    """What a reader must know to trust the sentence, a line each."""
    means = " and ".join(
        f"{letter} {short(figure.value)} [{short(figure.low)}, {short(figure.high)}]"
        for letter, figure in (("A", found.first), ("B", found.second))
        if figure
    )
    lines = [
        f"Mean {found.question.scorer}: {means}; median difference {signed(found.median)}; "
        f"signed-rank test {p_words(found.p)}. Intervals: 95 %, bootstrap over features."
    ]
    if found.judge:
        lines.append(f"Both judged by {found.judge.judge}, preset {found.judge.preset}.")
    else:
        said = "; ".join(
            f"{letter}: {', '.join(words)}"
            for letter, words in zip("AB", found.said_by, strict=True)
        )
        lines.append("Judges or presets differ, so the two were not asked the same questions "
                     f"({said}): a difference may be the judge's.")  # fmt: skip
    caches = found.question.first.cache, found.question.second.cache
    if caches[0] != caches[1]:
        lines.append(f"A is of cache {caches[0]}, B of {caches[1]}: features are paired by "
                     "hookpoint and number, which need not mean the same thing.")  # fmt: skip
    if found.n_unranked:
        has = "feature has" if found.n_unranked == 1 else "features have"
        lines.append(f"{found.n_unranked:,} {has} more than 10 % failed replies on a side: "
                     "counted here, not listed among the largest differences.")  # fmt: skip
    return lines


def p_words(p: float | None) -> str:
    """A p value, e.g. "p = .004"; small ones as a bound."""
    if p is None:
        return "undefined, no feature differs"
    return "p < .001" if p < 0.001 else f"p = {short(p)}"

"""A cache's health as words and HTML; knows no Streamlit."""

from collections.abc import Mapping, Sequence

from core.drawing.spans import block, escape, one_line
from dashboard.commands import counted
from dashboard.run_words import Fact
from data.health import REASONS, CacheHealth, Check, HookpointHealth
from data.inspecting import ColumnFacts
from data.percents import percent

MEANING = {
    "dead": "never fired",
    "rare": "too few contexts to explain",
    "scarce": "too few contexts to score",
    "reduced": "scored on fewer contexts",
}
MARKS = {True: "✓", False: "✕", None: "?"}


def verdict(found: CacheHealth) -> str:
    """The whole in a few words."""
    problems = [] if found.has_vocabulary else ["its vocabulary is missing"]
    if found.status != "done":
        problems.append("it is not finished")
    if found.unfinished:
        problems.append(f"{counted(len(found.unfinished), 'runs')} stopped before the end")
    unsized = [one for one in found.hookpoints if not one.is_size_known]
    if len(unsized) == 1:
        problems.append(f"{unsized[0].name}: {unsized[0].extent}")
    elif unsized:
        problems.append(f"sizes of the SAEs and dead features of {len(unsized):,} hookpoints "
                        "are unknown")  # fmt: skip
    return "; ".join(problems) or "nothing is missing"


def facts(found: CacheHealth) -> list[Fact]:
    """State, size, special positions, runs that are half done."""
    runs = ", ".join(map(str, found.unfinished[:12])) + (" …" if len(found.unfinished) > 12 else "")
    return [
        Fact("State", found.status if found.status == "done" else f"{found.status}: not finished"),
        Fact("On disk", size(found.bytes)),
        Fact("Tokens", f"{found.n_tokens:,}" if found.n_tokens else "not known"),
        Fact("Special positions", _special(found)),
        Fact("Vocabulary", "there" if found.has_vocabulary else
             "missing: tokens cannot be shown; make or import the cache again"),
        Fact("Activations", _activations(found)),
        Fact("Half-finished runs", f"{runs} (the page of runs resumes them)" if runs else "none"),
    ]  # fmt: skip


def _activations(found: CacheHealth) -> str:
    if not found.has_files:
        return "missing: the folder of this cache is gone; put it back or make the cache again"
    return "there" if found.has_activations else "only some contexts: this cache was imported"


def _special(found: CacheHealth) -> str:
    """BOS and the like never activate, so a large share is a waste of the corpus."""
    if not found.n_tokens:
        return "not known"
    share = found.n_special / found.n_tokens
    return f"{found.n_special:,}, {percent(share, 2)} of all positions (BOS and separators)"


def size(n: int) -> str:
    """Bytes in a unit a person reads, e.g. 65_721_474 -> "65.7 MB"."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= scale:
            return f"{n / scale:,.1f} {unit}"
    return f"{n:,} bytes"


def hookpoints(found: CacheHealth) -> str:
    """One line an SAE: features, how many cannot be treated in full and why, fit."""
    names = ("hookpoint", "features", *REASONS, "FVU", "L0 (active features a token)",
             "loss recovered")  # fmt: skip
    hints = {name: MEANING.get(name, "") for name in names}
    head = "".join(f'<td title="{hints[name]}">{name}</td>' for name in names)
    lines = "".join(map(_hookpoint, found.hookpoints))
    legend = "; ".join(f"{name}: {meaning}" for name, meaning in MEANING.items())
    return block(
        f'<table class="sides figures"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'
        f'<p class="mut">{legend}. FVU: share of variance that the SAE leaves unexplained. '
        "Loss recovered: share of what replacing it by its mean costs the subject that the "
        "reconstruction saves; not meaningful where that costs next to nothing.</p>"
    )


def _hookpoint(one: HookpointHealth) -> str:
    counts = (one.reasons.get(reason, 0) for reason in REASONS)
    known = [f"{one.n_features:,}", *(_share(n, one.n_features) for n in counts)]
    unknown = [f"{one.n_alive:,} known", *["unknown"] * len(REASONS)]
    recovered = one.losses and one.losses.recovered_mean
    none = "not meaningful" if one.losses else "not measured"
    share = none if recovered is None else percent(recovered, 1)
    cells = [*(known if one.is_size_known else unknown), _figure(one.fvu, ".3f"),
             _figure(one.l0, ".1f"), share]  # fmt: skip
    return f"<tr><th>{one_line(one.name)}</th>{''.join(f'<td>{c}</td>' for c in cells)}</tr>"


def _share(n: int, total: int) -> str:
    if not n or not total:
        return f"{n:,}"
    return f"{n:,} ({percent(n / total, 1)})" if n / total >= 0.0005 else f"{n:,} (&lt; 0.1 %)"


def _figure(value: float | None, form: str) -> str:
    return "not measured" if value is None else format(value, form)


def checks(found: Sequence[Check]) -> str:
    """One line a comparison; a mark beside the colour."""
    lines = "".join(
        f'<tr class="{_class(one)}"><td>{MARKS[one.is_right]}</td><th>{escape(one.what)}</th>'
        f"<td>{one_line(one.words)}</td></tr>"
        for one in found
    )
    wrong = sum(one.is_right is False for one in found)
    said = f"{counted(wrong, 'mismatches')} found" if wrong else "Everything agrees"
    if wrong == 1:
        said = "1 mismatch found"
    return block(f'<p><b>{said}</b></p><table class="sides checks">{lines}</table>')


def _class(one: Check) -> str:
    return {True: "right", False: "wrong", None: "open"}[one.is_right]


def tables(described: Mapping[str, Sequence[ColumnFacts]]) -> str:
    """The catalogue's tables, each to be opened for its columns."""

    def column(one: ColumnFacts) -> str:
        said = f' <span class="mut">{escape(one.comment)}</span>' if one.comment else ""
        return f"<li><code>{escape(one.name)}</code> <em>{escape(one.type)}</em>{said}</li>"

    return block("".join(
        f"<details><summary>{escape(name)}</summary><ul>{''.join(map(column, columns))}</ul>"
        "</details>"
        for name, columns in described.items()
    ), "tables")  # fmt: skip

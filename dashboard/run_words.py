"""Runs as HTML: a run's facts, two runs' settings side by side, reasons; knows no Streamlit.

All text of the store is escaped here.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from core.drawing.spans import block, escape, one_line
from dashboard.commands import (
    counted,
    dollars,
    in_a_page,
    known,
    labels,
    settings_of,
    took,
    unit_of,
)
from data import runs
from data.catalogue import Row
from data.percents import percent
from data.run_queries import Judged, Made

MARKS = {"running": "▶", "queued": "…", "done": "✓", "interrupted": "‖", "cancelled": "■",
         "failed": "✕",
         "cancelling": "…"}  # fmt: skip
UNSET = "–"  # a setting that one of two runs does not have


class Fact(NamedTuple):
    """A name and what it is."""

    name: str
    value: str


def title(run: Row) -> str:
    """A run in a few words, e.g. "Run 7: explain demo at layers.2"."""
    where = f" at {run['hookpoint']}" if run["hookpoint"] else ""
    return f"Run {run['run_id']}: {run['stage']} {run['cache'] or ''}{where}"


def option(run: Row) -> str:
    """A run as one of a list to choose from."""
    words = [title(run), labels(run), run["status"], f"{run['started_at']:%-d %b %H:%M}"]
    return " · ".join(filter(None, words))


def state(run: Row) -> str:
    """The status in a word; a cancelled run is at work until its process ends."""
    return "cancelling" if runs.is_ending(run) else str(run["status"])


def status(run: Row) -> str:
    """The status as a mark and a word: never colour alone."""
    said = state(run)
    known = said if said in MARKS else "other"
    return (f'<span class="st st-{known}">{MARKS.get(said, "?")} '
            f"{escape(said)}</span>")  # fmt: skip


def header(run: Row) -> str:
    """What a run is and how it stands."""
    said = run["error"] or ""
    said = said if run["command"] else in_a_page(said)
    error = f'<p class="bad">{escape(said)}</p>' if said else ""
    return block(f'<div class="runhead">{status(run)}<b>{one_line(title(run))}</b>'
                 f'<span class="mut">{one_line(labels(run))}</span></div>{error}')  # fmt: skip


def facts(run: Row) -> list[Fact]:
    """Times, work, calls, tokens, dollars."""
    asked = bool(run["n_calls"])
    found = [
        Fact("Started", _when(run["started_at"])),
        Fact("Ended" if run["finished_at"] else "Last sign of life",
             _when(run["finished_at"] or run["heartbeat_at"])),
        Fact("Took", took(run)),
        Fact("Done", _done(run)),
        Fact("Failed", counted(run["failed"] or 0, unit_of(run))),
        Fact("Calls", f"{run['n_calls']:,}" if asked else "no language model was asked"),
    ]  # fmt: skip
    if asked:
        found += [
            Fact("Tokens sent", known(run["input_tokens"])),
            Fact("Tokens received", known(run["output_tokens"])),
            Fact("Cost", dollars(run)),
        ]
    return [*found, Fact("Process", f"{run['pid'] or UNSET} on {run['host'] or UNSET}")]


def _done(run: Row) -> str:
    done = run["done"] or 0
    if not run["total"]:
        return counted(done, unit_of(run))
    return f"{done:,} of {counted(run['total'], unit_of(run))}"


def _when(moment: Any) -> str:
    return f"{moment:%-d %B %Y %H:%M:%S} UTC" if moment else UNSET


def settings(run: Row) -> list[Fact]:
    """All settings of a run, nested ones with dots, in the order of their names.

    >>> settings({"settings": '{"b": {"c": [1, 2]}, "a": null}'})
    [Fact(name='a', value='none'), Fact(name='b.c', value='1, 2')]
    """
    return [Fact(*pair) for pair in sorted(flat(settings_of(run)).items())]


def flat(nested: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Nested settings as one level of words."""
    found: dict[str, str] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = _said(value)
    return found


def _said(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and not any(isinstance(one, (dict, list)) for one in value):
        return ", ".join(map(_said, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Difference(NamedTuple):
    """One setting of two runs."""

    name: str
    mine: str
    other: str

    @property
    def is_same(self) -> bool:
        """Whether both have the same."""
        return self.mine == self.other


def differences(run: Row, other: Row) -> list[Difference]:
    """What two runs were asked, side by side: place first, then every setting of either."""
    mine, others = _asked(run), _asked(other)
    return [
        Difference(name, mine.get(name, UNSET), others.get(name, UNSET)) for name in mine | others
    ]


def _asked(run: Row) -> dict[str, str]:
    place = {"stage": run["stage"], "cache": run["cache"] or UNSET,
             "hookpoint": run["hookpoint"] or "all"}  # fmt: skip
    named = dict(settings(run))
    return place | {name: value for name, value in named.items() if name not in place}


def side_by_side(run: Row, other: Row, shown: Sequence[Difference]) -> str:
    """A table of settings; those that differ are marked."""
    lines = "".join(
        f'<tr class="{"" if one.is_same else "differs"}"><th>{one_line(one.name)}</th>'
        f"<td>{one_line(one.mine)}</td><td>{one_line(one.other)}</td>"
        f"<td>{'' if one.is_same else '≠'}</td></tr>"
        for one in shown
    )
    head = f"<tr><th></th><td>Run {run['run_id']}</td><td>Run {other['run_id']}</td><td></td></tr>"
    return block(f'<table class="sides"><thead>{head}</thead><tbody>{lines}</tbody></table>')


def judged_table(found: Sequence[Judged]) -> str:
    """Scores by scorer, with the verdicts that have no usable reply."""
    lines = "".join(
        f"<tr><th>{one_line(one.scorer)}</th><td>{one_line(one.judge or '')}</td>"
        f"<td>{one_line(one.preset or '')}</td><td>{one.n_scores:,}</td><td>{_judged(one)}</td>"
        f"<td>{_share(one)}</td><td>{one.n_undefined:,}</td></tr>"
        for one in found
    )
    names = ("scorer", "judge", "preset", "explanations scored", "usable verdicts (n)",
             "without usable reply", "undefined scores")  # fmt: skip
    head = "".join(f"<td>{name}</td>" for name in names)
    return block(f'<table class="sides figures"><thead><tr>{head}</tr></thead>'
                 f"<tbody>{lines}</tbody></table>")  # fmt: skip


def _judged(one: Judged) -> str:
    """The exact check has no verdicts: it looks at every token."""
    return f"{one.n_judged:,}{' tokens' if one.scorer == 'exact' else ''}"


def _share(one: Judged) -> str:
    asked = one.n_judged + one.n_failed
    share = f" ({percent(one.n_failed / asked, 1)})" if one.n_failed and asked else ""
    return f"{one.n_failed:,}{share}"


def made_words(made: Made) -> str:
    """What a run left, e.g. "12 explanations, 1 failed, 24 scores"."""
    done = made.explanations.get("done", 0)
    words = [counted(done, "explanations")] if made.explanations else []
    words += [f"{n:,} {name}" for name, n in made.explanations.items() if name != "done"]
    words += [counted(made.scores, "scores")] if made.scores else []
    words += [counted(made.null_scores, "null scores")] if made.null_scores else []
    return ", ".join(words) or "no explanations and no scores"

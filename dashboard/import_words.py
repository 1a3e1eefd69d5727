"""What an import brought and what it had to say, as escaped HTML; knows nothing of Streamlit."""

import html
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.drawing.cards import identity
from core.drawing.spans import block, one_line, plain
from dashboard.labels import literal
from data.catalogue import Row

SIGNS = {"error": "×", "warning": "!", "info": "i"}  # beside the word, so that colour says nothing
ERAS = {  # of the tool's files, by what they look like
    "D": "written as since February 2025",
    "A": "written as from October 2024 to February 2025",
    "X": "written as until August 2024",
}
ORIGINS = {"neuronpedia": "export", "saedashboard": "batches", "hub": "explanations"}
LONGEST = 60  # letters of a name in a title


def title(row: Row) -> str:
    """One import in a line, inert as Markdown."""
    when = row["finished_at"]
    cache, source = row["cache"], str(json.loads(row["settings"]).get("name") or "")
    words = [plain(name)[:LONGEST] for name in (cache, source if source != cache else "") if name]
    words += [row["status"]]
    words += [f"{when:%-d %b %H:%M}"] if isinstance(when, datetime) else []
    return literal(" · ".join(words))


def summary(found: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Counts and scores."""
    kept = "with activations" if found["has_activations"] else "without activations"
    pairs = [
        (ORIGINS.get(str(settings.get("origin")), "run"), " · ".join([*_named(settings), kept])),
        ("from", str(settings.get("path"))),
        ("hookpoints", ", ".join(found["hookpoints"])),
        ("explanations", _explanations(found)),
        ("contexts", f"{found['contexts']:,}"),
        ("activations", f"{found['activations']:,}"),
        *((score["scorer"], _score(score)) for score in found["scores"]),
        ("content sha256", str(settings.get("content"))),
    ]
    return identity(pairs)


def _named(settings: Mapping[str, Any]) -> list[str]:
    """What a source calls itself, and how old it looks where that can be told."""
    era = ERAS.get(str(settings.get("era")))
    return [str(settings.get("name")), *([era] if era else [])]


def _explanations(found: Mapping[str, Any]) -> str:
    failed = found["failed_explanations"]
    return f"{found['explanations']:,}" + (f", {failed:,} failed" if failed else "")


def _score(score: Mapping[str, Any]) -> str:
    mean = "undefined" if score["mean"] is None else f"{score['mean']:.3f}"
    return (
        f"mean {mean} over {score['features']:,} features · {score['verdicts']:,} verdicts, "
        f"{score['failed']:,} failed · judged by {score['judge']}"
    )


def report(found: Sequence[Row]) -> str:
    """Every finding: how severe, what, how often, where first, what it means."""
    if not found:
        return block('<p class="mut">Nothing to report: all of it was taken over as it is.</p>')
    head = "".join(f"<th>{name}</th>" for name in ("", "finding", "n", "what it means"))
    body = "".join(map(_line, found))
    return block(
        f'<table class="report"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def _line(row: Row) -> str:
    first = f"<small>first: {one_line(row['example'])}</small>" if row["example"] else ""
    severity = html.escape(row["severity"])
    return (
        f'<tr class="{severity}"><td title="{severity}">{SIGNS.get(severity, "?")} {severity}</td>'
        f"<td><code>{html.escape(row['code'])}</code></td><td>{row['n']:,}</td>"
        f"<td>{one_line(row['explanation'])}{first}</td></tr>"
    )

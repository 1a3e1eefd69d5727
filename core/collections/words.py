"""A collection's table for people and scripts: lines, JSON, CSV."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from core.collections.table import MemberRow, Said
from data.collections import Collection

SHOWN = 5  # tokens of either kind in a line


def lines(found: Collection, rows: Sequence[MemberRow]) -> list[str]:
    """What is known, as `gloss collection show` prints it."""
    roles = Counter(str(row.role) if row.role else "role not known" for row in rows)
    said = ", ".join(f"{n} {name}" for name, n in roles.most_common())
    out = [f"{found.name}: {found.n_members:,} features at {found.n_hookpoints:,} hookpoints of "
           f"cache {found.cache}; {said}"]  # fmt: skip
    for row in rows:
        figures = [f"{name} {_figure(score)}" for name, score in _scores(row) if score]
        told = "; ".join([row.reads or f"— {row.why}", *figures])
        out.append(f"{row.address}  {told}")
        if row.promoted:
            out.append(f"    promotes {_listed(row.promoted)}; fires on {_listed(row.top_tokens)}")
        if row.does:
            out.append(f"    does: {row.does}")
        out.append(f"    role: {role_words(row)}")
    return out


def repeated_words(n: int) -> str:
    """That entries of a list name a feature that an earlier one named."""
    if n == 1:
        return "1 entry names a feature again and counts once"
    return f"{n:,} entries name a feature again and count once"


def role_words(row: MemberRow) -> str:
    """A role in a word, or as much of it as is known.

    >>> role_words(row)  # whose output was not measured
    'reads ✓, acts ?'
    """
    if row.role is not None:
        return str(row.role)
    if row.on_input is None and row.on_output is None:
        return "not known"
    said = {True: "✓", False: "×", None: "?"}
    return f"reads {said[row.on_input]}, acts {said[row.on_output]}"


def _scores(row: MemberRow) -> list[tuple[str, Said | None]]:
    return [("detection", row.detection), ("fuzzing", row.fuzzing),
            ("output-side", row.output_side)]  # fmt: skip


def _figure(score: Said) -> str:
    if score.value is None:
        return "undefined"
    span = f" [{score.low:.2f}, {score.high:.2f}]" if score.low is not None else ""
    return f"{score.value:.2f}{span} n {score.n}"


def _listed(tokens: Sequence[str]) -> str:
    return " ".join(json.dumps(one, ensure_ascii=False) for one in tokens[:SHOWN]) or "nothing"


def as_json(found: Collection, rows: Sequence[MemberRow]) -> dict[str, object]:
    """The whole collection as one object; its list can be read again by `gloss collection new`."""
    return {
        "name": found.name,
        "cache": found.cache,
        "source": found.source,
        "created_at": found.created_at,
        "features": [_row(row) for row in rows],
    }


def _row(row: MemberRow) -> dict[str, object]:
    known: dict[str, object] = asdict(row)
    known["role"] = str(row.role) if row.role else None
    del known["hookpoint_id"]
    return known


def as_csv(rows: Sequence[MemberRow]) -> str:
    """A line a member; tokens as JSON lists, scores in columns of their own."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [
        "hookpoint",
        "feature",
        "label",
        "reads",
        "explainer",
        "does",
        "why",
        "role",
        "on_input",
        "on_output",
    ]
    tokens = ["promoted", "suppressed", "top_tokens"]
    scores = ["detection", "fuzzing", "output_side"]
    figures = ["value", "low", "high", "n", "failed", "judge"]
    writer.writerow([*names, *tokens, *(f"{s}_{f}" for s in scores for f in figures), "null_95"])
    for row in rows:
        said = [getattr(row, name) for name in scores]
        writer.writerow(
            [
                *(getattr(row, name) for name in names),
                *(json.dumps(getattr(row, name), ensure_ascii=False) for name in tokens),
                *(getattr(score, f) if score else None for score in said for f in figures),
                row.null_95,
            ]
        )
    return out.getvalue()

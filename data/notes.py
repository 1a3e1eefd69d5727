"""What a person adds: bookmarks, labels and remarks on features; saved views, settings and queries.

Rows are added, never overwritten: of a feature's tag, or of a kind and name, the newest row holds,
and one without text takes the others back.
"""

import json
from typing import Any, Literal

from data.catalogue import Catalogue, Connection, as_json

Tag = Literal["bookmark", "label", "remark"]
Kind = Literal["view", "settings", "query"]
SET = "set"  # the text of a bookmark
LONGEST = 10_000  # characters of a note or a name, the rest is cut


def write_note(
    catalogue: Catalogue, hookpoint_id: int, feature: int, tag: Tag, text: str | None
) -> None:
    """Note something about a feature; None or blank text takes it back."""
    kept = (text or "").strip()[:LONGEST] or None
    with catalogue.writing() as con:
        con.run(
            "insert into note (hookpoint_id, feature, tag, text, created_at) "
            "values (?, ?, ?, ?, now()::timestamp)",
            [hookpoint_id, feature, tag, kept],
        )


def notes(con: Connection, hookpoint_id: int, feature: int) -> dict[str, str]:
    """What holds of one feature, by tag."""
    found = con.rows(
        "select tag, arg_max(coalesce(text, ''), note_id) as text from note "
        "where hookpoint_id = ? and feature = ? group by tag",
        [hookpoint_id, feature],
    )
    return {row["tag"]: row["text"] for row in found if row["text"]}


def save(catalogue: Catalogue, kind: Kind, name: str, body: Any) -> None:
    """Keep something under a name, in place of what had it before; None takes it back."""
    with catalogue.writing() as con:
        con.run(
            "insert into saved (kind, name, body, created_at) values (?, ?, ?, now()::timestamp)",
            [kind, name.strip()[:LONGEST], None if body is None else as_json(body)],
        )


def saved(con: Connection, kind: Kind) -> dict[str, Any]:
    """Everything of one kind that holds, by name, newest first."""
    found = con.rows(
        "select name, body from saved where kind = ? "
        "qualify row_number() over (partition by name order by saved_id desc) = 1 "
        "order by saved_id desc",
        [kind],
    )
    return {row["name"]: json.loads(row["body"]) for row in found if row["body"] is not None}

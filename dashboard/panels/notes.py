"""What a person notes about a feature: a bookmark, a label beside the number, a remark."""

from collections.abc import Mapping
from typing import get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.drawing.spans import one_line
from dashboard import session
from dashboard.library import Place
from data.errors import GlossError
from data.notes import SET, Tag, write_note

TROUBLE = "notes.trouble"  # why the last note was not kept
TEXTS: tuple[Tag, ...] = tuple(tag for tag in get_args(Tag) if tag != "bookmark")
LONGEST: dict[Tag, int] = {"label": 60, "remark": 10_000}  # characters kept


def bookmark(bar: DeltaGenerator, place: Place, feature: int, noted: dict[str, str]) -> None:
    """A button that sets the bookmark, or takes it back."""
    is_set = "bookmark" in noted
    bar.button("Bookmarked" if is_set else "Bookmark", key="bookmark", shortcut="B",
               icon=":material/bookmark_added:" if is_set else ":material/bookmark:",
               help="Take the bookmark back" if is_set else "Bookmark this feature",
               on_click=write, args=(place, feature, {"bookmark": None if is_set else SET})
               )  # fmt: skip


def popover(bar: DeltaGenerator, place: Place, feature: int, noted: dict[str, str]) -> None:
    """Label and remark, kept when Keep is pressed."""
    fill(place, feature, noted)
    written = any(tag in noted for tag in TEXTS)
    icon = ":material/sticky_note_2:" if written else ":material/note_add:"
    panel = bar.popover("Notes", icon=icon, key="notes", help="Label and remark of your own")
    form = panel.form("notes.form", border=False)
    # No max_chars: with it, a field drops a longer text that is pasted.
    form.text_input("Label", key="notes.label",
                    placeholder="a few words, shown beside the number")  # fmt: skip
    form.text_area("Remark", key="notes.remark", height=140,
                   placeholder="what you have seen, for yourself")  # fmt: skip
    form.form_submit_button("Keep", type="primary", on_click=keep,
                            args=(place, feature, noted))  # fmt: skip


def fill(place: Place, feature: int, noted: dict[str, str]) -> None:
    """Put what is stored into the fields when the feature or the store has changed.

    Not at every run: what is being typed would go.
    """
    now = (place.hookpoint.hookpoint_id, feature, *(noted.get(tag, "") for tag in TEXTS))
    if st.session_state.get("notes.seen") == now and "notes.label" in st.session_state:
        return
    st.session_state["notes.seen"] = now
    for tag in TEXTS:
        st.session_state[f"notes.{tag}"] = noted.get(tag, "")


def keep(place: Place, feature: int, noted: dict[str, str]) -> None:
    """Write what has changed in the fields; what is too long is cut, and said to be."""
    typed: dict[Tag, str] = {tag: st.session_state[f"notes.{tag}"].strip() for tag in TEXTS}
    for tag, longest in LONGEST.items():
        if len(typed[tag]) > longest:
            typed[tag] = st.session_state[f"notes.{tag}"] = typed[tag][:longest].rstrip()
            st.toast(f"The {tag} was cut to {longest:,} characters.", icon=":material/content_cut:")
    write(place, feature, {t: text for t, text in typed.items() if text != noted.get(t, "")})


def write(place: Place, feature: int, texts: Mapping[Tag, str | None]) -> None:
    """Write notes; whatever is in the way is said by the page, for a callback cannot."""
    try:
        for tag, text in texts.items():
            write_note(session.library().catalogue, place.hookpoint.hookpoint_id, feature, tag,
                       text)  # fmt: skip
    except GlossError as error:
        st.session_state[TROUBLE] = f"That was not kept: {error}."


def chip(noted: dict[str, str]) -> str:
    """The label as HTML; nothing in it is obeyed."""
    return f'<b class="label">{one_line(noted["label"])}</b>' if "label" in noted else ""

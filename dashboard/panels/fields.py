"""Settings records as widgets: help, limits and choices come from the record, so nothing is listed
twice.

Every widget keeps its value for the session, drawn or not; the first value is the record's default.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import Field, fields
from typing import Any, Literal, TypedDict, get_args, get_origin, get_type_hints

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


class Keeping(TypedDict):
    """How a widget's value lives on while it is not drawn."""

    persist_state: Literal["session"]


KEEP: Keeping = {"persist_state": "session"}
NAMES = {
    "highlight": "Mark tokens from", "max_rules": "Most rules", "max_literals": "Most conditions",
    "max_tokens": "Longest answer", "threshold": "Active above", "listed": "Strengths listed",
    "families": "Rules may ask for", "variety": "Temperature of candidates",
    "logprobs": "Log-probabilities",
}  # fmt: skip


def record_fields(record: type) -> dict[str, Field]:
    """The fields of a record by name."""
    return {found.name: found for found in fields(record)}


def offered(key: str, options: Sequence[str], first: Sequence[str] = ()) -> None:
    """Keep of a widget's choices, at first `first`, those that can be had here."""
    kept = [one for one in st.session_state.get(key, first) if one in options]
    if st.session_state.get(key) != kept:  # or a choice made meanwhile would be undone
        st.session_state[key] = kept


def first_value(found: Field) -> Any:
    """The value that a widget begins with: of the environment where the setting has a variable."""
    return os.environ.get(found.metadata.get("env", ""), "") or found.default


def widget(
    record: type, name: str, prefix: str, box: DeltaGenerator | None = None,
    words: Mapping[str, str] | None = None,
) -> Any:  # fmt: skip
    """Draw one setting and give its value; words: what choices are called."""
    found, kind = record_fields(record)[name], get_type_hints(record)[name]
    at, key = box or st.container(), f"{prefix}.{name}"
    st.session_state.setdefault(key, first_value(found))
    label, help = NAMES.get(name, name.replace("_", " ").capitalize()), found.metadata["help"]
    if get_origin(kind) is Literal:
        called = dict(words or {})
        return at.segmented_control(
            label, get_args(kind), key=key, help=help, required=True,
            format_func=lambda value: called.get(value, str(value)), **KEEP,
        )  # fmt: skip
    if kind is str:
        return str(at.text_input(label, key=key, help=help, **KEEP) or "").strip()
    return _number(at, found, kind, label, key)


def _number(at: DeltaGenerator, found: Field, kind: Any, label: str, key: str) -> Any:
    """A slider for a share or a few values, else a field to type into."""
    low, high = found.metadata.get("low"), found.metadata.get("high")
    help = found.metadata["help"]
    if kind is float and high is not None and high <= 2:
        return at.slider(label, 0.0, float(high), step=0.05, key=key, help=help, **KEEP)
    if kind is int and high is not None and high <= 20:
        return at.slider(label, low, high, step=1, key=key, help=help, **KEEP)
    convert = int if kind is int else float
    least, most = (None if end is None else convert(end) for end in (low, high))
    return at.number_input(label, min_value=least, max_value=most, key=key, help=help, **KEEP)


def keep(prefix: str, values: Mapping[str, Any]) -> None:
    """Put the values of a record into its widgets, drawn or not."""
    for name, value in values.items():
        st.session_state[f"{prefix}.{name}"] = value

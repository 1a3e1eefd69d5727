"""A command that a page began: noted in the session, watched until it ends, its last words shown.

The command is a process of its own and outlives the page; what it stores is seen by every page.
"""

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from core.drawing.spans import block, escape
from core.launching import launch, tail
from dashboard import session
from data import runs

EVERY = 1.0  # seconds between looks, only while it works


class Launched(NamedTuple):
    """A command at work or ended."""

    pid: int
    log: Path
    words: tuple[str, ...]


def begin(page: str, words: list[str]) -> None:
    """Start a command and note it for a page."""
    begun = launch(session.store(), words)
    st.session_state[f"{page}.launched"] = Launched(begun.pid, begun.log, tuple(words))


def is_at_work(page: str) -> bool:
    """Whether the command that a page began has not ended yet."""
    begun: Launched | None = st.session_state.get(f"{page}.launched")
    return begun is not None and runs.is_alive(begun.pid)


def watch(page: str) -> None:
    """Say how the command of a page goes; nothing before one was begun."""
    begun: Launched | None = st.session_state.get(f"{page}.launched")
    if begun is not None:
        st.fragment(_look, run_every=EVERY if runs.is_alive(begun.pid) else None)(page, begun)


@session.guarded
def _look(page: str, begun: Launched) -> None:
    """The last line of its log; one rerun of the page when it has ended."""
    works, key = runs.is_alive(begun.pid), f"{page}.works"
    before = st.session_state.get(key)
    st.session_state[key] = works
    if before and not works:
        st.rerun(scope="app")
    said = tail(begun.log, 1)
    command = " ".join(begun.words[:3])
    if works:
        text = f"{command} · {said or 'starting'} · it goes on when this page is closed"
    elif "gloss:" in said:
        text = f"{command} stopped: {said.partition('gloss:')[2].strip()}"
    else:
        text = f"{command} has ended."
    st.html(block(f'<div class="say">{escape(text)}</div>'))

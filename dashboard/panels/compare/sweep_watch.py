"""What became of sweeps: the one that this page began, while it works, and the newest of all."""

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from core.drawing.cards import cost_words
from core.drawing.spans import block, escape
from core.launching import tail
from core.pipeline.sweep_words import Wish, explainers_of
from dashboard import session
from dashboard.commands import counted
from dashboard.labels import literal
from dashboard.library import Place
from dashboard.memory import Memory
from data import run_figures, runs
from data.catalogue import Row

LAUNCHED = "sweep.launched"  # in the session: what this page began
EVERY = 1.0  # seconds between looks, only while it works
KEPT = 64  # sweeps whose settings are known


class Begun(NamedTuple):
    """A sweep that this page began."""

    pid: int
    log: Path
    wish: Wish
    cache_id: int


def show(place: Place) -> None:
    """The sweep at work, then those that are in the catalogue, with a button to see each."""
    begun: Begun | None = st.session_state.get(LAUNCHED)
    if begun is not None and begun.cache_id == place.cache.cache_id:
        st.fragment(_at_work, run_every=EVERY if runs.is_alive(begun.pid) else None)(begun)
    found = session.library().ask(run_figures.sweeps, place.cache.cache_id)
    if found:
        with st.expander(f"Sweeps of this cache ({len(found)})"):
            for k, one in enumerate(found):
                _line(k, one)


@session.guarded
def _at_work(begun: Begun) -> None:
    """The last line of its log; one rerun of the page when it has ended."""
    said = tail(begun.log, 1)
    works = runs.is_alive(begun.pid)
    st.session_state["sweep.works"], before = works, st.session_state.get("sweep.works")
    if before and not works:
        st.rerun(scope="app")
    if works:
        text = f"Sweep at work · {said or 'starting'} · it goes on when this page is closed"
    elif "gloss:" in said:
        text = f"The sweep stopped: {said.partition('gloss:')[2].strip()}"
    else:
        text = "The sweep has ended; see it side by side below, under Sweeps."
    st.html(block(f'<div class="say">{escape(text)}</div>'))


@st.cache_resource(show_spinner=False)
def _kept() -> Memory:
    return Memory(KEPT)


def _explainers(command: tuple[str, ...]) -> list[int]:
    """The settings of a sweep as of the last commit: each of them is a visit to the catalogue."""
    catalogue = session.library().catalogue
    key = (catalogue.path, catalogue.revision(), command)
    return _kept().get(key, lambda: explainers_of(catalogue, command))


def _line(k: int, one: Row) -> None:
    """One sweep: what, how far, and a button that shows its settings."""
    ids = _explainers(tuple(one["command"])) or one["explainers"] or []
    states = ", ".join(sorted(one["states"]))
    words = [f"{one['started_at']:%-d %b %H:%M}", counted(len(ids), "settings"), states]
    if one["failed"]:
        words.append(f"{one['failed']:,} failed")
    if one["n_calls"]:
        words.append(cost_words(one["cost_usd"] if one["is_cost_known"] else None))
    command = session.command(list(one["command"]))
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    bar.html(block(f"<p>{escape(' · '.join(words))} <code>{escape(command)}</code></p>"))
    bar.button(literal("Side by side"), key=f"sweep.show.{k}", on_click=put, args=(ids,),
               disabled=not ids)  # fmt: skip


def put(ids: list[int]) -> None:
    """Show these settings."""
    st.query_params.update({"mode": "figures", "settings": ",".join(map(str, ids[:8])), "run": []})

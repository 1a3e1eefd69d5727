"""The only door to the store: one library for all sessions, and what the address names.

The store's folder comes from the environment. Whatever Gloss raises is shown as one sentence.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Literal, NoReturn, ParamSpec, TypedDict

import streamlit as st
from streamlit.runtime.scriptrunner_utils.script_run_context import get_script_run_ctx

from core.drawing.cards import sentence, told
from core.pipeline.workbench import Workbench
from dashboard.commands import resume, with_store
from dashboard.library import Library, Place
from data import run_queries
from data.catalogue import SOON, Catalogue
from data.errors import GlossError, StoreBusy, StoreTrouble
from data.records import CacheRecord, HookpointRecord

P = ParamSpec("P")
PATIENCE = 12.0  # seconds a page waits for the catalogue


class Kept(TypedDict):
    """How a widget's value lives in the address and survives Back and links."""

    bind: Literal["query-params"]
    persist_state: Literal["session"]


KEPT: Kept = {"bind": "query-params", "persist_state": "session"}


def store() -> Path:
    """The folder of the store: $GLOSS_STORE, else ./store."""
    return Path(os.environ.get("GLOSS_STORE") or "store").absolute()


def library() -> Library:
    """The store's library; a page that only looks never makes a store."""
    if not Catalogue.exists(store()):
        say(f"There is no store in {store()} yet; this command makes one to look at:",
            command(["gloss", "demo"]))  # fmt: skip
    try:
        return _library(str(store()))
    except StoreBusy:
        with waiting():
            return _library(str(store()), PATIENCE - SOON)


@st.cache_resource(max_entries=4, show_spinner=False)
def _library(path: str, _first: float = SOON) -> Library:
    """Open a store; _first: seconds for this once. Nothing is drawn here: it would be kept too."""
    catalogue = Catalogue(Path(path), patience=_first)
    catalogue.patience, catalogue.waiting = PATIENCE, waiting
    return Library(catalogue)


@contextmanager
def waiting() -> Iterator[None]:
    """Say that another process holds the store, for as long as it does."""
    if get_script_run_ctx(suppress_warning=True) is None:  # a thread: there is no page to say it on
        yield
        return
    with st.spinner("Waiting for the store, which another process holds …"):
        yield


def workbench(record: CacheRecord) -> Workbench:
    """An opened cache; the first opening takes a moment and says so."""
    if library().is_open(record):
        return library().workbench(record)
    with st.spinner("Opening the cache …"):
        return library().workbench(record)


def place() -> Place:
    """The cache and hookpoint in the address, else those looked at last, else the first ready."""
    known = [record for record in library().caches() if record.hookpoints]
    if not known:
        say(f"There is nothing in {store()} yet; this command fills it:",
            command(["gloss", "demo"]))  # fmt: skip
    record = _chosen_cache(known)
    hookpoint = _chosen_hookpoint(record)
    st.session_state["place.cache"] = record.name
    st.session_state["place.hookpoint"] = hookpoint.name
    return Place(record, hookpoint)


def _chosen_cache(known: list[CacheRecord]) -> CacheRecord:
    by_name = {record.name: record for record in known}
    asked = st.query_params.get("cache")
    if asked and asked not in by_name:
        say(f"There is no cache named “{asked}” in {store()}; there are: {', '.join(by_name)}.")
    ready = next((record for record in known if record.status == "done"), known[0])
    return by_name.get(asked or st.session_state.get("place.cache", ""), ready)


def _chosen_hookpoint(record: CacheRecord) -> HookpointRecord:
    named, _, _ = st.query_params.get("feature", "").rpartition("/")
    asked = named or st.query_params.get("hookpoint") or ""
    by_name = {hookpoint.name: hookpoint for hookpoint in record.hookpoints}
    if asked and asked not in by_name:
        say(f"Cache “{record.name}” has no hookpoint “{asked}”; it has: {', '.join(by_name)}.")
    last = st.session_state.get("place.hookpoint", "")
    return by_name.get(asked or last, record.hookpoints[0])


def last_feature(hookpoint: HookpointRecord) -> int | None:
    """The feature of a hookpoint whose page was drawn last; None before there was one."""
    return st.session_state.get(_last(hookpoint))


def note_feature(hookpoint: HookpointRecord, feature: int) -> None:
    """This feature's page is being drawn."""
    st.session_state[_last(hookpoint)] = feature


def _last(hookpoint: HookpointRecord) -> str:
    return f"feature.last.{hookpoint.hookpoint_id}"


def go_to(place: Place, feature: int) -> None:
    """Put a feature in the address: a step that Back undoes, unlike a bound widget's.

    One update, because each change is a step of its own; an empty list leaves a parameter out.
    """
    address = f"{place.hookpoint.name}/{feature % place.hookpoint.n_features}"
    st.query_params.update(
        {"cache": place.cache.name, "feature": address, "explanation": [], "against": []}
    )


def share(chosen: Mapping[str, str]) -> None:
    """Put what a page chose by itself in the address, so that a copy of it shows the same.

    What stands there is kept. One update, so that this is at most one step of the history; in
    answer to Back the browser replaces its entry, so that Back is never caught.
    """
    missing = {name: value for name, value in chosen.items() if not st.query_params.get(name)}
    if missing:
        st.query_params.update(missing)


def require_finished(found: Place) -> None:
    """Stop with one sentence while the cache's files are not final."""
    if found.cache.status == "done":
        return
    chosen = run_queries.Chosen(stage="cache", cache=found.cache.name)
    made_by = library().ask(run_queries.page, chosen, 1).rows  # newest first
    goes_on = resume(made_by[0]) if made_by else None
    say(f"Cache “{found.cache.name}” is still being made: features show up when its files are "
        "final. If nothing is running, this goes on where it stopped:",
        command(goes_on or ["gloss", "status"]))  # fmt: skip


def require_features(found: Place) -> None:
    """Stop with one sentence where the SAE has no features at all."""
    if not found.hookpoint.n_features:
        say(f"The SAE of cache “{found.cache.name}” at {found.hookpoint.name} has no features: "
            "there is nothing to look at.")  # fmt: skip


def command(words: list[str]) -> str:
    """A command to copy, with the store it is about."""
    return with_store(words, store())


def command_about(stage: str, place: Place, feature: int) -> str:
    """The command that does one stage for one feature; an import of contexts needs a model."""
    words = ["gloss", stage, place.cache.name, "--hookpoint", place.hookpoint.name,
             "--features", str(feature)]  # fmt: skip
    if not place.cache.has_activations:
        words += ["--judge" if stage == "score" else "--model", "MODEL"]
    return command(words)


def say(text: str, command: str = "") -> NoReturn:
    """One sentence in place of the page, and stop."""
    st.html(sentence(text, command))
    st.stop()


def guarded(draw: Callable[P, None]) -> Callable[P, None]:
    """Make a page, fragment or drawer show what Gloss raises as the sentence that it is."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            draw(*args, **kwargs)
        except GlossError as error:
            st.html(sentence(told(error)))
            if isinstance(error, StoreTrouble):
                st.button("Try again", key=f"again.{draw.__name__}", icon=":material/refresh:")

    return drawn

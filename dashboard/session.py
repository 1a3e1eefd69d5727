"""The only door to the store: cached reads, and what the address names.

Reads are cached by the store's revision, so a commit of any process shows at the next look and
nothing is read twice in between. What is cached is shared by all sessions and never changed.
Everything heavy that a page needs is opened once: a cache's contexts, a feature's activations.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, Literal, NamedTuple, NoReturn, ParamSpec, TypedDict, TypeVar

import streamlit as st

from core.pipeline.workbench import Workbench
from dashboard.cards import sentence
from dashboard.jobs import Jobs
from dashboard.reader import FeatureReader
from data import caches, queries, results, runs
from data.catalogue import Catalogue, Connection, Revision, Row
from data.errors import GlossError, NotFound
from data.records import CacheRecord, ExplanationRecord, HookpointRecord

PATIENCE = 5.0  # seconds a page waits for another process to let go of the catalogue


class Kept(TypedDict):
    """How a widget's value lives in the address and survives Back and links."""

    bind: Literal["query-params"]
    persist_state: Literal["session"]


KEPT: Kept = {"bind": "query-params", "persist_state": "session"}
P = ParamSpec("P")
T = TypeVar("T")


class Place(NamedTuple):
    """What a page is about."""

    cache: CacheRecord
    hookpoint: HookpointRecord


class FeatureRecord(NamedTuple):
    """Everything the catalogue knows of one feature."""

    facts: Row | None  # columns of feature and feature_chart
    explanations: list[ExplanationRecord]  # newest first
    verdicts: list[Row]  # of all explanations


def store() -> Path:
    """The folder of the store: $GLOSS_STORE, else ./store."""
    return Path(os.environ.get("GLOSS_STORE") or "store").absolute()


def catalogue() -> Catalogue:
    """The store's catalogue; a page that only looks never makes one."""
    if not Catalogue.exists(store()):
        say(f"There is no store in {store()} yet; this command makes one to look at:",
            f"gloss demo --store {store()}")  # fmt: skip
    return _catalogue(str(store()))


@st.cache_resource(max_entries=4, show_spinner=False)
def _catalogue(path: str) -> Catalogue:
    return Catalogue(Path(path), patience=PATIENCE)


def ask(query: Callable[Concatenate[Connection, P], T], *args: P.args, **_: P.kwargs) -> T:
    """The answer of a query of `data/queries.py`, cached until something is committed."""
    found = catalogue()
    name = f"{query.__module__}.{query.__qualname__}"
    return _answer(str(found.path), found.revision(), name, args, query)


@st.cache_resource(max_entries=256, show_spinner=False)
def _answer(
    path: str, revision: Revision, name: str, args: tuple, _query: Callable[..., T]
) -> T:  # fmt: skip
    with _catalogue(str(Path(path).parent)).reading() as con:
        return _query(con, *args)


def all_caches() -> list[CacheRecord]:
    """Every cache of the store, oldest first."""
    return ask(_caches)


def _caches(_: Connection) -> list[CacheRecord]:
    return caches.caches(catalogue())


def all_runs() -> list[Row]:
    """Every run, oldest first; as of the last commit."""
    return ask(_runs)


def _runs(con: Connection) -> list[Row]:
    return con.rows(runs.RUNS)


def live_runs() -> list[Row]:
    """Every run, read now; those whose process is gone are marked interrupted before."""
    return runs.runs(catalogue())


def feature_record(hookpoint_id: int, feature: int) -> FeatureRecord:
    """Facts, explanations and verdicts of one feature, in one visit."""
    return ask(_feature_record, hookpoint_id, feature)


def _feature_record(con: Connection, hookpoint_id: int, feature: int) -> FeatureRecord:
    found = results.explanations(con, hookpoint_id, feature).get(feature, [])
    return FeatureRecord(
        facts=queries.facts(con, hookpoint_id, feature),
        explanations=found[::-1],
        verdicts=results.verdicts(con, hookpoint_id, feature) if found else [],
    )


def workbench(record: CacheRecord) -> Workbench:
    """An opened cache; its contexts are cut once for all sessions."""
    made = (catalogue().store / record.folder / "cache.json").stat().st_mtime_ns
    return _workbench(str(catalogue().store), record, made)


@st.cache_resource(max_entries=3, show_spinner="Opening the cache …")
def _workbench(path: str, record: CacheRecord, made: int) -> Workbench:
    bench = Workbench.open(_catalogue(path), record)
    _ = bench.contexts  # the slow part, once
    return bench


def reader(place: Place, feature: int) -> FeatureReader:
    """One feature's activations and contexts."""
    bench = workbench(place.cache)
    made = (bench.files.folder / "cache.json").stat().st_mtime_ns
    return _reader(str(bench.files.folder), made, place.hookpoint.name, feature, bench, place)


@st.cache_resource(max_entries=128, show_spinner=False)
def _reader(
    folder: str, made: int, name: str, feature: int, _bench: Workbench, _place: Place
) -> FeatureReader:
    return FeatureReader(_bench, _place.hookpoint, feature)


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """The jobs of this process, seen by all sessions."""
    return Jobs()


def place() -> Place:
    """The cache and hookpoint in the address, else those looked at last, else the first ready."""
    known = [record for record in all_caches() if record.hookpoints]
    if not known:
        say(f"There is nothing in {store()} yet; this command fills it:",
            f"gloss demo --store {store()}")  # fmt: skip
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


def require_finished(found: Place) -> None:
    """Stop with one sentence while the cache's files are not final."""
    if found.cache.status != "done":
        say(f"Cache “{found.cache.name}” is still being made: features show up when its files are "
            "final. If nothing is running, the same gloss cache command goes on where it stopped.",
            "gloss status")  # fmt: skip


def say(text: str, command: str = "") -> NoReturn:
    """One sentence in place of the page, and stop."""
    st.html(sentence(text, command))
    st.stop()


def guarded(page: Callable[[], None]) -> None:
    """Draw a page; what Gloss itself raises is shown as the sentence that it is."""
    try:
        page()
    except NotFound as error:
        st.html(sentence(f"{error}."))
    except GlossError as error:
        st.html(sentence(f"{error}."))
        st.button("Try again", icon=":material/refresh:")

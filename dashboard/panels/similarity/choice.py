"""What the page of similarities is about: caches, measure, one cell; all of it in the address.

cache=  with=     the cache, and the one it is compared with; with= left out: itself
measure=          decoder, explanations, co-firing
show=above        how far above chance, instead of the similarity itself
a=  b=            hookpoints of the chosen cell
"""

from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import session
from dashboard.charts.similarity import Map
from dashboard.library import Place
from data.catalogue import Row
from data.likeness import MEASURES
from data.records import CacheRecord

NAMES = {"decoder": "Weights", "explanations": "Explanations", "co-firing": "Firing together"}
SHOWN = {"value": "Similarity", "above": "Above chance"}


class Chosen(NamedTuple):
    """What is shown."""

    record: CacheRecord
    other: CacheRecord  # may be the same
    drawn: Map
    cell: tuple[int, int] | None  # row and column

    @property
    def row(self) -> Row | None:
        """The chosen comparison."""
        return self.drawn.cells.get(self.cell) if self.cell else None


def choose(bar: DeltaGenerator, place: Place, cells: list[Row]) -> Chosen:
    """Widgets that follow the address."""
    record = _cache(bar, place)
    other = _other(bar, record, cells)
    here = [row for row in cells if {row["first_cache"], row["second_cache"]}
            == {record.name, other.name}]  # fmt: skip
    measure = _measure(bar, here)
    above = _shown(bar)
    drawn = map_of(record, other, measure, here, above=above)
    return Chosen(record, other, drawn, _cell(drawn))


def map_of(
    record: CacheRecord, other: CacheRecord, measure: str, cells: list[Row], *, above: bool
) -> Map:
    """Lay comparisons out; of a cache with itself either triangle says the same."""
    rows = [one.name for one in record.hookpoints]
    columns = [one.name for one in other.hookpoints]
    ids = {one.hookpoint_id: i for i, one in enumerate(record.hookpoints)}
    others = {one.hookpoint_id: j for j, one in enumerate(other.hookpoints)}
    found: dict[tuple[int, int], Row] = {}
    for row in cells:
        if row["measure"] != measure:
            continue
        for a, b in ((row["first_id"], row["second_id"]), (row["second_id"], row["first_id"])):
            if a in ids and b in others:
                found[ids[a], others[b]] = row
    of = ("", "") if record.name == other.name else (record.name, other.name)
    return Map(measure, rows, columns, found, above, of)


def _cache(bar: DeltaGenerator, place: Place) -> CacheRecord:
    known = {record.name: record for record in session.library().caches() if record.hookpoints}
    if len(known) > 1:
        st.session_state["similarity.cache"] = place.cache.name
        bar.selectbox("Cache", list(known), key="similarity.cache", width=200,
                      label_visibility="collapsed", on_change=_put_cache)  # fmt: skip
    return place.cache


def _put_cache() -> None:
    st.query_params.update({"cache": st.session_state["similarity.cache"], "with": [], "a": [],
                            "b": [], "hookpoint": [], "feature": []})  # fmt: skip
    st.session_state.pop("place.hookpoint", None)


def _other(bar: DeltaGenerator, record: CacheRecord, cells: list[Row]) -> CacheRecord:
    """The cache it is held against: of those that were compared, itself first."""
    by_name = {one.name: one for one in session.library().caches()}
    names = {name for row in cells for name in (row["first_cache"], row["second_cache"])}
    itself = any(row["first_cache"] == row["second_cache"] for row in cells)
    options = [record.name] * itself + sorted(names & set(by_name) - {record.name})
    asked = st.query_params.get("with") or record.name
    chosen = asked if asked in options else next(iter(options), record.name)
    if len(options) > 1:
        st.session_state["similarity.with"] = chosen
        bar.selectbox("With", options, key="similarity.with", width=220,
                      label_visibility="collapsed", on_change=_put_other, args=(record.name,),
                      format_func=lambda name: "its own hookpoints" if name == record.name
                      else f"with {name}")  # fmt: skip
    return by_name[chosen]


def _put_other(own: str) -> None:
    name = st.session_state["similarity.with"]
    st.query_params.update({"with": [] if name == own else name, "a": [], "b": []})


def _measure(bar: DeltaGenerator, cells: list[Row]) -> str:
    there = [name for name in MEASURES if any(row["measure"] == name for row in cells)]
    asked = st.query_params.get("measure", "")
    chosen = asked if asked in there else next(iter(there), MEASURES[1])
    if len(there) > 1:
        st.session_state["similarity.measure"] = chosen
        bar.segmented_control("Measure", there, key="similarity.measure", required=True,
                              label_visibility="collapsed", format_func=NAMES.__getitem__,
                              on_change=_put, args=("measure",))  # fmt: skip
    return chosen


def _shown(bar: DeltaGenerator) -> bool:
    asked = st.query_params.get("show", "")
    st.session_state["similarity.show"] = asked if asked in SHOWN else "value"
    bar.segmented_control("Show", list(SHOWN), key="similarity.show", required=True,
                          label_visibility="collapsed", format_func=SHOWN.__getitem__,
                          on_change=_put, args=("show",))  # fmt: skip
    return asked == "above"


def _put(name: str) -> None:
    st.query_params[name] = st.session_state[f"similarity.{name}"]


def _cell(drawn: Map) -> tuple[int, int] | None:
    """The cell in the address, else the first one."""
    a, b = (st.query_params.get(name, "") for name in ("a", "b"))
    if a in drawn.rows and b in drawn.columns:
        cell = (drawn.rows.index(a), drawn.columns.index(b))
        if cell in drawn.cells:
            return cell
    return min(drawn.cells, default=None)


def pick(drawn: Map, number: int) -> None:
    """Put a clicked cell in the address."""
    i, j = divmod(number, len(drawn.columns))
    if (i, j) in drawn.cells:
        st.query_params.update({"a": drawn.rows[i], "b": drawn.columns[j]})

"""Token entropy against firing rate, and one feature by position."""

from pathlib import Path

import numpy as np
import streamlit as st

from core.drawing.cards import sentence
from core.drawing.spans import block, escape, heading
from core.filters.measures import ordinary_sequences
from core.filters.position import profile
from dashboard import session
from dashboard.charts.filters import (
    entropy_figure,
    entropy_table,
    position_figure,
    position_table,
)
from dashboard.labels import literal
from dashboard.library import Place
from dashboard.panels import chart
from data import filter_figures
from data.cachefiles import CacheFiles
from data.catalogue import Row
from data.flags import ENTROPY_FIRINGS, FIRINGS, INFORMATION, POSITION_SHARE, in_short
from data.percents import percent

FEATURE = "views/feature.py"
KEY = "filters.feature"  # the feature that is drawn by position


def entropies(place: Place) -> None:
    """The features of the hookpoint, and of its controls where the store has some."""
    found = session.library().ask(filter_figures.clouds, place.hookpoint.hookpoint_id,
                                  place.cache.name)  # fmt: skip
    st.html(heading("Token entropy against firing rate",
                    f"{place.hookpoint.name}, features with {ENTROPY_FIRINGS} firings or more; "
                    "click one to open it"))  # fmt: skip
    if not found:
        st.html(sentence(f"No feature fires {ENTROPY_FIRINGS} times."))
        return
    figure = entropy_figure(found)
    picked = chart.clickable(figure, lambda: entropy_table(found), key="filters-entropy")
    if len(found) == 1:
        st.html(
            block(
                '<p class="mut">Beside these a random SAE would show what token statistics '
                "alone give: cache one with gloss baselines, and run the filters on it.</p>"
            )
        )
    picked = picked[0] if isinstance(picked, list) else picked
    if picked is not None and int(picked) >= 0:
        st.switch_page(FEATURE, query_params=_address(place, int(picked)))


def _address(place: Place, feature: int) -> dict[str, str]:
    return {"cache": place.cache.name, "feature": f"{place.hookpoint.name}/{feature}"}


def by_position(place: Place) -> None:
    """One feature, the most positional one at first; it is in the address."""
    st.html(heading("By position", f"{place.hookpoint.name}; dashed: the limit of {INFORMATION} "
                    "nats for the mean"))  # fmt: skip
    most = session.library().ask(filter_figures.most_positional, place.hookpoint.hookpoint_id)
    feature = _chosen(place, most)
    found = session.library().ask(filter_figures.positions, place.hookpoint.hookpoint_id, feature)
    if found is None or not sum(found["position_counts"] or []):
        st.html(sentence(f"Feature {feature} never fired."))
        return
    drawn = profile(found["position_counts"], _ordinary(_folder(place), place.cache.n_sequences))
    if not len(drawn.position):
        st.html(sentence("The cache has too few sequences to tell anything by position."))
        return
    figure = position_figure(drawn, _note(found))
    chart.show(figure, lambda: position_table(drawn), key="filters-position")
    st.page_link(FEATURE, label=f"Open feature {feature}", icon=":material/data_object:",
                 query_params=_address(place, feature))  # fmt: skip


def _chosen(place: Place, most: list[Row]) -> int:
    """A field for the number, and the most positional ones as buttons."""
    asked = st.query_params.get("position", "")
    first = int(asked) if asked.isdecimal() else most[0]["feature"] if most else 0
    feature = min(first, place.hookpoint.n_features - 1)
    key = f"{KEY}.{place.hookpoint.hookpoint_id}.{feature}"
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        st.number_input("Feature", 0, place.hookpoint.n_features - 1, feature, key=key, width=130,
                        on_change=_put, args=(key,))  # fmt: skip
        for row in most[:6]:
            label = f"#{row['feature']} · {row['information']:.3f} nats"
            st.button(literal(label), key=f"filters.most.{row['feature']}", type="tertiary",
                      on_click=_go, args=(row["feature"],))  # fmt: skip
    return feature


def _put(key: str) -> None:
    _go(st.session_state[key])


def _go(feature: int) -> None:
    st.query_params["position"] = str(feature)


def _note(found: Row) -> str:
    """The figures beside their limits, e.g. "I = 0.119 nats (limit 0.05), 37 % of ..."."""
    if not found["is_measured"] or found["information"] is None:
        return f"not judged: under {FIRINGS} firings" if found["is_measured"] else "not measured"
    flags = ", ".join(in_short(found["flags"])) or "no flag"
    share = found["position_share"]
    limit = f"(limit {percent(POSITION_SHARE)})"
    part = "" if share is None else f", {percent(share)} of the entropy {limit}"
    return (f"dotted: mean {found['information']:.3g} nats (limit {INFORMATION}){part}; "
            f"n = {found['n_active']:,} firings; {escape(flags)}")  # fmt: skip


def _folder(place: Place) -> str:
    return str(session.library().catalogue.store / place.cache.folder)


@st.cache_resource(max_entries=8, show_spinner="Counting the sequences …")
def _ordinary(folder: str, _n_sequences: int) -> np.ndarray:
    """Sequences with an ordinary token at each position; the tokens of a cache never change."""
    files = CacheFiles.open(Path(folder))
    return ordinary_sequences(files.tokens.matrix(), files.meta.special_ids)

"""Which features fire on a text: the text as chips, and a table of the features."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import streamlit as st

from core.drawing import cards
from core.drawing.spans import Shade, block, escape, level, plain
from core.fired import Everything
from core.probe import Probe
from dashboard import session
from dashboard.commands import duration
from dashboard.panels.try_text import chips
from dashboard.panels.try_text.asking import Asked, choose_feature, choose_tokens
from dashboard.panels.try_text.chips import Chip
from dashboard.panels.try_text.loading import patiently, waiting
from dashboard.panels.try_text.reading import (
    Line,
    Order,
    lines,
    score_words,
    starts,
    strongest,
    table,
    whole,
)
from dashboard.panels.try_text.rules import Claims
from dashboard.session import KEPT
from data import fired
from data.catalogue import Row

FEATURE = "views/feature.py"
OPEN = "try.open"  # address of a feature whose row was clicked
AGAIN = "try.repeat"  # set when a text that could not be run is to be run once more
PAGE = 50  # features shown at once
ROW = 35  # pixels of a table row


class Reading(NamedTuple):
    """A text that was run."""

    found: dict[str, Everything]  # by hookpoint
    maxima: dict[str, dict[int, float]]  # by hookpoint and feature, raw

    @property
    def pieces(self) -> tuple[str, ...]:
        """The text, one piece a token."""
        return next(iter(self.found.values())).pieces


def read(asked: Asked, probe: Probe) -> Reading | None:
    """Run the text, or take what it gave before; None while that takes long, which is said."""
    jobs = session.library().jobs
    key = ("try.text", asked.place.cache.cache_id, asked.needed, asked.text)
    job = jobs.get(key)
    if job is None or (job.error and st.session_state.pop(AGAIN, False)):
        text, names = asked.text, asked.needed
        job = jobs.start(
            key, "running a text",
            lambda _stop: {n: found[0] for n, found in probe.across([text], names).items()},
        )  # fmt: skip
    if patiently(job).is_running:
        waiting(key, lambda job: f"Running the text … {duration(job.seconds)}")
        return None
    if job.error:
        st.html(cards.sentence(f"The text could not be run: {job.error}."))
        st.button("Try again", key="try.again", icon=":material/refresh:", on_click=_again)
        return None
    return Reading(job.result, _maxima(asked, job.result))


def _again() -> None:
    st.session_state[AGAIN] = True


def _maxima(asked: Asked, found: dict[str, Everything]) -> dict[str, dict[int, float]]:
    ids = {h.name: h.hookpoint_id for h in asked.place.cache.hookpoints}
    return {
        name: session.library().ask(
            fired.maxima, ids[name], tuple(sorted({*everything.feature.tolist()}))
        )
        for name, everything in found.items()
    }


def describe(asked: Asked, addresses: Sequence[str]) -> dict[str, Row]:
    """The explanations shown for some features, by address."""
    by_name: dict[str, set[int]] = {}
    for address in addresses:
        name, _, index = address.rpartition("/")
        by_name.setdefault(name, set()).add(int(index))
    ids = {h.name: h.hookpoint_id for h in asked.place.cache.hookpoints}
    out = {}
    for name, features in by_name.items():
        found = session.library().ask(fired.described, ids[name], tuple(sorted(features)))
        out |= {f"{name}/{feature}": row for feature, row in found.items()}
    return out


def text(asked: Asked, reading: Reading, probe: Probe, claims: Claims | None) -> None:
    """The text; what each token is strongest in, and the chosen feature with its rules."""
    listed = {n: e for n, e in reading.found.items() if n in asked.listed}
    best = strongest(listed, reading.maxima)
    rows = describe(asked, [b.address for b in best.values()])
    words = {address: _explained(row) for address, row in rows.items()}
    levels = shades(asked, reading)
    drawn = []
    for place in starts(reading.pieces):
        tokens = whole([place], reading.pieces)
        top = next((best[token] for token in tokens if token in best), None)
        about = (top.address, f"{top.activation:.2f}") if top else ("nothing fires",)
        is_cut = begins(tokens, probe.text_length)
        if is_cut:
            about = (*about, "a new piece begins here")
        is_claimed = claims is not None and bool(claims.by_token[tokens].any())
        drawn.append(Chip(place, max(levels[token] for token in tokens), about, is_claimed, is_cut))
    note = f"{len(reading.pieces):,} tokens{cut_words(len(reading.pieces), probe)}"
    if asked.feature is not None:
        note += f", shaded by feature {asked.feature} of {asked.place.hookpoint.name}"
    st.html(block(f"<h5>Text<span>{escape(note)}</span></h5>"))
    with st.container(key="try-chips"):
        chips.show(reading.pieces, drawn, words, asked.tokens, choose_tokens)


def begins(tokens: Sequence[int], step: int) -> bool:
    """Whether one of these tokens is the first of a piece behind the first one."""
    return any(token and token % step == 0 for token in tokens)


def cut_words(n: int, probe: Probe) -> str:
    """How a text of n tokens was cut, if it was."""
    if n <= probe.text_length:
        return ""
    bos = " with BOS" * (probe.meta.bos_id is not None)
    return (f", cut into {-(-n // probe.text_length):,} pieces of {probe.meta.sequence_length:,} "
            f"tokens{bos} as the corpus was: a piece (|) knows nothing of the one "
            "before")  # fmt: skip


def _explained(row: Row) -> str:
    """An explanation short enough for one line."""
    text = row["text"] or ""
    return text if len(text) <= 160 else f"{text[:159]}…"


def shades(asked: Asked, reading: Reading) -> list[int]:
    """Level of each token in the chosen feature, 0 where it is silent or none is chosen."""
    name = asked.place.hookpoint.name
    if asked.feature is None or name not in reading.found:
        return [0] * len(reading.pieces)
    values = reading.found[name].of(asked.feature).activations.tolist()
    scale = reading.maxima[name].get(asked.feature, 0.0) or max(values, default=0.0)
    return [level(value, scale, Shade.LINEAR) if value > 0 else 0 for value in values]


def features(asked: Asked, reading: Reading) -> None:
    """The table with its order, its pages and its CSV."""
    if address := st.session_state.pop(OPEN, None):
        st.switch_page(FEATURE, query_params={"cache": asked.place.cache.name, "feature": address})
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    places = whole(asked.tokens, reading.pieces)
    head = bar.container(width="content")
    bar.space("stretch")
    if places:
        bar.button("Clear tokens", key="try.clear", type="tertiary", icon=":material/close:",
                   on_click=choose_tokens, args=([],))  # fmt: skip
    order = bar.selectbox("Order", list(Order), key="order", width=190,
                          label_visibility="collapsed", **KEPT)  # fmt: skip
    listed = lines(reading.found, asked.hookpoints, reading.maxima, places, Order(order))
    tokens = f"{len(places)} token" + "s" * (len(places) != 1)
    chosen = f"sorted by the sum over {tokens}" if places else "at their strongest"
    head.html(block(f"<h5>{len(listed):,} features fire<span>{chosen}</span></h5>"))
    if not listed:
        st.html(cards.sentence("No feature fires on this text: it may be too short, or hold only "
                               "special tokens, which are never encoded."))  # fmt: skip
        return
    number = max(1, min(int(st.session_state.get("fired_part") or 1), -(-len(listed) // PAGE)))
    if "fired_part" in st.session_state:
        st.session_state["fired_part"] = number  # another text may have fewer pages
    _table(asked, reading, listed[(number - 1) * PAGE : number * PAGE], summed=bool(places))
    _below(asked, reading, listed, number, summed=bool(places))


def _below(
    asked: Asked, reading: Reading, listed: list[Line], number: int, *, summed: bool
) -> None:  # fmt: skip
    first, last = (number - 1) * PAGE + 1, min(number * PAGE, len(listed))
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    bar.html(block(f'<span class="mut">{first:,}–{last:,} of {len(listed):,} · a row opens its '
                   "feature, its box shades the text</span>"), width="content")  # fmt: skip
    bar.space("stretch")

    def csv() -> str:
        rows = describe(asked, [line.address for line in listed])
        return table(listed, reading.pieces, rows, summed=summed).to_csv(index=False)

    bar.download_button("CSV", csv, "gloss-text.csv", "text/csv", key="try.csv", type="tertiary",
                        icon=":material/download:", on_click="ignore",
                        help="All features of this text.")  # fmt: skip
    if len(listed) > PAGE:
        bar.pagination(-(-len(listed) // PAGE), key="fired_part", **KEPT)


def _table(asked: Asked, reading: Reading, shown: list[Line], *, summed: bool) -> None:
    """One page of features; a click on a row opens it, its box chooses it."""
    rows = describe(asked, [line.address for line in shown])
    frame = _readable(asked, table(shown, reading.pieces, rows, summed=summed))
    frame["Interval"] = [score_words(rows.get(line.address)) for line in shown]
    frame["Explanation"] = frame.pop("Explanation")  # to the end, where there is room
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    bar = st.column_config.ProgressColumn
    addresses = [line.address for line in shown]
    key = f"try.table.{hash((asked.text, tuple(addresses), summed))}"
    st.dataframe(
        frame, key=key, hide_index=True, row_height=ROW, placeholder="–",
        height=ROW * (min(len(shown), 16) + 1) + 3,
        on_select=lambda: _picked(asked, key, addresses),
        selection_mode=["single-row", "single-cell"],
        column_config={
            "Feature": text(width=64 if len(asked.place.cache.hookpoints) == 1 else 160),
            "Activation": number(width=76, format="%.2f", help="the largest on this text, raw"),
            "Share of max": bar(min_value=0, max_value=100, format="%.0f %%", width=96,
                                help="of the largest activation in the cache"),
            "Sum": number(width=70, format="%.2f", help="over the tokens chosen, raw"),
            "Token": text(width=96, help="where it is strongest"),
            "Detection": bar(min_value=0, max_value=1, format="%.2f", width=92, color="blue"),
            "Interval": text(width=150, help="95 % interval, usable verdicts, failed ones"),
            "Explanation": text(width=620),
        },
    )  # fmt: skip


def _readable(asked: Asked, frame: pd.DataFrame) -> pd.DataFrame:
    """The columns that a page has room for; a hookpoint is named where there are several."""
    frame = frame.drop(columns=["Place", "Low", "High", "Judged", "Failed"])
    if len(asked.place.cache.hookpoints) == 1:
        frame["Feature"] = [address.rpartition("/")[2] for address in frame["Feature"]]
    frame["Share of max"] = 100 * frame["Share of max"]
    frame["Explanation"] = frame["Explanation"].fillna("— not explained yet")
    frame["Token"] = [f"“{plain(token)}”" for token in frame["Token"]]
    return frame


def _picked(asked: Asked, key: str, addresses: list[str]) -> None:
    """A cell opens its feature; a row's box chooses the feature that shades the text."""
    selection = st.session_state[key]["selection"]
    cells, rows = [row for row, _ in selection["cells"]], selection["rows"]
    if cells and cells[0] < len(addresses):
        st.session_state[OPEN] = addresses[cells[0]]
    elif rows and rows[0] < len(addresses):
        choose_feature(asked.place, addresses[rows[0]])

"""The figures of EleutherAI's post for any settings of a cache: deciles, outcomes, correlations.

In the address: settings=1,other:4 (explainer ids, with the cache where it is another one), or a=
and b= as in the other modes, or run=; by= one judge and preset; of= a feature; and what is drawn.
Counting takes a moment once in a large store.
"""

import json
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.drawing.cards import HUMAN, sentence
from core.drawing.spans import block, escape, heading, plain
from core.drawing.words import explain_words
from core.figures.correlation import matrix
from core.figures.deciles import Point
from core.figures.deciles import curves as curves_of
from core.figures.intervals import picture
from dashboard import session, side_by_side
from dashboard.address import feature_named
from dashboard.charts import blog, deciles
from dashboard.commands import counted as counted_words
from dashboard.library import Place
from dashboard.panels import chart
from dashboard.panels.compare import sweep, sweep_watch
from dashboard.session import KEPT
from data import run_figures
from data.catalogue import Row
from data.run_figures import Judged, Setting

MOST = 8  # settings in the figure of deciles
PICTURES = 4  # settings in the figure of outcomes
FIRST = 4  # settings that are shown when none are asked for
LONGEST = 40  # characters of a bad value that are shown
EVERYWHERE = "all hookpoints"
UNTOLD = ("content", "run", "origin")  # of an import: which files, not how it was explained
NAMED = "settings"  # the parameter of the address


class Choice(NamedTuple):
    """What is drawn."""

    rows: list[Row]  # of the settings, in their order
    settings: list[Setting]  # as the SQL takes them
    names: list[str]  # "A all train tokens · f1"
    by: Judged


@session.guarded
def show() -> None:
    """Choose settings, then three figures."""
    place = session.place()
    session.require_finished(place)
    with st.spinner("Looking up what was explained …"):
        known = session.library().ask(run_figures.settings)
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    if not known:
        nothing(place)
        return
    choice = chosen(bar, place, known)
    sweep_watch.show(place)
    if choice is None:
        return
    points = counted(choice)
    accuracy(choice, points)
    pictures, agreement = st.container(), st.container()
    with agreement:  # first, for pairing the verdicts takes longest
        correlations(choice)
    with pictures:
        outcomes(choice)


def nothing(place: Place) -> None:
    """Say how to begin."""
    words = ["gloss", "explain", place.cache.name]
    st.html(sentence("Nothing is explained in this cache yet, so there are no figures; this "
                     "explains it, then score it, or sweep several settings over a sample:",
                     session.command(words)))  # fmt: skip
    sweep.button(place)
    sweep_watch.show(place)


def chosen(bar: DeltaGenerator, place: Place, known: list[Row]) -> Choice | None:
    """Settings, hookpoint, judge and feature, from widgets that follow the address."""
    rows = _rows(place, known)
    _share(place, rows)
    names = {key_of(row): words_of(row, place) for row in known}
    st.session_state["figures.settings"] = [key_of(row) for row in rows]
    bar.multiselect("Settings", list(names), key="figures.settings", max_selections=MOST,
                    format_func=names.__getitem__, on_change=_put,
                    placeholder="settings of explainers to compare")  # fmt: skip
    hookpoint = _hookpoint(bar, place)
    by = _judge(bar, rows)
    sweep.button(place, bar)
    if by is None:
        words = ["gloss", "score", rows[0]["cache"]]
        said = "This setting is" if len(rows) == 1 else "These settings are"
        unable = {c.name for c in session.library().caches() if not c.has_activations}
        if rows[0]["cache"] in unable:
            st.html(
                sentence(
                    f"{said} not scored by detection or fuzzing. The cache was imported without "
                    "activations: a language model can judge its contexts, "
                    f"gloss score {rows[0]['cache']} --judge MODEL; or choose others."
                )
            )
            return None
        st.html(sentence(f"{said} not scored by detection or fuzzing yet; this scores them:",
                         session.command(words)))  # fmt: skip
        return None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        at, feature = _feature(place, hookpoint)
        same = len(rows) > 1 and st.toggle(
            "Same features only", value=True, key="same", help="Count only features that all of "
            "these settings have scores of, so that they are compared on equal terms.", **KEPT,
        )  # fmt: skip
    among = _pairs(rows) if same else ()
    settings = [Setting(*pair, at, feature, _run(), among) for pair in _pairs(rows)]
    return Choice(rows, settings, _names(rows), by)


def key_of(row: Row) -> str:
    """A setting in the address."""
    return f"{row['cache']}:{row['explainer_id']}"


def _pairs(rows: list[Row]) -> tuple[tuple[int, int], ...]:
    return tuple((row["cache_id"], row["explainer_id"]) for row in rows)


def _rows(place: Place, known: list[Row]) -> list[Row]:
    """The settings in the address, else those of a run, else of both sides, else the first."""
    by_key = {key_of(row): row for row in known}
    here, run = place.cache.name, _run()
    asked = [key.strip() for key in st.query_params.get(NAMED, "").split(",") if key.strip()]
    if not asked and run is not None:
        asked = [str(i) for i in session.library().ask(run_figures.explainers_of, run)]
        if not asked:
            say(f"Run {run} explained and scored nothing; all settings are shown.")
    if not asked:
        asked = [side for name in ("a", "b") if (side := st.query_params.get(name, ""))]
    asked = list(dict.fromkeys(key if ":" in key else f"{here}:{key}" for key in asked))
    if unknown := [key for key in asked if key not in by_key]:
        said = ", ".join(f"“{key[:LONGEST]}”" for key in unknown[:MOST])
        say(f"There is no setting {said} to show.")
    if found := [by_key[key] for key in asked if key in by_key][:MOST]:
        return found
    own = [row for row in known if row["cache"] == here] or known
    return [row for row in own if row["scored"]][:FIRST] or own[:1]


def _share(place: Place, rows: list[Row]) -> None:
    """Name the settings in the address where nothing in it says which."""
    if not any(st.query_params.get(name) for name in (NAMED, "run", "a", "b")):
        session.share({"cache": place.cache.name, NAMED: ",".join(map(key_of, rows))})


def say(text: str) -> None:
    """A muted line above what is shown all the same."""
    st.html(block(f'<p class="mut">{escape(text)}</p>'))


def _run() -> int | None:
    asked = st.query_params.get("run", "")
    return int(asked) if asked.isdecimal() and len(asked) < 16 else None


def words_of(row: Row, place: Place) -> str:
    """A setting in a few words with how much there is of it, and its cache if that is another."""
    settings = json.loads(row["settings"] or "{}")
    if row["explainer"] == HUMAN:
        words = ["by hand"]
    elif row["explainer"] != "grammar" and not settings.get("examples"):
        words = [row["model"] or row["explainer"], row["explainer"]]
    else:
        words = [row["explainer"], *explain_words(settings), *filter(None, [row["model"]])]
    if row["cache"] != place.cache.name:
        words.insert(0, row["cache"])
    words.append(f"{row['scored']:,} of {row['features']:,} features scored")
    return plain(" · ".join(dict.fromkeys(map(str, words))))


def _names(rows: list[Row]) -> list[str]:
    """A letter and what differs, e.g. "A objective f1"; letters alone where nothing does."""
    every = [
        {"cache": r["cache"], "explainer": r["explainer"], "model": r["model"] or "none"}
        | json.loads(r["settings"] or "{}")
        for r in rows
    ]
    values = [
        name for name in dict.fromkeys(n for one in every for n in one)
        if len({str(one.get(name, "–")) for one in every}) > 1 and name not in UNTOLD
    ]  # fmt: skip
    return [
        plain(" ".join([
            deciles.LETTERS[k],
            ", ".join(f"{name.replace('_', ' ')} "
                      f"{side_by_side.value_words(name, one[name])}"
                      for name in values if name in one),
        ]).strip())
        for k, one in enumerate(every)
    ]  # fmt: skip


def _put() -> None:
    picked = st.session_state["figures.settings"]
    st.query_params.update({NAMED: ",".join(picked) if picked else [], "run": []})


def _hookpoint(bar: DeltaGenerator, place: Place) -> str | None:
    """One hookpoint of the cache, or all of them."""
    names = [found.name for found in place.cache.hookpoints]
    if len(names) < 2:
        return None
    picked = bar.selectbox("Over", [EVERYWHERE, *names], key="over", width=190, **KEPT)
    return None if picked == EVERYWHERE else picked


def _judge(bar: DeltaGenerator, rows: list[Row]) -> Judged | None:
    """One judge and one preset: verdicts of several are never mixed."""
    found = session.library().ask(run_figures.judges, _pairs(rows))
    if not found:
        return None
    if len(found) == 1:
        return found[0]
    names = {f"{by.judge} · {by.preset}": by for by in found}
    picked = bar.selectbox("Judged by", list(names), key="by", width=200, format_func=plain, **KEPT)
    return names[picked]


def _feature(place: Place, hookpoint: str | None) -> tuple[str | None, int | None]:
    """One feature, where one is named; else all of them."""
    typed = st.text_input("Only feature", key="of", width=210, max_chars=120,
                          placeholder="all features, or a number", label_visibility="collapsed",
                          **KEPT)  # fmt: skip
    if not typed:
        return hookpoint, None
    at = next((one for one in place.cache.hookpoints if one.name == hookpoint), place.hookpoint)
    named = feature_named(typed, place.cache, at)
    if named is None:
        say(f"There is no feature “{typed[:LONGEST]}” in cache “{place.cache.name}”; all of them "
            "are counted.")  # fmt: skip
        return hookpoint, None
    name, _, number = named.rpartition("/")
    return name, int(number)


def counted(choice: Choice) -> list[dict[str, list[Point]]]:
    """Verdicts by decile of every setting."""
    n = sum(row["scored"] for row in choice.rows)
    with st.spinner(f"Counting verdicts on {n:,} explanations …"):
        ask = session.library().ask
        return [curves_of(ask(run_figures.places, one, choice.by)) for one in choice.settings]


def accuracy(choice: Choice, points: list[dict[str, list[Point]]]) -> None:
    """Accuracy by decile of each setting, silent contexts apart."""
    n = max((p.features for one in points for found in one.values() for p in found), default=0)
    if not n:
        st.html(sentence("No feature was scored under all of these settings by this judge: switch "
                         "“Same features only” off, or sweep them over one sample."))  # fmt: skip
        return
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    said = f"{counted_words(n, 'features')} · judge {choice.by.judge}, preset {choice.by.preset}"
    bar.html(heading("Accuracy by decile", said), width="content")
    bar.space("stretch")
    how = bar.segmented_control("Features are", ["pooled", "averaged"], default="pooled",
                                required=True, key="pool", label_visibility="collapsed",
                                help="pooled: the share of all verdicts; averaged: the mean of the "
                                "features' shares. Intervals are over features either way.",
                                **KEPT)  # fmt: skip
    lines = [
        deciles.Line(name, {s: deciles.spots_of_points(found, pooled=how == "pooled")
                            for s, found in one.items()})
        for name, one in zip(choice.names, points, strict=True)
    ]  # fmt: skip
    what = "95 % interval over features" if n > 1 else "Wilson 95 % interval"
    chart.show(deciles.decile_figure(lines, deciles.whiskers_note(lines, what)),
               lambda: deciles.decile_table(lines), key="blog-deciles")  # fmt: skip


@st.fragment
@session.guarded
def outcomes(choice: Choice) -> None:
    """What detection and fuzzing said of the same contexts, by strength."""
    shown = choice.settings[:PICTURES]
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    left_out = f" · the first {PICTURES} settings" if len(choice.settings) > PICTURES else ""
    bar.html(heading("Contexts by activation", "twenty equal intervals; what detection and fuzzing "
                     f"said of the same context{left_out}"), width="content")  # fmt: skip
    bar.space("stretch")
    unit = bar.segmented_control("Bars are", ["counts", "shares"], default="counts", required=True,
                                 key="bars", label_visibility="collapsed", **KEPT)  # fmt: skip
    with st.spinner("Pairing the verdicts of both scorers …"):
        ask = session.library().ask
        pictures = [picture(ask(run_figures.outcomes, one, choice.by)) for one in shown]
    panels = [
        blog.Panel(name, one)
        for name, one in zip(choice.names, pictures, strict=False)
        if one.n or one.failed or one.alone
    ]
    if not any(panel.picture.n for panel in panels):
        st.html(sentence("No context was judged by both detection and fuzzing under this preset; "
                         "gloss score --scorers detection,fuzzing does that."))  # fmt: skip
        return
    chart.show(blog.outcome_figure(panels, shares=unit == "shares"),
               lambda: blog.outcome_table(panels), key="blog-outcomes")  # fmt: skip
    say(blog.beside(panels))


@st.fragment
@session.guarded
def correlations(choice: Choice) -> None:
    """How the scorers agree over the features of one setting."""
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    bar.html(heading("Agreement of scorers", "correlation of their scores over features; – below "
                     "3 features or for a constant"), width="content")  # fmt: skip
    bar.space("stretch")
    which = 0
    if len(choice.names) > 1:
        which = bar.selectbox("Setting", range(len(choice.names)), width=320, key="figures.which",
                              format_func=choice.names.__getitem__,
                              label_visibility="collapsed")  # fmt: skip
    setting = choice.settings[which or 0]._replace(feature=None)
    scores = session.library().ask(run_figures.scores, setting)
    if scores.empty:
        st.html(sentence("No score is defined for any feature of this setting."))
        return
    found = matrix(scores)
    name = choice.names[which or 0]
    chart.show(blog.correlation_figure(found), lambda: blog.correlation_table(found, name),
               key="blog-agreement")  # fmt: skip

"""One run: how it stands, everything it was asked, what it made, what failed and why, its log."""

from datetime import UTC
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import launching
from core.drawing.cards import identity, sentence
from core.drawing.spans import block, escape, heading
from dashboard import run_words, session
from dashboard.commands import resume
from dashboard.panels.features import choice
from dashboard.panels.runs import follow, work
from dashboard.session import KEPT
from data import run_queries, runs
from data.catalogue import Row
from data.run_queries import AT_WORK, STOPPED, Made, Reason

FEATURES, FEATURE, COMPARE = "views/features.py", "views/feature.py", "views/compare.py"
OTHER, ALL, BOX = "other", "all_settings", "runs.other"
LINES = 20  # of a log
LOOK = 2.0  # seconds between looks at the log of a run at work


def show(run: Row) -> None:
    """All about one run."""
    st.html(run_words.header(run))
    going_on(run)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        st.html(heading("Facts"))
        st.html(identity(run_words.facts(run)))
        st.html(heading("Settings", "everything it was asked"))
        st.html(identity(run_words.settings(run)))
    with right:
        results(run)
        st.fragment(log, run_every=LOOK if run["status"] in AT_WORK else None)(run)
    difference(run)


def going_on(run: Row) -> None:
    """Its command to copy, and the button that resumes it; Cancel stands above, with its bar."""
    command = resume(run)
    later = follow.follow(run)
    is_stopped = run["status"] in STOPPED and later is None and not runs.is_ending(run)
    if command is None:
        st.caption("A page began this run: asking there again repeats or goes on with it.")
        if is_stopped:
            work.open_again(st.container(), run, key="open-run")
        return
    words = tuple(command)
    if is_stopped:
        st.button("Resume", key="resume-run", icon=":material/play_arrow:", type="primary",
                  on_click=_resume, args=(words, run["run_id"]),
                  disabled=work.is_at_work(words),
                  help="Starts the command below as a process of its own.")  # fmt: skip
    st.html(heading("Repeat with changes", "copy it, change what you like, run it in a terminal"))
    st.code(session.command(command), language="bash", wrap_lines=True)


def _resume(words: tuple[str, ...], run_id: int) -> None:
    """Start the command, and stay with the work, which a new run may go on with."""
    st.session_state[follow.FOLLOWED] = run_id
    work.start(words)


def results(run: Row) -> None:
    """What it made, with links, and what failed."""
    ask = session.library().ask
    made = ask(run_queries.made, run["run_id"])
    st.html(heading("Made", run_words.made_words(made)))
    links(run, made)
    if judged := ask(run_queries.judged, run["run_id"]):
        st.html(run_words.judged_table(judged))
    failures(run)
    for line in made.reported:
        words = f"{line['severity']} · {line['code']} · {line['n']:,} ×: {line['explanation']}"
        example = f" (first: {line['example']})" if line["example"] else ""
        st.html(block(f"<p>{escape(words + example)}</p>"))


def links(run: Row, made: Made) -> None:
    """To its features, and to its explanations beside others'."""
    if not run["cache"] or not (made.explanations or made.scores):
        return
    place = {"cache": run["cache"]}
    if run["hookpoint"]:
        place["hookpoint"] = run["hookpoint"]
    bar = st.container(horizontal=True)
    facet = {"made_in": choice.run_words(run)} if made.explanations else {}
    label = "Features it explained" if facet else "Features of its cache"
    bar.page_link(FEATURES, label=label, icon=":material/table_rows:", query_params=place | facet)
    sides = dict(zip("ab", _sides(run, made), strict=False))
    bar.page_link(COMPARE, label="Compare its explanations", icon=":material/balance:",
                  query_params={"mode": "many", **place, **sides})  # fmt: skip


def _sides(run: Row, made: Made) -> list[str]:
    """This run's explainer first, then the newest other one of the cache."""
    known = session.library().ask(run_queries.newest_explainers, run["cache"])
    ordered = [*made.explainers, *(one for one in known if one not in made.explainers)]
    return [f"{run['cache']}:{explainer}" for explainer in ordered[:2]]


def failures(run: Row) -> None:
    """Explanations that failed or were skipped, by reason; verdicts without a usable reply."""
    ask = session.library().ask
    reasons = ask(run_queries.reasons, run["run_id"])
    if reasons:
        n = sum(reason.n for reason in reasons)
        st.html(heading("No explanation, and why", f"n = {n:,} features"))
    for number, reason in enumerate(reasons):
        st.html(block(f'<p class="reason"><b>{reason.n:,}</b> {escape(reason.status)}: '
                      f"{escape(reason.error)}</p>"))  # fmt: skip
        feature_links(reason, key=f"reason-{number}")
    if rows := ask(run_queries.unanswered, run["run_id"]):
        st.html(heading("Most verdicts without usable reply", "number of them in brackets"))
        bar = st.container(horizontal=True, key="unanswered")
        for row in rows:
            _feature_link(bar, row["cache"], row["hookpoint"], row["feature"],
                          f"{row['feature']} ({row['n_failed']:,})")  # fmt: skip


def feature_links(reason: Reason, *, key: str) -> None:
    """The first features of a reason."""
    bar = st.container(horizontal=True, key=key)
    for feature in reason.features:
        _feature_link(bar, reason.cache, reason.hookpoint, feature, str(feature))
    if reason.n > len(reason.features):
        bar.caption(f"and {reason.n - len(reason.features):,} more")


def _feature_link(
    bar: DeltaGenerator, cache: str, hookpoint: str, feature: int, label: str
) -> None:
    bar.page_link(FEATURE, label=label, width="content",
                  query_params={"cache": cache, "feature": f"{hookpoint}/{feature}"})  # fmt: skip


@session.guarded
def log(run: Row) -> None:
    """The last words of its process, where a page started that."""
    file = _log(run)
    st.html(heading("Log", "its last lines"))
    if file is None:
        st.html(sentence("Only commands that a page starts keep a log; what this one said went "
                         "to the terminal or the page that it was started from."))  # fmt: skip
    else:
        st.code(launching.tail(file, LINES) or "nothing yet", language=None, wrap_lines=True)


def _log(run: Row) -> Path | None:
    """The log of the run's process; an older process may have had the same number."""
    file = launching.log_of(session.store(), run["pid"]) if run["pid"] else None
    if file is None or not run["heartbeat_at"]:
        return None
    last = run["heartbeat_at"].replace(tzinfo=UTC)
    return file if file.name[:15] <= f"{last:%Y%m%dT%H%M%S}" else None


def difference(run: Row) -> None:
    """Its settings beside another run's: what differs, or everything."""
    st.html(heading("Differences to another run", "settings side by side"))
    others = {str(row["run_id"]): row
              for row in session.library().ask(run_queries.alike, run["run_id"])}  # fmt: skip
    if not others:
        st.html(sentence("There is no other run yet."))
        return
    asked = st.query_params.get(OTHER)
    st.session_state[BOX] = asked if asked in others else None
    bar = st.container(horizontal=True, vertical_alignment="center")
    chosen = bar.selectbox(
        "Other run", list(others), key=BOX, index=None, placeholder="choose a run", width=620,
        format_func=lambda number: run_words.option(others[number]), on_change=_put_other,
        label_visibility="collapsed",
    )  # fmt: skip
    everything = bar.toggle("All settings", key=ALL, **KEPT)
    if chosen is None:
        if asked:
            st.html(sentence(f"There is no run “{asked[:40]}” to hold this one against."))
        return
    found = run_words.differences(run, others[chosen])
    shown = [one for one in found if everything or not one.is_same]
    if shown:
        st.html(run_words.side_by_side(run, others[chosen], shown))
    else:
        st.html(sentence(f"Runs {run['run_id']} and {chosen} were asked exactly the same."))


def _put_other() -> None:
    """Name the other run in the address; its words in the box would be no address."""
    st.query_params[OTHER] = st.session_state[BOX] or []

"""What is at work now and what stopped: progress, Cancel, and Resume as a process of its own."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial, wraps
from pathlib import Path
from typing import NamedTuple, ParamSpec

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import launching
from core.drawing.cards import sentence, told
from core.drawing.spans import block, escape, heading
from dashboard import session, strip
from dashboard.commands import counted, duration, resume, settings_of, spent, unit_of
from dashboard.jobs import Job
from dashboard.panels import prefill
from dashboard.panels.runs import follow
from dashboard.panels.working import KINDS
from dashboard.run_words import title
from data import run_queries, runs
from data.catalogue import Row
from data.errors import GlossError

P = ParamSpec("P")
LAUNCHED, SEEN, SAID = "runs.launched", "runs.seen", "runs.said"  # keys of the session's state
SHOWN = 5  # stopped commands
FORGOTTEN = 600  # seconds after which the end of a started command is no news


class Begun(NamedTuple):
    """A command that this session started."""

    words: tuple[str, ...]
    pid: int
    log: Path
    began: datetime


def at_work() -> None:
    """Runs, jobs and commands that work; looks again every second while any does."""
    library = session.library()
    if said := st.session_state.pop(SAID, None):
        st.html(sentence(said))
    is_alive = any(runs.is_alive(one.pid) for one in begun())
    working = run_queries.live(library.catalogue)
    follow.note_standing()
    if working or library.jobs.running() or is_alive or follow.ending():
        st.fragment(_at_work, run_every=strip.EVERY)()
        return
    if begun():
        _at_work()
    follow.notice()


@session.guarded
def _at_work() -> None:
    library = session.library()
    working = run_queries.live(library.catalogue)
    jobs = library.jobs.running()
    starting = [one for one in begun() if one.pid not in {run["pid"] for run in working}]
    ending = follow.ending()
    _rerun_on_change([*working, *ending], jobs, starting)
    inside = {job.started: own_runs(job, working) for job in jobs}
    held = {run["run_id"] for found in inside.values() for run in found}
    alone = [run for run in working if run["run_id"] not in held]
    if working or jobs:
        st.html(heading("At work", counted(len(alone) + len(jobs), "jobs")))
    for run in alone:
        _line(strip.line(run), f"cancel-{run['run_id']}", partial(cancel, run["run_id"]))
    for job in jobs:
        _line(_words(job, inside[job.started]), f"stop-{job.started}", job.stop.set)
    for run in ending:
        follow.ending_line(run)
    for one in starting:
        _starting(one)


def _rerun_on_change(working: list[Row], jobs: list[Job], starting: list[Begun]) -> None:
    """Draw the whole page again where something began or ended."""
    now = ([run["run_id"] for run in working], [job.started for job in jobs],
           [(one.pid, runs.is_alive(one.pid)) for one in starting])  # fmt: skip
    before = st.session_state.get(SEEN)
    st.session_state[SEEN] = now
    if before is not None and before != now:
        st.session_state[SEEN] = None
        st.rerun(scope="app")


def _line(words: str, key: str, stop: Callable[[], None]) -> None:
    bar = st.container(horizontal=True, vertical_alignment="center")
    bar.html(block(words))
    bar.button("Cancel", key=key, icon=":material/stop:", on_click=stop,
               help="Stops at the next step; what is finished is kept.")  # fmt: skip


def own_runs(job: Job, working: list[Row]) -> list[Row]:
    """Runs at work that are steps of a job about one feature of this process."""
    if not isinstance(job.key, tuple) or len(job.key) < 4 or job.key[0] not in KINDS:
        return []
    _, cache_id, hookpoint_id, feature, *_ = job.key
    named = {(record.name, one.name) for record in session.library().caches()
             for one in record.hookpoints
             if (record.cache_id, one.hookpoint_id) == (cache_id, hookpoint_id)}  # fmt: skip
    return [
        run for run in working
        if not run["command"] and run["pid"] == os.getpid()
        and (run["cache"], run["hookpoint"]) in named
        and str(settings_of(run).get("features")) == str(feature)
    ]  # fmt: skip


def _words(job: Job, steps: list[Row]) -> str:
    """A job of this dashboard: what, its runs, bar, how far, how long."""
    told = job.progress
    words = [f"{told.done:,} of {told.total:,} {told.unit}"] if told and told.total else []
    words += [" · ".join([f"run {run['run_id']}: {run['stage']}", *filter(None, [spent(run)])])
              for run in steps]  # fmt: skip
    words.append("stopping" if job.stop.is_set() else duration(job.seconds))
    done, total = (told.done, told.total) if told else (0, 0)
    return strip.bar(job.label, " · ".join(words), done, total)


def said_if_refused(act: Callable[P, None]) -> Callable[P, None]:
    """Make a callback leave what Gloss raises as a sentence for the page that is drawn next."""

    @wraps(act)
    def acted(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            act(*args, **kwargs)
        except GlossError as error:
            st.session_state[SAID] = told(error)

    return acted


@said_if_refused
def cancel(run_id: int) -> None:
    """Ask a run to stop at its next transaction."""
    runs.cancel(session.library().catalogue, run_id)


def begun() -> list[Begun]:
    """Commands that this session started and that still work, or ended a short while ago."""
    now = datetime.now(UTC)
    kept = [
        one for one in st.session_state.get(LAUNCHED, [])
        if runs.is_alive(one.pid) or (now - one.began).total_seconds() < FORGOTTEN
    ]  # fmt: skip
    st.session_state[LAUNCHED] = kept
    made_a_run = session.library().ask(run_queries.processes, tuple(one.pid for one in kept))
    return [one for one in kept if runs.is_alive(one.pid) or one.pid not in made_a_run]


def _starting(one: Begun) -> None:
    """A started command that is no run yet, or that ended without becoming one."""
    command = session.command(list(one.words))
    said = "is starting" if runs.is_alive(one.pid) else "ended without a run; its last words"
    st.html(sentence(f"Process {one.pid} {said}:", command))
    if not runs.is_alive(one.pid) and (words := launching.tail(one.log, 6)):
        st.code(words, language=None)


def stopped() -> None:
    """Runs that ended before their work did, by the command that goes on with them."""
    found = [run for run in session.library().ask(run_queries.stopped) if not runs.is_ending(run)]
    groups: dict[tuple[str, ...], list[Row]] = {}
    for run in found:
        key = tuple(run["command"] or ("", str(run["run_id"])))
        groups.setdefault(key, []).append(run)
    if not groups:
        return
    st.html(heading("Stopped before the end", "what was finished is kept and not done again"))
    for number, group in enumerate(list(groups.values())[:SHOWN]):
        entry(group, key=f"resume-{number}")
    if len(groups) > SHOWN:
        st.caption(f"{len(groups) - SHOWN:,} more are in the table; choose one to go on with it.")


def entry(group: list[Row], *, key: str) -> None:
    """One stopped command with the button that goes on."""
    run, command = group[0], resume(group[0])
    others = f" and {counted(len(group) - 1, 'other runs')}" if len(group) > 1 else ""
    rest = max(0, (run["total"] or 0) - (run["done"] or 0))
    left = f"{counted(rest, unit_of(run))} left" if rest else "none left to count"
    said = f"{title(run)}{others}, {run['status']}, {left}"
    bar = st.container(horizontal=True, vertical_alignment="center", key=f"{key}-bar")
    bar.html(block(f'<div class="stopped">{escape(said)}</div>'))
    if command is None:
        open_again(bar, run, key=f"{key}-open")
        return
    bar.button("Resume", key=key, icon=":material/play_arrow:", type="primary", on_click=start,
               args=(tuple(command),), disabled=is_at_work(tuple(command)),
               help="Starts the command below as a process of its own.")  # fmt: skip
    st.code(session.command(command), language="bash", wrap_lines=True)


def open_again(bar: DeltaGenerator, run: Row, *, key: str) -> None:
    """The button that leads to the feature of a page's run, where its settings are filled in."""
    wanted = prefill.wanted_of(run)
    if wanted is None:
        bar.html(block('<span class="mut">a page began it: ask again there</span>'))
    elif bar.button("Open", key=key, icon=":material/play_arrow:", type="primary",
                    help="Opens its feature with its settings: Start goes on."):  # fmt: skip
        st.session_state[prefill.WANTED] = wanted
        st.switch_page("views/feature.py", query_params=wanted.address)


def is_at_work(words: tuple[str, ...]) -> bool:
    """Whether a command works already, started here or elsewhere: twice would do it twice."""
    working = [*session.library().ask(run_queries.at_work), *follow.ending()]
    started = (one for one in st.session_state.get(LAUNCHED, []) if runs.is_alive(one.pid))
    return any(tuple(run["command"] or ()) == words for run in working) or any(
        one.words == words for one in started
    )


@said_if_refused
def start(words: tuple[str, ...]) -> None:
    """Start a command, unless it works already."""
    if is_at_work(words):
        return
    pid, log = launching.launch(session.store(), words)
    kept = st.session_state.get(LAUNCHED, [])
    st.session_state[LAUNCHED] = [*kept, Begun(words, pid, log, datetime.now(UTC))]

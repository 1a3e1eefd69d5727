"""The page of runs: what is at work, what stopped and how to go on, and everything else."""

import json

import pandas as pd
import streamlit as st

from dashboard import session, strip
from dashboard.cards import sentence
from dashboard.commands import counted, duration, is_left_alone, labels, resume, settings_of
from dashboard.spans import block, heading
from data import runs as running
from data.catalogue import Row


@session.guarded
def page() -> None:
    """Running, interrupted, all."""
    found = session.library().live_runs()
    if not found:
        session.say(f"Nothing was run in {session.store()} yet; this command runs everything once:",
                    session.command(["gloss", "demo"]))  # fmt: skip
    if strip.active(found):
        st.html(heading("At work"))
        st.fragment(at_work, run_every=strip.EVERY)()
    interrupted(found)
    st.html(heading("All runs", f"{len(found):,}, newest first"))
    table(found[::-1])


@session.guarded
def at_work() -> None:
    """The running runs, each with a button that stops it."""
    active = strip.active(session.library().live_runs())
    before = st.session_state.get("runs.ids")
    ids = [run["run_id"] for run in active]
    st.session_state["runs.ids"] = ids
    if before is not None and before != ids:
        st.session_state["runs.ids"] = None
        st.rerun(scope="app")
    for run in active:
        bar = st.container(horizontal=True, vertical_alignment="center")
        bar.html(block(strip.line(run)))
        bar.button("Cancel", key=f"cancel-{run['run_id']}", icon=":material/stop:",
                   on_click=cancel, args=(run["run_id"],),
                   help="Stops after the present features; what is finished is kept.")  # fmt: skip


def cancel(run_id: int) -> None:
    """Ask a run to stop at its next transaction."""
    running.cancel(session.library().catalogue, run_id)


def interrupted(found: list[Row]) -> None:
    """Runs that stopped before their end, with the command that goes on."""
    stopped = [run for i, run in enumerate(found) if is_left_alone(run, found[i + 1 :])]
    if not stopped:
        return
    st.html(heading("Interrupted or cancelled", "what was finished is kept"))
    for run in stopped[-5:][::-1]:
        rest = max(0, (run["total"] or 0) - (run["done"] or 0))
        unit = "tokens" if run["stage"] == "cache" else "features"
        left = f"{counted(rest, unit)} {'is' if rest == 1 else 'are'} left"
        said = f"Run {run['run_id']}, {run['stage']} {run['cache']}, {run['status']}: {left}; "
        command = resume(run)
        st.html(sentence(f"{said}this goes on:", session.command(command)) if command
                else sentence(f"{said}ask again on the feature's page."))  # fmt: skip


def table(found: list[Row]) -> None:
    """One line a run; choosing one shows all of its settings."""
    picked = st.dataframe(
        readable(found), key="runs", hide_index=True, on_select="rerun",
        selection_mode="single-row",
        column_config={
            "Done": st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent"),
            "Cost": st.column_config.TextColumn(width=80),
            "Settings": st.column_config.TextColumn(width=300),
            "Error": st.column_config.TextColumn(width=260),
            "Started": st.column_config.DatetimeColumn(format="D MMM HH:mm:ss"),
        },
    )  # fmt: skip
    if (rows := picked["selection"]["rows"]) and rows[0] < len(found):
        run = found[rows[0]]
        st.html(heading(f"Run {run['run_id']}", "all settings"))
        st.code(json.dumps(settings_of(run), indent=1, sort_keys=True), language="json")


def readable(found: list[Row]) -> pd.DataFrame:
    """The table's columns in words."""
    return pd.DataFrame(
        [
            {
                "Run": run["run_id"],
                "Status": run["status"],
                "Stage": run["stage"],
                "Cache": run["cache"],
                "Hookpoint": run["hookpoint"] or "all",
                "Settings": labels(run),
                "Done": (run["done"] or 0) / run["total"] if run["total"] else None,
                "Progress": f"{run['done'] or 0:,} / {run['total'] or 0:,}",
                "Failed": run["failed"] or 0,
                "Calls": run["n_calls"] or 0,
                "Cost": cost(run),
                "Started": run["started_at"],
                "Took": took(run),
                "Error": run["error"] or "",
            }
            for run in found
        ]
    )


def cost(run: Row) -> str:
    """Dollars of a run's calls; unknown is said, never shown as 0."""
    if not run["n_calls"]:
        return ""
    return "unknown" if run["cost_usd"] is None else f"${run['cost_usd']:.4f}"


def took(run: Row) -> str:
    """Time from start to end, or to the last sign of life."""
    end = run["finished_at"] or run["heartbeat_at"]
    if not run["started_at"] or not end:
        return ""
    return duration((end - run["started_at"]).total_seconds())


if __name__ == "__main__":
    page()

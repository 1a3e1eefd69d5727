"""Runs: one execution of a stage with its settings, progress and heartbeat.

A run whose process is gone, or whose heartbeat is old, becomes "interrupted". Starting the same
work again continues an interrupted run instead of adding another.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.caches import digest
from data.catalogue import Catalogue, Connection, Row, as_json
from data.errors import StoreBusy
from data.records import NO_USAGE, Stage, State, Usage

SILENT = 60  # seconds without a heartbeat after which a run of another host counts as gone


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to do."""

    stage: Stage
    cache_id: int
    hookpoint_id: int | None  # None = all hookpoints of the cache
    method_id: int | None  # explainer_id or scorer_id
    settings: Mapping[str, Any]  # as a person would compare them, JSON-ready
    command: tuple[str, ...] = ()  # as typed, without the store; () = begun by a page
    paid: bool = False  # asks a language model: two of the same at once would pay twice


def start_run(catalogue: Catalogue, plan: Plan, total: int, done: int = 0) -> int:
    """Begin or continue a run; gives its run_id. `done` of `total` units were there before."""
    settings_hash = digest(plan.stage, plan.cache_id, plan.hookpoint_id, plan.method_id,
                           dict(plan.settings))  # fmt: skip
    with catalogue.writing() as con:
        _mark_interrupted(con)
        if plan.paid:
            _require_alone(con, settings_hash)
        run_id = con.value(
            "select max(run_id) from run where settings_hash = ? "
            "and status in ('interrupted', 'failed', 'queued')",
            [settings_hash],
        )
        if run_id is None:
            run_id = con.value("select nextval('run_ids')")
            con.run(
                "insert into run (run_id, stage, cache_id, hookpoint_id, method_id, settings, "
                "settings_hash, started_at, failed, n_calls, input_tokens, output_tokens, "
                "cost_usd) values (?, ?, ?, ?, ?, ?, ?, now()::timestamp, 0, 0, 0, 0, 0)",
                [run_id, plan.stage, plan.cache_id, plan.hookpoint_id, plan.method_id,
                 as_json(plan.settings), settings_hash],
            )  # fmt: skip
        con.run(
            "update run set status = 'running', total = ?, done = ?, pid = ?, host = ?, "
            "command = ?, heartbeat_at = now()::timestamp, error = null, finished_at = null "
            "where run_id = ?",
            [total, done, os.getpid(), socket.gethostname(), list(plan.command) or None, run_id],
        )
    return run_id


def _require_alone(con: Connection, settings_hash: str) -> None:
    """Refuse what another live process is doing."""
    row = con.row(
        "select run_id, pid from run where settings_hash = ? and status = 'running' and pid <> ?",
        [settings_hash, os.getpid()],
    )
    if row is not None:
        raise StoreBusy(
            f"run {row['run_id']} (process {row['pid']}) is asking the same: wait for it, or "
            "cancel it on the page of runs; what it was answered is kept"
        )


def beat(
    con: Connection, run_id: int, *, done: int, failed: int = 0, usage: Usage = NO_USAGE
) -> None:
    """Note progress inside the transaction that stores the work itself.

    A run's tokens and dollars are those of its results; one unknown figure makes the sum unknown.
    """
    con.run(
        "update run set done = done + ?, failed = failed + ?, n_calls = n_calls + ?, "
        "input_tokens = input_tokens + ?, output_tokens = output_tokens + ?, "
        "cost_usd = cost_usd + ?, heartbeat_at = now()::timestamp where run_id = ?",
        [done, failed, usage.n_calls, usage.input_tokens, usage.output_tokens, usage.cost_usd,
         run_id],
    )  # fmt: skip


def set_done(catalogue: Catalogue, run_id: int, done: int, total: int) -> None:
    """Note progress where the work itself is not in the catalogue (caching)."""
    with catalogue.writing() as con:
        con.run(
            "update run set done = ?, total = ?, heartbeat_at = now()::timestamp where run_id = ?",
            [done, total, run_id],
        )


def end_run(catalogue: Catalogue, run_id: int, status: State, error: str | None = None) -> None:
    """Close a run as done, failed, cancelled or interrupted, with the reason."""
    with catalogue.writing() as con:
        con.run(
            "update run set status = ?, error = ?, finished_at = now()::timestamp, "
            "heartbeat_at = now()::timestamp where run_id = ?",
            [status, error, run_id],
        )


def is_cancelled(con: Connection, run_id: int) -> bool:
    """Whether somebody asked this run to stop (a page sets the status, the worker looks)."""
    return con.value("select status from run where run_id = ?", [run_id]) == "cancelled"


def cancel(catalogue: Catalogue, run_id: int) -> None:
    """Ask a running run to stop; it does so at its next transaction."""
    with catalogue.writing() as con:
        con.run(
            "update run set status = 'cancelled' where run_id = ? and status in "
            "('running', 'queued')",
            [run_id],
        )


def is_ending(run: Row) -> bool:
    """Whether a run is cancelled and its process, of this machine, has still to end it."""
    return (
        run["status"] == "cancelled"
        and run["finished_at"] is None
        and run["pid"] is not None
        and run["host"] == socket.gethostname()
        and is_alive(run["pid"])
    )


def mark_interrupted(catalogue: Catalogue) -> None:
    """Turn "running" into "interrupted" where the process is gone."""
    with catalogue.reading() as con:
        stale = _stale(con)
    if stale:
        with catalogue.writing() as con:
            _mark_interrupted(con)


def _mark_interrupted(con: Connection) -> None:
    for run_id in _stale(con):
        con.run("update run set status = 'interrupted' where run_id = ?", [run_id])


def _stale(con: Connection) -> list[int]:
    running = con.rows(
        "select run_id, pid, host, epoch(now()::timestamp) - epoch(heartbeat_at) as silent "
        "from run where status = 'running'"
    )
    return [row["run_id"] for row in running if _is_gone(row)]


def _is_gone(row: Row) -> bool:
    if row["host"] != socket.gethostname():
        return row["silent"] > SILENT
    return not is_alive(row["pid"])


def is_alive(pid: int) -> bool:
    """Whether a process of this machine is at work.

    One that has ended but whose end nobody took note of still has its number; Linux says "Z".
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{int(pid)}/stat").read_text("utf-8", "replace").rpartition(") ")[2]
    except OSError:
        return True
    return not state.startswith("Z")


RUN = """
select r.run_id, r.stage, c.name as cache, h.name as hookpoint, r.settings, r.settings_hash,
       r.command, r.status, r.total, r.done, r.failed, r.pid, r.host, r.n_calls, r.input_tokens,
       r.output_tokens, r.cost_usd, r.started_at, r.heartbeat_at, r.finished_at, r.error,
       epoch(now()::timestamp) - epoch(r.heartbeat_at) as silent
from run r
left join cache c using (cache_id)
left join hookpoint h on h.hookpoint_id = r.hookpoint_id
"""
# No later run took over what run r was to do.
IS_LAST = """not exists (
    select 1 from run later
    where later.settings_hash = r.settings_hash and later.run_id > r.run_id
)"""


def runs(catalogue: Catalogue) -> list[Row]:
    """All runs, oldest first; those whose process is gone are marked interrupted before."""
    mark_interrupted(catalogue)
    with catalogue.reading() as con:
        return con.rows(f"{RUN} order by r.run_id")

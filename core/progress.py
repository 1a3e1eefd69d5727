"""Progress on stderr: one bar a stage, or plain lines where there is no terminal."""

from collections.abc import Iterator
from time import monotonic

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from core.commands.printing import visible
from data.records import Progress

QUIET = 10.0  # seconds between two lines where there is no terminal


def draw(stages: Iterator[Progress]) -> Progress | None:
    """Run a stage to its end, drawing what it yields; gives the last Progress."""
    console = Console(stderr=True)
    return _bars(stages, console) if console.is_terminal else _lines(stages, console)


def _bars(stages: Iterator[Progress], console: Console) -> Progress | None:
    columns = (  # names may hold brackets, which are markup to rich
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}", markup=False),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
    )
    last = None
    tasks: dict[str, TaskID] = {}
    with Bars(*columns, console=console) as bars:
        for last in stages:
            if last.stage not in tasks:
                tasks[last.stage] = bars.add_task(
                    visible(last.stage), total=None, speed="", note=""
                )
            bars.update(
                tasks[last.stage],
                completed=last.done,
                total=last.total or None,
                speed=_speed(last),
                note=visible(last.note),
            )
    return last


def _lines(stages: Iterator[Progress], console: Console) -> Progress | None:
    last, spoken, stage = None, 0.0, ""
    for last in stages:
        is_end = last.total and last.done >= last.total
        if last.stage != stage or is_end or monotonic() - spoken > QUIET:
            stage, spoken = last.stage, monotonic()
            line = visible(as_line(last))
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return last


def _speed(progress: Progress) -> str:
    return f"{progress.rate:,.0f} {progress.unit}/s" if progress.rate else progress.unit


def as_line(progress: Progress) -> str:
    """One line of text, e.g. "caching: 65,536 of 200,064 tokens, 14,201 tokens/s, 9 s left"."""
    parts = [f"{progress.stage}: {progress.done:,}"]
    if progress.total:
        parts[0] += f" of {progress.total:,}"
    parts[0] += f" {progress.unit}"
    if progress.rate:
        parts.append(_speed(progress))
    if progress.seconds_left:
        parts.append(f"{progress.seconds_left:,.0f} s left")
    if progress.note:
        parts.append(progress.note)
    return ", ".join(parts)

"""Runs as a person reads and repeats them: settings as short labels, the command that resumes.

Knows the flags of `gloss`, nothing of Streamlit or the store.
"""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.drawing.words import explain_words, is_grammar
from data.catalogue import Row

UNKNOWN = "unknown"
UNITS = {  # else features
    "cache": "tokens", "train": "steps", "baselines": "parts", "diff": "parts",
    "similarity": "comparisons",
}  # fmt: skip


def settings_of(run: Row) -> dict[str, Any]:
    """The settings stored with a run."""
    return json.loads(run["settings"]) if isinstance(run["settings"], str) else {}


def labels(run: Row) -> str:
    """Settings that differ from the defaults, e.g. "features 0-99 · mdl · 40 examples, top"."""
    settings = settings_of(run)
    words = [f"features {settings['features']}"] if settings.get("features") else []
    if run["stage"] == "explain":
        words += explain_words(settings)
    elif run["stage"] == "score":
        words += [_joined(settings[name]) for name in ("scorers", "preset", "kinds")
                  if settings.get(name)]  # fmt: skip
        if not is_grammar(settings, "judge"):
            words.append(f"judged by {settings['judge']}")
        if settings.get("nulls"):
            words.append(f"nulls: {_joined(settings['nulls'])}")
    elif run["stage"] == "baselines":
        words += baseline_words(settings)
    elif run["stage"] == "similarity":
        words += [_joined(settings["measures"])]
        words += [f"with {settings['other']}"] if settings.get("other") else []
    elif run["stage"] == "diff":
        words += diff_words(settings)
    elif run["stage"] == "train":
        words += [f"{settings[name]:,} {name}" for name in ("steps",) if settings.get(name)]
    else:
        words += cache_words(settings)
    return " · ".join(words)


def baseline_words(settings: dict[str, Any]) -> list[str]:
    """What was compared, e.g. ["neurons, random-sae", "detection, fuzzing", "gloss"]."""
    words = [_joined(settings[name]) for name in ("only", "scorers", "preset")
             if settings.get(name)]  # fmt: skip
    if not is_grammar(settings, "judge"):
        words.append(f"judged by {settings['judge']}")
    return words


def diff_words(settings: dict[str, Any]) -> list[str]:
    """What two subjects were asked, e.g. ["with tuned", "noise", "target “yes”"]."""
    kind = next((name for name in ("pairs", "target", "about") if name in settings), "features")
    said = {"pairs": settings.get("pairs"), "target": "noise", "about": "blind game"}.get(kind)
    words = [f"with {settings['second']}"] if settings.get("second") else []
    words.append(str(said or "features"))
    return words + ([f"target “{settings['target']}”"] if settings.get("target") else [])


def cache_words(settings: dict[str, Any]) -> list[str]:
    """What was cached, e.g. ["python-docs", "300,000 tokens", "in sequences of 128"]."""
    words = [str(settings["corpus"])] if settings.get("corpus") else []
    if settings.get("n_tokens"):
        words.append(f"{settings['n_tokens']:,} tokens")
    if settings.get("sequence_length"):
        words.append(f"in sequences of {settings['sequence_length']}")
    return words


def resume(run: Row) -> list[str] | None:
    """The words of the command that goes on with a run that stopped, without the store.

    None where a page began it: asking there again goes on.
    """
    return list(run["command"]) if run["command"] else None


def in_a_page(words: str) -> str:
    """A message as a page says it, where there is no command to repeat.

    >>> in_a_page("m does not answer; what was finished is kept; the same command goes on")
    'm does not answer; what was finished is kept; asking again goes on'
    """
    return words.replace("the same command goes on", "asking again goes on")


def with_store(words: Sequence[str], store: Path) -> str:
    """A command to copy, naming the store unless it is the default one."""
    extra = [] if store == Path("store").absolute() else ["--store", str(store)]
    return shlex.join([*words, *extra])


def _joined(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def duration(seconds: float | None) -> str:
    """A stretch of time in words, e.g. 42 -> "42 s", 200 -> "3 min", 9_000 -> "2.5 h"."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"


def rate_of(run: Row, seen: tuple[float, int] | None, now: float) -> float | None:
    """Units a second: since this page first saw the run, else since the run began.

    seen: (clock in seconds, done) of the first look; a resumed run did part of its work before.
    """
    if seen and now - seen[0] >= 2 and run["done"] > seen[1]:
        return (run["done"] - seen[1]) / (now - seen[0])
    if not run["started_at"] or not run["done"]:
        return None
    spent = (run["heartbeat_at"] - run["started_at"]).total_seconds()
    return run["done"] / spent if spent > 0 else None


def counted(n: int, noun: str) -> str:
    """A number with its noun, e.g. (1, "features") -> "1 feature"."""
    return f"{n:,} {noun[:-1] if n == 1 else noun}"


def known(n: int | None) -> str:
    """A count, which may not be known: None -> "unknown"."""
    return "unknown" if n is None else f"{n:,}"


def unit_of(run: Row) -> str:
    """What a run's progress is counted in."""
    return UNITS.get(run["stage"], "features")


def progress_words(run: Row, rate: float | None) -> list[str]:
    """How far a running run is, e.g. ["1,204 of 4,096 features", "12/s", "4 min left", "$0.12"]."""
    done, total = run["done"] or 0, run["total"]
    words = [f"{done:,} of {counted(total, unit_of(run))}" if total
             else counted(done, unit_of(run))]  # fmt: skip
    if rate:
        words.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s")
        if total:
            words.append(f"{duration(max(0, total - done) / rate)} left")
    if run["failed"]:
        words.append(f"{run['failed']:,} failed")
    if spent(run):
        words.append(f"{spent(run)} so far")
    return words


def spent(run: Row) -> str:
    """What a run's calls cost, for a line of words, e.g. "$0.0123" or "cost unknown"."""
    said = dollars(run)
    return f"cost {said}" if said == UNKNOWN else said


def dollars(run: Row) -> str:
    """Dollars of a run's calls, e.g. "$0.0123"; unknown is said, never shown as 0."""
    if not run.get("n_calls"):
        return ""
    return UNKNOWN if run["cost_usd"] is None else f"${run['cost_usd']:,.4f}"


def took(run: Row) -> str:
    """Time from start to end, or to the last sign of life."""
    end = run["finished_at"] or run["heartbeat_at"]
    if not run["started_at"] or not end:
        return ""
    return duration((end - run["started_at"]).total_seconds())

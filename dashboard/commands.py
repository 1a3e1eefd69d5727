"""Runs as a person reads and repeats them: settings as short labels, the command that resumes.

Knows the flags of `gloss`, nothing of Streamlit or the store.
"""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.catalogue import Row

DEMO = "demo"  # the cache that `gloss demo` makes and continues
EXPLAIN_FLAGS = {
    "families": ("--families", "context"),
    "max_rules": ("--rules", 8),
    "max_literals": ("--literals", 3),
    "objective": ("--objective", "f1"),
    "examples": ("--examples", None),
    "sampling": ("--sampling", "quantiles"),
    "threshold": ("--threshold", 0.0),
    "seed": ("--seed", 0),
}  # name in a run's settings: flag, default
CACHE_FLAGS = {
    "n_tokens": ("--tokens", 1_000_000),
    "sequence_length": ("--sequence-length", None),
    "batch_size": ("--batch", 16),
    "dtype": ("--dtype", "auto"),
    "device": ("--device", "auto"),
    "revision": ("--revision", None),
    "seed": ("--seed", 0),
}
FIRST = re.compile(r"0-\d+")  # the features that `gloss demo` explains before it serves
SCORERS = ["detection", "fuzzing"]
SCORE_FLAGS = {"preset": ("--preset", "gloss")}


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
    else:
        words += cache_words(settings)
    return " · ".join(words)


def cache_words(settings: dict[str, Any]) -> list[str]:
    """What was cached, e.g. ["python-docs", "300,000 tokens", "in sequences of 128"]."""
    words = [str(settings["corpus"])] if settings.get("corpus") else []
    if settings.get("n_tokens"):
        words.append(f"{settings['n_tokens']:,} tokens")
    if settings.get("sequence_length"):
        words.append(f"in sequences of {settings['sequence_length']}")
    return words


def explain_words(settings: dict[str, Any]) -> list[str]:
    """What a grammar explanation was learnt from and how, in a few words."""
    examples = settings.get("examples")
    data = f"{examples} examples, {settings.get('sampling')}" if examples else "all train tokens"
    words = [data, str(settings.get("objective", "f1"))]
    if settings.get("families", "context") != "context":
        words.append(f"{settings['families']} rules")
    if settings.get("max_rules", 8) != 8:
        words.append(f"≤ {settings['max_rules']} rules")
    if settings.get("max_literals", 3) != 3:
        words.append(f"≤ {settings['max_literals']} conditions")
    if settings.get("threshold"):
        words.append(f"above {settings['threshold']:g} of max")
    return words


def resume(run: Row) -> list[str]:
    """The words of the command that goes on with a run that stopped; without the store."""
    if is_of_demo(run):
        return ["gloss", "demo"]
    settings, cache = settings_of(run), run["cache"] or "CACHE"
    if run["stage"] == "cache":
        return cache_command(run["cache"], settings)
    words = ["gloss", run["stage"], cache]
    if run["hookpoint"]:
        words += ["--hookpoint", run["hookpoint"]]
    if settings.get("features", "all") != "all":
        words += ["--features", str(settings["features"])]
    flags = EXPLAIN_FLAGS if run["stage"] == "explain" else SCORE_FLAGS
    for name, (flag, default) in flags.items():
        if name in settings and settings[name] != default:
            words += [flag, str(settings[name])]
    for name in ("scorers", "kinds") if run["stage"] == "score" else ():
        if settings.get(name):
            words += [f"--{name}", _joined(settings[name]).replace(", ", ",")]
    return words


def is_of_demo(run: Row) -> bool:
    """Whether `gloss demo` itself began a run: default settings, all features or the first ones."""
    settings = settings_of(run)
    if run["cache"] != DEMO or run["stage"] == "cache":
        return run["cache"] == DEMO
    flags = EXPLAIN_FLAGS if run["stage"] == "explain" else SCORE_FLAGS
    is_default = all(settings.get(name, default) == default for name, (_, default) in flags.items())
    has_all_scorers = sorted(settings.get("scorers", SCORERS)) == SCORERS
    features = str(settings.get("features", "all"))
    return (
        is_default
        and has_all_scorers
        and not settings.get("kinds")
        and (features == "all" or FIRST.fullmatch(features) is not None)
    )


def cache_command(name: str, settings: dict[str, Any]) -> list[str]:
    """The command of a cache, from the settings it was begun with."""
    words = ["gloss", "cache", str(settings.get("subject", "SUBJECT")), "--name", name]
    for source in settings.get("saes") or ["SAE"]:
        words += ["--sae", str(source)]
    words += ["--corpus", str(settings.get("corpus", "CORPUS"))]
    for hookpoint in settings.get("hookpoints") or []:
        words += ["--hookpoint", str(hookpoint)]
    for key, (flag, default) in CACHE_FLAGS.items():
        if settings.get(key, default) != default:
            words += [flag, str(settings[key])]
    return words


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


def is_left_alone(run: Row, later: Sequence[Row]) -> bool:
    """Whether a run stopped before its end and no later one with the same settings took over."""
    same = ("stage", "cache", "hookpoint", "settings")
    return run["status"] in ("interrupted", "cancelled") and not any(
        all(run[name] == other[name] for name in same) for other in later
    )


def progress_words(run: Row, rate: float | None) -> list[str]:
    """How far a running run is, e.g. ["1,204 of 4,096 features", "12/s", "4 min left"]."""
    unit = "tokens" if run["stage"] == "cache" else "features"
    words = [f"{run['done']:,} of {counted(run['total'], unit)}" if run["total"]
             else counted(run["done"], unit)]  # fmt: skip
    if rate:
        words.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s")
        if run["total"]:
            words.append(f"{duration((run['total'] - run['done']) / rate)} left")
    if run["failed"]:
        words.append(f"{run['failed']:,} failed")
    return words

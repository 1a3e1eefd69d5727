"""`gloss status`: caches, runs, and what is half done, for people and for scripts."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from core import fit
from data import caches, runs
from data.baselines import subject_words
from data.catalogue import Catalogue, Row
from data.health import bytes_below
from data.records import CacheRecord


def as_object(catalogue: Catalogue) -> dict[str, Any]:
    """The store as one JSON-ready object (DESIGN: status --json)."""
    found = runs.runs(catalogue)  # first: this notices runs whose process is gone
    return {
        "store": str(catalogue.store),
        "caches": [_cache(catalogue, record, found) for record in caches.caches(catalogue)],
        "runs": [_run(row) for row in found],
        "replies": _replies(catalogue),
    }


REPLIES = """
select count(*) as n, sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
       sum(cost_usd) as cost_usd, count(*) filter (cost_usd is null) as n_without_cost
from reply
"""


def _replies(catalogue: Catalogue) -> dict[str, Any]:
    """Everything that language models were ever asked from this store, each answer once."""
    with catalogue.reading() as con:
        return con.row(REPLIES) or {}


def _cache(catalogue: Catalogue, record: CacheRecord, found: Sequence[Row]) -> dict[str, Any]:
    return {
        "name": record.name,
        "baseline_of": record.baseline_of or None,
        "baseline": record.baseline or None,
        "subject": record.subject,
        "hookpoints": [found.name for found in record.hookpoints],
        "tokens": record.n_tokens if record.has_activations else None,
        "features": _features(record),  # None = the size of the SAEs is not known
        "alive": sum(found.n_alive for found in record.hookpoints),
        "fit": {h.name: fit.as_object(h) for h in record.hookpoints},
        "state": _state(record, found),
        "bytes": bytes_below(catalogue.store / record.folder),
    }


def _features(record: CacheRecord) -> int | None:
    """Features of all SAEs; None where an import does not say how large they are."""
    if all(found.is_size_known for found in record.hookpoints):
        return sum(found.n_features for found in record.hookpoints)
    return None


def _fired(cache: dict[str, Any]) -> str:
    """How many features fired, of how many."""
    if cache["features"] is None:
        return f"{cache['alive']:,} features known; size of the SAE and dead features unknown"
    return f"{cache['alive']:,} of {cache['features']:,} features fired"


def _state(record: CacheRecord, found: Sequence[Row]) -> str:
    """Say "done", "running" while a live run makes the cache, else how the newest one ended."""
    if record.status == "done":
        return "done"
    ended = [
        row["status"] for row in found if row["stage"] == "cache" and row["cache"] == record.name
    ]
    if "running" in ended:
        return "running"
    return "failed" if ended[-1:] == ["failed"] else "interrupted"


def _fit(hookpoint: str, found: dict[str, Any]) -> str:
    """A hookpoint with how well its SAE fits, e.g. "layers.2 (FVU 0.18, L0 16.0)"."""
    words = fit.in_words(found)
    return f"{hookpoint} ({words})" if words else hookpoint


def _tokens(n: int | None) -> str:
    return "contexts" if n is None else f"{n:,} tokens"


def _role(cache: dict[str, Any]) -> str:
    """Say of a baseline that it is one, e.g. " (random-sae, a baseline of demo)"."""
    if cache["baseline_of"] is None:
        return ""
    return f" ({cache['baseline']}, a baseline of {cache['baseline_of']})"


def _run(row: Row) -> dict[str, Any]:
    return {
        "id": row["run_id"],
        "kind": row["stage"],
        "cache": row["cache"],
        "hookpoint": row["hookpoint"],
        "settings": json.loads(row["settings"]),
        "features": row["total"],
        "done": row["done"],
        "failed": row["failed"],
        "calls": row["n_calls"],
        "input_tokens": row["input_tokens"],
        "output_tokens": row["output_tokens"],
        "cost_usd": row["cost_usd"],
        "state": row["status"],
        "error": row["error"],
    }


def lines(catalogue: Catalogue, *, as_json: bool) -> Iterator[str]:
    """The status as text: one JSON object, or a few lines for a person."""
    found = as_object(catalogue)
    if as_json:
        yield json.dumps(found, ensure_ascii=False)
        return
    yield f"store {found['store']}"
    if not found["caches"]:
        yield "  no caches yet; gloss demo makes one"
    for cache in found["caches"]:
        yield (
            f"  cache {cache['name']}{_role(cache)}: {_tokens(cache['tokens'])} of "
            f"{subject_words(cache['subject'])} at "
            f"{', '.join(_fit(*found) for found in cache['fit'].items())}; "
            f"{_fired(cache)}; {cache['bytes'] / 1e6:,.1f} MB; {cache['state']}"
        )
    replies = found["replies"]
    if replies["n"]:
        known = f"${replies['cost_usd'] or 0:.4f}"
        unknown = replies["n_without_cost"]
        yield f"  {replies['n']:,} answers of language models, paid once each: " + (
            "cost unknown" if unknown == replies["n"] else
            known + (f" and {unknown:,} of unknown cost" if unknown else "")
        )  # fmt: skip
    for run in found["runs"]:
        where = f" at {run['hookpoint']}" if run["hookpoint"] else ""
        tail = f"; {run['error']}" if run["error"] else ""
        yield (
            f"  run {run['id']}: {run['kind']} {run['cache']}{where}: {run['done']:,} of "
            f"{run['features']:,}, {run['failed']:,} failed{_spent(run)}; {run['state']}{tail}"
        )


def _spent(run: dict[str, Any]) -> str:
    """What a run's calls took, e.g. "; 40 calls, 31,000 + 480 tokens, $0.0123"."""
    if not run["calls"]:
        return ""
    figures = [run["input_tokens"], run["output_tokens"]]
    tokens = " + ".join("unknown" if n is None else f"{n:,}" for n in figures)
    cost = "cost unknown" if run["cost_usd"] is None else f"${run['cost_usd']:.4f}"
    return f"; {run['calls']:,} calls, {tokens} tokens, {cost}"

"""Explanations of somebody else's into a cache that is there, to be scored on its contexts.

Published explanations have no contexts of their own; a cache of the same SAE has. Nothing but texts
is taken: writing the same again changes nothing, and a run that was stopped goes on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.importing.judging import UNKNOWN_USAGE
from core.pipeline.running import running
from data import caches, ledger
from data.catalogue import Catalogue
from data.errors import BadInput, NotFound, StoreTrouble
from data.imports.delphi import open_run
from data.imports.delphi_rows import ForeignExplanation, explanation_of, read_explanation
from data.imports.delphi_run import DelphiRun
from data.ledger import NewExplanation
from data.records import CacheRecord, HookpointRecord, Progress
from data.runs import Plan

CHUNK = 2048  # explanations in one transaction
EXPLAINER = "hub"


@dataclass(frozen=True, slots=True)
class AttachRequest:
    """What `gloss import explanations` was asked for."""

    path: Path
    cache: str  # name of the cache
    hookpoint: str | None = None  # of the cache; None = as the files call theirs
    model: str | None = None  # who wrote them; None = as the run or the paper says
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed


def attach_explanations(catalogue: Catalogue, request: AttachRequest) -> Iterator[Progress]:
    """Write the explanations of a run or of published files into a finished cache."""
    record = caches.cache(catalogue, request.cache)
    if record.status != "done":
        raise StoreTrouble(f"cache '{record.name}' is not finished: finish it first")
    yield Progress("reading explanations", 0, 0, "features")
    run = open_run(request.path)
    found = {
        _hookpoint(record, name, request): _explanations(run, name)
        for name in run.hookpoints
        if any(address.hookpoint == name for address in (*run.texts, *run.explanations))
    }
    if not found:
        raise BadInput(f"{request.path} has no explanations")
    for hookpoint, texts in found.items():
        _require_inside(hookpoint, texts)
    for hookpoint, texts in found.items():
        yield from _write(catalogue, request, run, hookpoint, texts)


def _hookpoint(record: CacheRecord, name: str, request: AttachRequest) -> HookpointRecord:
    """The hookpoint of the cache that the files are about; names may lack leading parts."""
    if request.hookpoint is not None:
        return caches.hookpoint(record, request.hookpoint)
    parts = name.split(".")
    for first in range(len(parts) - 1):
        try:
            return caches.hookpoint(record, ".".join(parts[first:]))
        except NotFound:
            continue
    known = ", ".join(found.name for found in record.hookpoints)
    raise NotFound(f"cache '{record.name}' has no hookpoint like {name}: say with --hookpoint "
                   f"which of {known} it is")  # fmt: skip


def _explanations(run: DelphiRun, hookpoint: str) -> dict[int, ForeignExplanation]:
    """Every explanation at a hookpoint, by feature."""
    found = {address.feature: read_explanation(path) for address, path in run.explanations.items()
             if address.hookpoint == hookpoint}  # fmt: skip
    for address, text in run.texts.items():
        if address.hookpoint == hookpoint:
            found[address.feature] = explanation_of(text)
    return found


def _require_inside(hookpoint: HookpointRecord, texts: Mapping[int, ForeignExplanation]) -> None:
    """Refuse explanations of another SAE, as far as its size tells."""
    last = max(texts)
    if last >= hookpoint.n_features:
        raise BadInput(f"there is an explanation of feature {last:,}, but the SAE at "
                       f"{hookpoint.name} has {hookpoint.n_features:,} features: it is another "
                       "one")  # fmt: skip


def _write(
    catalogue: Catalogue, request: AttachRequest, run: DelphiRun, hookpoint: HookpointRecord,
    texts: Mapping[int, ForeignExplanation],
) -> Iterator[Progress]:  # fmt: skip
    model = request.model or run.explainer
    settings = {
        "origin": EXPLAINER,
        "run": run.name,
        "explainer": "published",
        "model": model,
        "examples": "unknown",
        "sampling": f"as in {run.name}",
        "content": run.sha256,
    }
    explainer_id = ledger.method_id(catalogue, "explainer", EXPLAINER, model, settings)
    known = ledger.explained(catalogue, hookpoint.hookpoint_id, explainer_id, 0)
    fresh = sorted(texts.keys() - known)
    stage = f"writing explanations at {hookpoint.name}"
    if not fresh:
        yield Progress(stage, 0, 0, note="all of them are there already")
        return
    told = settings | {"path": str(request.path), "name": run.name}
    plan = Plan("import", hookpoint.cache_id, hookpoint.hookpoint_id, explainer_id, told,
                request.command)  # fmt: skip
    with running(catalogue, plan, len(fresh)) as run_id:
        for low in range(0, len(fresh), CHUNK):
            chunk = fresh[low : low + CHUNK]
            rows = [_row(feature, texts[feature]) for feature in chunk]
            ledger.write_explanations(catalogue, hookpoint.hookpoint_id, explainer_id, None,
                                      run_id, rows)  # fmt: skip
            yield Progress(stage, low + len(chunk), len(fresh))


def _row(feature: int, found: ForeignExplanation) -> NewExplanation:
    """One explanation; prompt, contexts and cost are unknown."""
    is_there = found.text is not None
    return NewExplanation(
        feature=feature,
        text=found.text,
        rule=None,
        status="done" if is_there else "failed",
        error=None if is_there else "the file says that there is none",
        seconds=None,
        seed=0,
        example_tokens=(),
        exact=None,
        reply=None if is_there else found.raw,
        usage=UNKNOWN_USAGE,
    )

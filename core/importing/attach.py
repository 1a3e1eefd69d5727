"""Explanations of somebody else's into a cache that is there, to be scored on its contexts.

Published explanations have no contexts of their own; a cache of the same SAE has. Nothing but texts
is taken: writing the same again changes nothing, and a run that was stopped goes on.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

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


class Attached(NamedTuple):
    """What came of it at one hookpoint of the cache."""

    hookpoint: str
    explanations: int  # features with a text
    failed: int  # features of which the files say that they have none
    written: int  # of both; the others had been there before


Steps = Generator[Progress, None, list[Attached]]


def attach_explanations(catalogue: Catalogue, request: AttachRequest) -> Steps:
    """Write the explanations of a run or of published files into a finished cache."""
    record = caches.cache(catalogue, request.cache)
    if record.status != "done":
        raise StoreTrouble(f"cache '{record.name}' is not finished: finish it first")
    yield Progress("reading explanations", 0, 0, "features")
    run = open_run(request.path)
    explained = {address.hookpoint for address in (*run.texts, *run.explanations)}
    if not explained:
        raise BadInput(f"{request.path} has no explanations")
    places = _places(record, sorted(explained), request)
    found = {hookpoint: _explanations(run, name) for hookpoint, name in places.items()}
    for hookpoint, texts in found.items():
        _require_inside(hookpoint, texts)
    done: list[Attached] = []
    for hookpoint, texts in found.items():
        written = yield from _write(catalogue, request, run, hookpoint, texts)
        failed = sum(text.text is None for text in texts.values())
        done.append(Attached(hookpoint.name, len(texts) - failed, failed, written))
    return done


def _places(
    record: CacheRecord, names: Sequence[str], request: AttachRequest
) -> dict[HookpointRecord, str]:
    """Where each hookpoint of the cache that gets explanations has them from.

    names: hookpoints as the files call them. The only one goes where --hookpoint says; of several,
    --hookpoint takes the one that is called like it.
    """
    if request.hookpoint is None:
        pairs = [(_named(record, name), name) for name in names]
    else:
        asked = caches.hookpoint(record, request.hookpoint)
        pairs = [(asked, one) for one in names if len(names) == 1 or _like(record, one) is asked]
        if not pairs:
            raise BadInput(f"{request.path} has explanations of {', '.join(names)}: none is called "
                           f"like {asked.name} of cache '{record.name}'; import those of one of "
                           "them, from a folder of their own")  # fmt: skip
    found: dict[HookpointRecord, str] = {}
    for place, name in pairs:
        if place in found:
            raise BadInput(f"{request.path} has explanations of {found[place]} and of {name}, and "
                           f"both are called like {place.name} of cache '{record.name}': import "
                           "those of one of them, from a folder of their own")  # fmt: skip
        found[place] = name
    return found


def _named(record: CacheRecord, name: str) -> HookpointRecord:
    found = _like(record, name)
    if found is None:
        known = ", ".join(one.name for one in record.hookpoints)
        raise NotFound(f"cache '{record.name}' has no hookpoint like {name}: say with --hookpoint "
                       f"which of {known} it is")  # fmt: skip
    return found


def _like(record: CacheRecord, name: str) -> HookpointRecord | None:
    """The hookpoint of the cache that is called so; either name may lack leading parts."""
    parts = name.split(".")
    for first in range(max(1, len(parts) - 1)):  # never a layer's number alone
        with suppress(NotFound):
            return caches.hookpoint(record, ".".join(parts[first:]))
    return None


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
) -> Generator[Progress, None, int]:  # fmt: skip
    """Write what is not there yet, and say how many that were."""
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
        return 0
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
    return len(fresh)


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

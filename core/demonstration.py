"""`gloss demo`: the whole pipeline on the bundled subject; it only chooses the inputs.

First the cache and a first few hundred features, then the dashboard, then everything else as runs
that the dashboard shows. Done before = not done again.
"""

import sys
from contextlib import nullcontext
from pathlib import Path
from time import monotonic

from core import demo
from core.grammar.settings import Settings
from core.pipeline.caching import CacheRequest, cache_stage
from core.pipeline.explaining import ExplainRequest, explain_stage
from core.pipeline.filtering import FilterRequest, filter_stage
from core.pipeline.judging import ScoreRequest
from core.pipeline.scoring import score_stage
from core.pipeline.workers import default_workers
from core.progress import draw
from core.serving import Server, require_free
from data import caches
from data.catalogue import Catalogue
from data.records import CacheRecord, HookpointRecord

OTHER = Settings(examples=40, sampling="top")  # what the strongest contexts alone teach
FIRST = 204  # features a hookpoint, with contexts for every verdict, before the dashboard opens
COMMAND = ("gloss", "demo")
REQUEST = CacheRequest(
    subject=str(demo.MODEL),
    saes=(str(demo.SAE),),
    corpus=demo.CORPUS,
    name="demo",
    n_tokens=demo.N_TOKENS,
    hookpoints=demo.HOOKPOINTS,
    sequence_length=demo.SEQUENCE_LENGTH,
    command=COMMAND,
)


def run(
    store: Path, *, serve: bool, port: int, workers: int, request: CacheRequest = REQUEST
) -> None:
    """Cache, explain and score; serve as soon as there is something to read."""
    start = monotonic()
    if serve and port:
        require_free(port)  # before the work, not after it
    catalogue = Catalogue(store)
    record = _cached(catalogue, request)
    for hookpoint in record.hookpoints:
        _explain_and_score(catalogue, record, hookpoint, _first(catalogue, hookpoint), workers)
    with Server(store, port) if serve else nullcontext() as server:
        if server is not None:
            _say(f"Gloss is at {server.address} after {monotonic() - start:.0f} s (Ctrl+C ends it)")
            _say("the other features follow; the page shows how far they are")
            workers = workers or max(1, default_workers() - 1)  # a core for the pages
        _rest(catalogue, record, workers)
        _say(f"all live features are explained and scored, {monotonic() - start:.0f} s")
        if server is not None:
            server.wait()


def _cached(catalogue: Catalogue, request: CacheRequest) -> CacheRecord:
    """The cache, made now or before; one that is there is opened even if packages have changed."""
    names = {record.name: record for record in caches.caches(catalogue)}
    known = names.get(request.name)
    if known is None or known.status != "done":
        draw(cache_stage(catalogue, request))
        known = caches.cache(catalogue, request.name)
    return known


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


FULL = """
select max(feature)
from (
    select feature from feature
    where hookpoint_id = ? and n_contexts >= 400
    order by feature
    limit ?
)
"""


def _first(catalogue: Catalogue, hookpoint: HookpointRecord) -> str:
    """Features up to the number that makes FIRST of them with enough contexts for full scores."""
    with catalogue.reading() as con:
        last = con.value(FULL, [hookpoint.hookpoint_id, FIRST])
    return "all" if last is None else f"0-{last}"


def _rest(catalogue: Catalogue, record: CacheRecord, workers: int) -> None:
    """Filters, all features; then the first ones from other data, to have something to compare."""
    draw(filter_stage(catalogue, FilterRequest(record.name, command=COMMAND)))
    for hookpoint in record.hookpoints:
        _explain_and_score(catalogue, record, hookpoint, "all", workers)
    for hookpoint in record.hookpoints:
        first = _first(catalogue, hookpoint)
        _explain_and_score(catalogue, record, hookpoint, first, workers, OTHER)


def _explain_and_score(
    catalogue: Catalogue,
    record: CacheRecord,
    hookpoint: HookpointRecord,
    features: str,
    workers: int,
    settings: Settings = Settings(),  # noqa: B008 - frozen
) -> None:
    explain = ExplainRequest(record.name, (hookpoint.name,), features, settings, 0, workers,
                             command=COMMAND)  # fmt: skip
    draw(explain_stage(catalogue, explain))
    score = ScoreRequest(record.name, (hookpoint.name,), features, workers=workers, command=COMMAND)
    draw(score_stage(catalogue, score))

"""The stage that imports: a foreign source in, a cache with what it says out.

Everything is read and checked before the store is touched; what fails afterwards is taken back. A
source is known by what its files hold: importing it again, from wherever, changes nothing. What
kinds of sources there are is not known here (delphi.py, neuronpedia.py).
"""

import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from core.pipeline.inputs import require_name
from core.pipeline.running import running
from data import caches, runs
from data.cachefacts import SaeFacts, SubjectFacts
from data.catalogue import Catalogue
from data.errors import BadInput, StoreBusy
from data.imports.undo import forget
from data.records import CacheRecord, Progress
from data.runs import Plan

VERSION = 2  # of these importers
UNFIT = re.compile(r"[^A-Za-z0-9._ -]+")


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What `gloss import` was asked for."""

    path: Path
    name: str | None = None  # of the cache; None = as the source is called
    subject: Path | None = None  # folder with the subject's tokenizer; None = looked for
    tokens: Path | None = None  # file with the tokens of a run that does not keep them
    sae: str | None = None  # which SAE it is about, as the user calls it; None = as the source says
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed


class Imported(NamedTuple):
    """What came of it."""

    cache: str  # name
    is_new: bool  # False = it had been imported before


Steps = Generator[Progress, None, Imported]


class Brought(Protocol):
    """A source, read and checked; the store has not been touched."""

    @property
    def subject(self) -> SubjectFacts: ...
    @property
    def saes(self) -> Sequence[SaeFacts]: ...
    @property
    def cache(self) -> Mapping[str, Any]:
        """Settings of the cache, JSON-ready; "activations" says whether all are there."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What a person wants to know of the source, JSON-ready."""
        ...

    @property
    def total(self) -> int:
        """Features with anything."""
        ...

    def fill(self, catalogue: Catalogue, record: CacheRecord, run_id: int) -> Iterator[Progress]:
        """Write the files, then the rows; the cache is finished in the last transaction."""
        ...


class Source(Protocol):
    """A foreign source, opened and unread."""

    @property
    def origin(self) -> str:
        """Whose files it is, e.g. "delphi"."""
        ...

    @property
    def title(self) -> str:
        """What it calls itself."""
        ...

    @property
    def sha256(self) -> str:
        """Of everything that is read."""
        ...

    @property
    def tokenizer(self) -> str:
        """Hash of the vocabulary that token ids are spelled by; "" = none."""
        ...

    def read(self) -> Generator[Progress, None, Brought]:
        """Read everything, so that what is damaged is refused before anything is written."""
        ...


def import_source(
    store: Path,
    request: ImportRequest,
    opened: Callable[[ImportRequest], Source],
    catalogue: Catalogue | None = None,
) -> Steps:
    """Import a source, or do nothing when it was imported before.

    catalogue: the store's, where it is open already; a store that is not there is made once the
    source has been read.
    """
    if request.name is not None:
        require_name(request.name)
    yield Progress("reading", 0, 0, "features")
    source = opened(request)
    if catalogue is None and Catalogue.exists(store):
        catalogue = Catalogue(store)
    name = request.name or name_of(request.path, source.origin)
    if catalogue is not None and (known := _known(catalogue, source, request)):
        yield Progress("importing", 0, 0, note=f"imported before, as cache '{known}'")
        return Imported(known, False)
    if catalogue is not None:
        _require_free(catalogue, name, source.origin)
    brought = yield from source.read()
    catalogue = catalogue or Catalogue(store)
    yield from _write(catalogue, request, name, source, brought)
    return Imported(name, True)


def name_of(path: Path, otherwise: str) -> str:
    """The last part of a path as the name of a cache."""
    name = UNFIT.sub("-", path.resolve().name).strip(". -")[:100]
    return name or otherwise


IMPORTED = """
select name, json_extract_string(settings, '$.tokenizer') as tokenizer
from cache
where status = 'done' and json_extract_string(settings, '$.content') = ?
order by cache_id
"""


def _known(catalogue: Catalogue, source: Source, request: ImportRequest) -> str | None:
    """The cache that holds this source; with another tokenizer than a named one it is another."""
    with catalogue.reading() as con:
        found = con.rows(IMPORTED, [source.sha256])
    asked = request.subject is not None
    same = [row["name"] for row in found if not asked or row["tokenizer"] == source.tokenizer]
    return same[0] if same else None


def _require_free(catalogue: Catalogue, name: str, origin: str) -> None:
    """Refuse a name that is taken; what a killed import of it left behind is taken back."""
    runs.mark_interrupted(catalogue)
    record = next((r for r in caches.caches(catalogue) if r.name == name), None)
    if record is None:
        return
    if record.status == "done" or record.origin != origin:
        raise BadInput(f"cache '{name}' holds something else: give the import another --name")
    with catalogue.reading() as con:
        pid = con.value(
            "select max(pid) from run where cache_id = ? and status = 'running'", [record.cache_id]
        )
    if pid is not None:
        who = "this process" if pid == os.getpid() else f"process {pid}"
        raise StoreBusy(f"{who} is importing cache '{name}': wait for it, or give another --name")
    forget(catalogue, record.cache_id)


def _write(
    catalogue: Catalogue, request: ImportRequest, name: str, source: Source, brought: Brought
) -> Iterator[Progress]:
    shared = {"origin": source.origin, "content": source.sha256, "importer": VERSION}
    settings = dict(brought.cache) | shared | {"tokenizer": source.tokenizer}
    record = caches.begin_cache(catalogue, name, brought.subject, brought.saes, settings, seed=0)
    told = shared | {"path": str(request.path), "name": source.title} | dict(brought.settings)
    plan = Plan("import", record.cache_id, None, None, told, request.command)
    try:
        with running(catalogue, plan, brought.total) as run_id:
            yield from brought.fill(catalogue, record, run_id)
    except BaseException:
        forget(catalogue, record.cache_id)  # damaged, cancelled or interrupted: nothing is kept
        raise

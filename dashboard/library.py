"""A store as pages read it: answers kept by the store's revision; knows nothing of Streamlit.

One library a store, shared by all sessions and by the thread that reads ahead. A commit of any
process changes the revision, so it shows at the next look, and nothing is read twice in between.
Everything heavy is opened once: a cache's contexts, a feature's activations.
"""

from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

from core.drawing.feature import CONTEXT, FeatureRecord, feature_record, open_reader
from core.drawing.reader import FeatureReader, Reader
from core.pipeline.workbench import Workbench
from core.similarity import Together, cofiring
from dashboard.jobs import Jobs
from dashboard.memory import Ahead, Memory
from data import caches, items
from data.catalogue import Catalogue, Connection
from data.errors import StoreTrouble
from data.records import CacheRecord, HookpointRecord

ANSWERS, READERS, DRAWN, BENCHES = 256, 16, 64, 3  # kept
RECORDS = 16  # of features; a thousand verdicts each are about a megabyte
PAUSE = 0.08  # seconds after a page before the next ones are read

P = ParamSpec("P")
T = TypeVar("T")


class Place(NamedTuple):
    """What a page is about."""

    cache: CacheRecord
    hookpoint: HookpointRecord


class Library:
    """The readable side of one store."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.jobs = Jobs()
        self.ahead = Ahead(PAUSE)
        self._answers, self._readers = Memory(ANSWERS), Memory(READERS)
        self._records = Memory(RECORDS)
        self._drawn, self._benches = Memory(DRAWN), Memory(BENCHES)
        self._together = Memory(ANSWERS)

    def ask(
        self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **_: P.kwargs
    ) -> T:
        """The answer of a query of `data/queries.py`, kept until something is committed."""

        return self._kept(self._answers, query, *args, **_)

    def _kept(
        self,
        memory: Memory,
        query: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **_: P.kwargs,
    ) -> T:
        def answer() -> T:
            with self.catalogue.reading() as con:
                return query(con, *args)  # pyright: ignore[reportCallIssue]

        return memory.get((self.catalogue.revision(), query, args), answer)

    def caches(self) -> list[CacheRecord]:
        """Every cache, oldest first."""
        key = (self.catalogue.revision(), "caches")
        return self._answers.get(key, lambda: caches.caches(self.catalogue))

    def feature(self, place: Place, feature: int) -> FeatureRecord:
        """Everything about one feature, in one visit."""
        length = None if place.cache.origin else CONTEXT  # an import has contexts of its own
        return self._kept(
            self._records, feature_record, place.hookpoint.hookpoint_id, feature, length
        )

    @cached_property
    def patient(self) -> Catalogue:
        """The catalogue for jobs, which wait for other processes longer than a page does."""
        return Catalogue(self.catalogue.store)

    def is_open(self, record: CacheRecord) -> bool:
        """Whether a cache's contexts are cut already."""
        return self._bench_key(record) in self._benches

    def workbench(self, record: CacheRecord) -> Workbench:
        """An opened cache; its contexts are cut once for all sessions."""
        return self._benches.get(self._bench_key(record), lambda: self._opened(record))

    def _opened(self, record: CacheRecord) -> Workbench:
        bench = Workbench.open(self.catalogue, record)
        _ = bench.contexts, bench.files.vocabulary  # the slow parts
        return bench

    def _bench_key(self, record: CacheRecord) -> Hashable:
        """Name and time of making: another cache of the same name is another cache."""
        file = self.catalogue.store / record.folder / "cache.json"
        try:
            return record.name, record.status, file.stat().st_mtime_ns
        except OSError as error:
            raise StoreTrouble(
                f"the files of cache '{record.name}' are not in {file.parent}; make it again with "
                "gloss cache"
            ) from error

    def reader(self, place: Place, feature: int) -> Reader:
        """One feature's activations and contexts."""
        bench, hookpoint = self.workbench(place.cache), place.hookpoint
        key = (bench, hookpoint.hookpoint_id, feature)
        if not place.cache.origin:
            return self._readers.get(key, lambda: FeatureReader(bench, hookpoint, feature))
        rows = self.ask(items.examples, hookpoint.hookpoint_id, feature)
        return self._readers.get(
            (*key, self.catalogue.revision()),
            lambda: open_reader(bench, hookpoint, feature, rows),
        )

    def together(self, place: Place, feature: int) -> Together:
        """What fires together with a feature, by the activations of an opened cache."""
        bench, hookpoint = self.workbench(place.cache), place.hookpoint

        def count() -> Together:
            strongest = bench.files.strongest(hookpoint.hookpoint_id)
            return cofiring(bench.columns(hookpoint), strongest, feature)

        return self._together.get((bench, hookpoint.hookpoint_id, feature), count)

    def drawn(self, place: Place, key: Hashable, draw: Callable[[], str]) -> str:
        """HTML that was drawn lately, kept until something is committed."""
        whole = (self.catalogue.revision(), self._bench_key(place.cache), place.hookpoint, key)
        return self._drawn.get(whole, draw)

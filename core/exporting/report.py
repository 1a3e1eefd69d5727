"""The stage that writes a static report: a page a feature and a table of them all.

The pages open from a folder, without a server and without the network. Of one feature there is one
file. Pages are written as they are drawn; only the rows of the table are kept in memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from core.drawing.feature import feature_record, open_reader, stored_examples
from core.exporting.reading import BLOCK, Bench
from core.exporting.report_frame import GENERATOR
from core.exporting.report_index import Entry, entry, index_page
from core.exporting.report_page import Feature, Links, feature_page, footer_of
from data.catalogue import Catalogue
from data.durable import write_file
from data.errors import BadInput
from data.exports import folder, queries
from data.exports.neuronpedia import as_id
from data.records import HookpointRecord, Progress

MOST = 20_000  # pages of one report: about a gigabyte, and a table that a browser still sorts
INDEX = "index.html"


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """What `gloss export html` was asked for."""

    cache: str
    out: Path  # a folder, or the file where one feature was asked for
    hookpoints: tuple[str, ...] = ()  # () = all
    features: str | None = None  # None = those with an explanation, else all that fired


class Page(NamedTuple):
    """One page to write."""

    hookpoint: HookpointRecord
    feature: int
    name: str  # below the report's folder

    @property
    def address(self) -> str:
        """The feature as commands name it."""
        return f"{self.hookpoint.name}/{self.feature}"


def export_report(catalogue: Catalogue, request: ReportRequest) -> Iterator[Progress]:
    """Write the report; an earlier export in the folder is replaced at the end."""
    out = folder.place_of(request.out, catalogue.store)
    is_file = out.suffix.lower() in (".html", ".htm")
    _require_free_file(out) if is_file else folder.require_free(out, "html")
    bench = Bench(catalogue, request.cache)
    listed = _listed(bench, request)
    if is_file and len(listed) > 1:
        raise BadInput(
            f"--out {request.out} is one file, and {len(listed):,} features were asked for: name "
            "a folder, or one feature with --features"
        )
    if is_file:
        yield Progress("drawing", 0, 1)
        page = _alone(bench, listed[0]).encode()
        with folder.said(out):
            write_file(out, [page])
    else:
        with folder.drafted(out, "html") as draft:
            yield from _write(bench, listed, draft)
    yield Progress("drawing", len(listed), len(listed), note=f"written to {request.out}")


def _require_free_file(out: Path) -> None:
    """Refuse to write over a file that is no report of ours."""
    if out.is_dir():
        raise BadInput(f"--out {out} is a folder: name a file, or a folder without .html")
    if out.exists():
        with out.open("rb") as file:
            if GENERATOR.encode() not in file.read(4096):
                raise BadInput(f"--out {out} holds something else: name another file")


def _listed(bench: Bench, request: ReportRequest) -> list[Page]:
    """The pages in their order."""
    found: list[Page] = []
    folders: set[str] = set()
    for hookpoint in bench.hookpoints(request.hookpoints):
        where = base = as_id(hookpoint.name.replace(".", "-").replace(":", "-"))
        while where in folders:  # two names may be spelled alike in file names
            where = f"{base}-{len(folders)}"
        folders.add(where)
        found += [Page(hookpoint, one, f"{where}/{one}.html")
                  for one in _features(bench, hookpoint, request.features)]  # fmt: skip
    if len(found) > MOST:
        raise BadInput(f"{len(found):,} features are too many for a report of at most {MOST:,}: "
                       "choose with --features or --hookpoint")  # fmt: skip
    return found


def _features(bench: Bench, hookpoint: HookpointRecord, spec: str | None) -> list[int]:
    if spec is not None:
        return bench.features(hookpoint, spec)
    with bench.catalogue.reading() as con:
        explained = list(queries.standing(con, hookpoint.hookpoint_id, None))
    return explained or bench.features(hookpoint, "all")


def _write(bench: Bench, listed: Sequence[Page], draft: Path) -> Iterator[Progress]:
    entries: list[Entry] = []
    if len(listed) == 1:
        write_file(draft / INDEX, [_alone(bench, listed[0]).encode()])
        entries = []
    else:
        for number, (place, feature) in enumerate(_drawn(bench, listed), start=1):
            before, after = (_beside(listed, at) for at in (number - 2, number))
            links = Links(before, after, f"../{INDEX}")
            path = folder.below(draft, place.name, of=place.hookpoint.name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(feature_page(feature, links, _footer(bench, place)).encode())
            entries.append(entry(place.address, place.feature, place.name, feature.shown,
                                 feature.record.facts or {}))  # fmt: skip
            yield Progress("drawing", number, len(listed))
        about = footer_of(_now(), [f"{len(entries):,} features of cache {bench.record.name}"])
        parts = index_page(bench.record, entries, about)
        write_file(draft / INDEX, (part.encode() for part in parts))
    size = sum(path.stat().st_size for path in draft.rglob("*.html"))
    rows = {"pages": len(listed), "bytes": size}
    folder.write_manifest(draft, bench.catalogue, bench.record.name, "html", rows)


def _beside(listed: Sequence[Page], at: int) -> str:
    """The address of a page as another one links to it; "" beyond the ends."""
    return f"../{listed[at].name}" if 0 <= at < len(listed) else ""


def _alone(bench: Bench, page: Page) -> str:
    ((place, feature),) = _drawn(bench, [page])
    return feature_page(feature, Links(), _footer(bench, place))


def _drawn(bench: Bench, listed: Sequence[Page]) -> Iterator[tuple[Page, Feature]]:
    """What each page shows, read block by block."""
    work, shown = bench.work, {}
    length = None if bench.record.origin else work.contexts.length
    for low in range(0, len(listed), BLOCK):
        block = listed[low : low + BLOCK]
        with bench.catalogue.reading() as con:
            for number in {place.hookpoint.hookpoint_id for place in block} - shown.keys():
                shown[number] = queries.shown(con, number)
            read = [
                (feature_record(con, p.hookpoint.hookpoint_id, p.feature, length),
                 stored_examples(con, work, p.hookpoint, p.feature))
                for p in block
            ]  # fmt: skip
        for place, (record, stored) in zip(block, read, strict=True):
            number = shown[place.hookpoint.hookpoint_id].get(place.feature)
            best = next((e for e in record.explanations if e.explanation_id == number), None)
            reader = open_reader(work, place.hookpoint, place.feature, stored)
            yield place, Feature(work, place.hookpoint, place.feature, record, reader, best)


def _footer(bench: Bench, place: Page) -> str:
    record = bench.record
    about = [f"cache {record.name}", place.address]
    if record.n_tokens:
        about.append(f"{record.n_tokens:,} tokens of {record.corpus}")
    return footer_of(_now(), about)


def _now() -> str:
    return f"{datetime.now(UTC):%-d %B %Y}"

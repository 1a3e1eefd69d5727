"""One feature as the catalogue knows it, and the reader that fits the cache it is of."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from core.drawing.imported import ImportedReader
from core.drawing.listing import Judged, asked
from core.drawing.reader import FeatureReader, Reader
from core.pipeline.workbench import Workbench
from data import items, notes, queries, results
from data.catalogue import Connection, Row
from data.records import ExplanationRecord, HookpointRecord

CONTEXT = 32  # tokens in the contexts that pages show


class FeatureRecord(NamedTuple):
    """Everything the catalogue knows of one feature."""

    facts: Row | None  # columns of feature and feature_chart
    explanations: list[ExplanationRecord]  # newest first
    verdicts: list[Row]  # of all explanations
    neighbours: list[Row]  # nearest first, by measure
    prompted: dict[int, frozenset[int]]  # first tokens an explainer was shown, by explanation_id
    notes: dict[str, str]  # of the user's own, by tag


def feature_record(
    con: Connection, hookpoint_id: int, feature: int, length: int | None
) -> FeatureRecord:
    """Read one feature; length: tokens of the contexts whose verdicts are wanted, None = any."""
    found = results.explanations(con, hookpoint_id, feature).get(feature, [])
    verdicts = results.verdicts(con, hookpoint_id, feature) if found else []
    shown = [replace(e, scores=tuple(results.headline(e.scores).values())) for e in found]
    return FeatureRecord(
        facts=queries.facts(con, hookpoint_id, feature),
        explanations=shown[::-1],
        verdicts=results.headline_verdicts(verdicts, found, length),
        neighbours=queries.neighbours(con, hookpoint_id, feature),
        prompted=results.prompted(con, hookpoint_id, feature) if found else {},
        notes=notes.notes(con, hookpoint_id, feature),
    )


def stored_examples(
    con: Connection, bench: Workbench, hookpoint: HookpointRecord, feature: int
) -> list[Row]:
    """What `open_reader` needs of an import; a cache of ours draws its contexts anew."""
    return items.examples(con, hookpoint.hookpoint_id, feature) if bench.record.origin else []


def open_reader(
    bench: Workbench, hookpoint: HookpointRecord, feature: int, stored: Sequence[Row]
) -> Reader:
    """A feature's contexts: the stored ones of an import, else those that the cache has."""
    if stored or not bench.record.has_activations:
        return ImportedReader(bench, hookpoint, feature, stored)
    return FeatureReader(bench, hookpoint, feature)


def judged(record: FeatureRecord, explanation_id: int | None) -> Judged | None:
    """One explanation with its verdicts and what its explainer was shown."""
    found = next((e for e in record.explanations if e.explanation_id == explanation_id), None)
    if found is None:
        return None
    prompted = record.prompted.get(found.explanation_id, frozenset())
    return Judged(found, asked(record.verdicts, explanation_id), prompted)

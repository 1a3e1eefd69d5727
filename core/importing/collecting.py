"""The rows of an export of Neuronpedia or SAEDashboard, taken into flat arrays as they come.

Rows come in no order that can be relied on; contexts are put into that of their features at the
end. Texts become numbers at once, histograms and neighbours tables, so that memory is that of the
tokens.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from core.examples.draw import ACTIVATING, KINDS
from core.importing.gather import RANDOM, Contexts, Questions, Texts
from core.pipeline.features import EFFECT
from data.imports.delphi_run import Address
from data.imports.foreign import clean
from data.imports.neuronpedia_rows import ActivationRow, Bins, ExplanationRow, FeatureRow
from data.imports.neuronpedia_scores import ScoreRow, Verdict
from data.imports.report import Report

FEATURE = 2**32  # more features than an SAE has: owners are place * FEATURE + feature
SIGNS = str.maketrans({"Ġ": " ", "▁": " ", "Ċ": "\n", "ĉ": "\t"})  # of pieces of vocabularies
BYTES = {"<0x0A>": "\n", "<0x09>": "\t"}
CHUNK = 4096  # features made into a table at once


class LogitToken(NamedTuple):
    """A token that logit effects name; contexts may spell the same one otherwise."""

    text: str

    def __str__(self) -> str:
        """As written."""
        return self.text


class Charts(NamedTuple):
    """What one hookpoint's features have besides contexts; columns as in schema.sql."""

    chart: pa.Table
    neighbour: pa.Table


@dataclass(slots=True)
class Hookpoint:
    """Everything about one source's features, as it comes."""

    name: str
    density: dict[int, float | None] = field(default_factory=dict)  # of every feature with a row
    max_activation: dict[int, float] = field(default_factory=dict)  # where it is given
    explanations: list[ExplanationRow] = field(default_factory=list)
    scores: list[tuple[ScoreRow, Questions | None]] = field(default_factory=list)
    hooks: set[str] = field(default_factory=set)
    waiting: list[FeatureRow] = field(default_factory=list)
    tables: list[Charts] = field(default_factory=list)


class Collected(NamedTuple):
    """An export, read."""

    contexts: Contexts
    owners: list[tuple[Address, int, int]]  # contexts first .. last - 1 are of this feature
    is_active: np.ndarray  # bool [contexts]
    interval: np.ndarray  # low, high, share; NaN = not given, float32 [contexts, 3]
    hookpoints: list[Hookpoint]

    def owned(self, hookpoint: str) -> list[tuple[int, int, int]]:
        """The owners at one hookpoint by their numbers."""
        return [(a.feature, first, last) for a, first, last in self.owners
                if a.hookpoint == hookpoint]  # fmt: skip

    def features(self, hookpoint: Hookpoint) -> list[int]:
        """Every feature that has anything, ascending."""
        known = {feature for feature, _, _ in self.owned(hookpoint.name)}
        known |= hookpoint.density.keys() | {one.feature for one in hookpoint.explanations}
        return sorted(known)


class Collector:
    """Takes in one row after another."""

    def __init__(self, report: Report) -> None:
        self.report, self.texts = report, Texts()
        self.hookpoints: list[Hookpoint] = []
        self._owners, self._active = array("Q"), array("B")
        self._intervals = array("f")
        self._known: dict[bytes, int] = {}

    def begin(self, hookpoint: str) -> None:
        """What follows is about this hookpoint."""
        self.hookpoints.append(Hookpoint(hookpoint))

    def add(self, row: FeatureRow | ActivationRow | ExplanationRow | ScoreRow) -> None:
        """Take in a row."""
        here = self.hookpoints[-1]
        if isinstance(row, FeatureRow):
            self._feature(here, row)
        elif isinstance(row, ActivationRow):
            self._context(row)
        elif isinstance(row, ExplanationRow):
            here.explanations.append(row)
        else:
            asked = self._questions(here, row) if row.verdicts else None
            here.scores.append((row._replace(verdicts=[]), asked))

    def _feature(self, here: Hookpoint, row: FeatureRow) -> None:
        here.density[row.feature] = row.density
        if row.max_activation is not None:
            here.max_activation[row.feature] = row.max_activation
        here.hooks.update(filter(None, [row.hook]))
        here.waiting.append(row)
        if len(here.waiting) >= CHUNK:
            self._tabulate(here)

    def _context(self, row: ActivationRow) -> None:
        number, is_new = self._placed(row.feature, row.tokens, row.values, is_active=row.peak > 0)
        self.report.add("contexts_repeat", not is_new, f"feature {row.feature}")
        if row.interval is not None:
            low, high, share = row.interval
            self._intervals[3 * number : 3 * number + 3] = array(
                "f", [low, high, np.nan if share is None else share]
            )

    def _placed(
        self, feature: int, tokens: Sequence[str], values: Sequence[float], *, is_active: bool
    ) -> tuple[int, bool]:
        """Number of a feature's context, and whether it is new."""
        owner = (len(self.hookpoints) - 1) * FEATURE + feature
        ids, values = array("I", self.texts.spelled(tokens)), array("f", values)
        key = array("Q", [owner, is_active]).tobytes() + ids.tobytes() + values.tobytes()
        key = blake2b(key, digest_size=16).digest()
        if key in self._known:
            return self._known[key], False
        known = values or array("f", bytes(4 * len(ids)))
        self._known[key] = self.texts.append(ids, known, peak=max(known), n_values=len(values))
        self._owners.append(owner)
        self._active.append(is_active)
        self._intervals.extend([np.nan] * 3)
        return self._known[key], True

    def _questions(self, here: Hookpoint, row: ScoreRow) -> Questions:
        """The verdicts of a score; their contexts are taken in."""
        verdicts = row.verdicts
        kinds = [_kind(one) for one in verdicts]
        numbers = [
            self._placed(row.feature, one.context.tokens, one.context.activations,
                         is_active=KINDS[kind] in ("activating", "wrong-mark"))[0]
            for one, kind in zip(verdicts, kinds, strict=True)
        ]  # fmt: skip
        where = str(Address(here.name, row.feature))
        self.report.add("failed_verdicts", sum(one.predicted is None for one in verdicts), where)
        return Questions(
            address=Address(here.name, row.feature),
            scorer=row.scorer,
            context=np.array(numbers, np.int64),
            kind=np.array(kinds, np.uint8),
            distance=_floats(one.distance for one in verdicts),
            predicted=np.array([-1 if one.predicted is None else int(one.predicted)
                                for one in verdicts], np.int8),
            probability=_floats(one.probability for one in verdicts),
            marks=[None] * len(verdicts),  # which tokens were marked is not in the format
            is_joined=False,
        )  # fmt: skip

    def _tabulate(self, here: Hookpoint) -> None:
        """Make the features that wait into tables."""
        rows, here.waiting = here.waiting, []
        here.tables.append(Charts(self._charts(rows), _neighbours(rows)))

    def _charts(self, rows: list[FeatureRow]) -> pa.Table:
        return pa.table(
            {
                "feature": pa.array([row.feature for row in rows], pa.uint32()),
                "promoted": pa.array([self._effects(r.promoted) for r in rows], pa.list_(EFFECT)),
                "suppressed": pa.array([self._effects(r.suppressed) for r in rows],
                                       pa.list_(EFFECT)),
                **_bins("value", [row.activations for row in rows]),
                **_bins("logit", [row.logits for row in rows]),
            }
        )  # fmt: skip

    def _effects(self, pairs: list[tuple[str, float]]) -> list[dict[str, float]] | None:
        """Tokens by number with their effects."""
        ids = self.texts.spelled([LogitToken(text) for text, _ in pairs])
        values = (value for _, value in pairs)
        return [{"token": i, "value": v} for i, v in zip(ids, values, strict=True)] or None

    def finished(self) -> Collected:
        """Everything, contexts in the order of their features."""
        for here in self.hookpoints:
            self._tabulate(here)
        self._known.clear()
        contexts = self.texts.finished(self.report)
        owner = np.array(self._owners, np.uint64)
        order = np.argsort(owner, kind="stable")
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        for here in self.hookpoints:
            here.scores = [(row, asked and asked._replace(context=rank[asked.context]))
                           for row, asked in here.scores]  # fmt: skip
        return Collected(
            contexts=reordered(contexts, order)._replace(vocabulary=self._vocabulary()),
            owners=list(self._owned(owner[order])),
            is_active=np.array(self._active, bool)[order],
            interval=np.array(self._intervals, np.float32).reshape(-1, 3)[order],
            hookpoints=self.hookpoints,
        )

    def _owned(self, owner: np.ndarray) -> Iterator[tuple[Address, int, int]]:
        """Runs of contexts of one feature."""
        starts = np.flatnonzero(np.append(True, owner[1:] != owner[:-1])[: len(owner)]).tolist()
        for first, last in pairwise([*starts, len(owner)]):
            place, feature = divmod(int(owner[first]), FEATURE)
            yield Address(self.hookpoints[place].name, feature), first, last

    def _vocabulary(self) -> list[str]:
        """Tokens as they are shown.

        Pieces of a vocabulary have signs for white space; where tokens have spaces of their own
        they are decoded text, and stay as they are.
        """
        names = list(self.texts.ids)
        decoded = {type(name) for name in names if " " in str(name or "")}
        written = [clean(str(name or "")) for name in names]
        shown = [text if type(name) in decoded else _shown(text)
                 for name, text in zip(names, written, strict=True)]  # fmt: skip
        changed = [old for old, new in zip(written, shown, strict=True) if old != new]
        self.report.add("tokens_respelled", len(changed), changed[0] if changed else "")
        return shown


def _shown(token: str) -> str:
    return BYTES.get(token) or token.translate(SIGNS)


def _kind(verdict: Verdict) -> int:
    """Index into KINDS; what another tool calls silent is random."""
    if verdict.activating:
        return ACTIVATING
    is_known = verdict.kind in KINDS[1:]
    return KINDS.index(str(verdict.kind)) if is_known else RANDOM


def _floats(values: Iterator[float | None]) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], np.float32)


def _bins(name: str, found: list[Bins | None]) -> dict[str, pa.Array]:
    kind = pa.list_(pa.float32())
    return {
        f"{name}_centres": pa.array([one and one.centres for one in found], kind),
        f"{name}_counts": pa.array([one and one.counts for one in found], kind),
    }


def _neighbours(rows: list[FeatureRow]) -> pa.Table:
    """Nearest features, one row a pair."""
    pairs = [(row.feature, rank, other, value) for row in rows
             for rank, (other, value) in enumerate(row.nearest, start=1)]  # fmt: skip
    return pa.table(
        {
            "feature": pa.array([pair[0] for pair in pairs], pa.uint32()),
            "measure": pa.array(["cosine"] * len(pairs), pa.string()),
            "rank": pa.array([pair[1] for pair in pairs], pa.uint16()),
            "other": pa.array([pair[2] for pair in pairs], pa.uint32()),
            "value": pa.array([pair[3] for pair in pairs], pa.float32()),
        }
    )


def reordered(contexts: Contexts, order: np.ndarray) -> Contexts:
    """The same contexts in another order; those that stay together are moved as a whole."""
    if (np.diff(order) == 1).all():
        return contexts
    breaks = np.flatnonzero(np.diff(order) != 1) + 1
    ends, n = contexts.ends, len(order)
    runs = [(ends[order[a]], ends[order[b - 1] + 1])
            for a, b in zip([0, *breaks], [*breaks, n], strict=True)]  # fmt: skip
    length = contexts.length[order]
    return Contexts(
        vocabulary=contexts.vocabulary,
        token=np.concatenate([contexts.token[a:b] for a, b in runs]),
        value=np.concatenate([contexts.value[a:b] for a, b in runs]),
        ends=np.concatenate([[0], np.cumsum(length)]),
        peak=contexts.peak[order],
        n_values=contexts.n_values[order],
    )

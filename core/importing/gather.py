"""Everything a delphi run says about single features, read once into flat arrays.

Contexts are kept once a feature: detection and fuzzing ask about the same ones. Texts become
numbers at once, so that the memory a run takes is that of its tokens. Doubts go to the report.
"""

from array import array
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from core.examples.draw import ACTIVATING, KINDS
from data.activations import LARGEST
from data.errors import BadInput
from data.imports.delphi_rows import (
    Era,
    ForeignContext,
    ForeignExplanation,
    SimulatedSequence,
    VerdictRow,
    explanation_of,
    marked_by_delphi,
    read_contexts,
    read_explanation,
    read_simulations,
    read_verdicts,
)
from data.imports.delphi_run import Address, DelphiRun
from data.imports.delphi_scorers import READERS, Measured, read_measured
from data.imports.foreign import clean, shown
from data.imports.report import Report

PAD = 0  # id of the token that fills up short contexts
MOST_TOKENS = 2**31  # of all contexts together
WRONG_MARK, RANDOM = KINDS.index("wrong-mark"), KINDS.index("random")
SILENT_KINDS = KINDS[1:]
INCOMPLETE = {"activations": "shown without activations", "prediction": "counted as failed",
              "predicted": "counted as failed", "correct": "worked out anew"}  # fmt: skip


class Texts:
    """The contexts of a run: texts as ids of its own vocabulary, with their activations."""

    def __init__(self) -> None:
        self.ids: dict[Hashable, int] = {None: PAD}  # by text; None is what fills up
        self._tokens, self._values = array("I"), array("f")
        self._ends, self._peaks = array("Q", [0]), array("f")
        self._n_values = array("I")
        self._known: dict[tuple, int] = {}

    def __len__(self) -> int:
        return len(self._peaks)

    def next_feature(self) -> None:
        """Forget which contexts there were: the next feature has its own."""
        self._known.clear()

    def add(self, context: ForeignContext, *, is_own: bool, is_active: bool) -> int:
        """Number of a context of the present feature, added unless it is there.

        is_own: the activations are this feature's, not a neighbour's.
        """
        fits = len(context.activations) == len(context.tokens)
        values = context.activations if is_own and fits else []
        tokens = self.spelled(context.tokens)
        key = (tokens, tuple(context.activations) if is_own else (), is_active)
        known = self._known.get(key)
        if known is None:
            peak = max(context.activations, default=0.0) if is_own else 0.0
            known = self.append(tokens, values or [0.0] * len(tokens), peak=peak,
                                n_values=len(context.activations))  # fmt: skip
            self._known[key] = known
        return known

    def spelled(self, tokens: Sequence[Hashable]) -> tuple[int, ...]:
        """The ids of some texts, or of what stands for texts; new ones are numbered."""
        ids = self.ids
        return tuple([ids.setdefault(text, len(ids)) for text in tokens])

    def append(
        self, tokens: Sequence[int], values: Sequence[float], *, peak: float, n_values: int
    ) -> int:
        """Number of a context that is new; n_values: how many activations were written."""
        self._tokens.extend(tokens)
        self._values.extend(values)
        if len(self._tokens) > MOST_TOKENS:
            raise BadInput(f"the run has more than {MOST_TOKENS:,} tokens of contexts: split it")
        self._ends.append(len(self._tokens))
        self._peaks.append(min(LARGEST, max(0.0, peak)))
        self._n_values.append(n_values)
        return len(self._peaks) - 1

    def finished(self, report: Report) -> "Contexts":
        """All contexts as arrays; texts that are none are mended and counted."""
        raw = [str(text or "") for text in self.ids]
        texts = [clean(text) for text in raw]
        damaged = [ascii(old) for old, new in zip(raw, texts, strict=True) if old != new]
        report.add("text_damaged", len(damaged), (*damaged, "")[0])
        return Contexts(
            vocabulary=texts,
            token=np.array(self._tokens, np.uint32),
            value=np.clip(np.array(self._values, np.float32), -LARGEST, LARGEST),
            ends=np.array(self._ends, np.int64),
            peak=np.array(self._peaks, np.float32),
            n_values=np.array(self._n_values, np.int64),
        )


class Contexts(NamedTuple):
    """All contexts of a run, one after another; context i has ends[i] : ends[i + 1]."""

    vocabulary: list[str]
    token: np.ndarray  # index into vocabulary, uint32 [n]
    value: np.ndarray  # activation as written, float32 [n]
    ends: np.ndarray  # int64 [contexts + 1]
    peak: np.ndarray  # largest activation written, float32 [contexts]
    n_values: np.ndarray  # activations written, whether or not they fit, int64 [contexts]

    def tokens(self, number: int) -> np.ndarray:
        """Ids of one context."""
        return self.token[self.ends[number] : self.ends[number + 1]]

    def values(self, number: int) -> np.ndarray:
        """Activations of one context."""
        return self.value[self.ends[number] : self.ends[number + 1]]

    @property
    def joined(self) -> np.ndarray:
        """Contexts that are one string for all of their tokens, bool [contexts]."""
        return (self.length == 1) & (self.n_values > 1)

    @property
    def length(self) -> np.ndarray:
        """Tokens of each context, int64 [contexts]."""
        return np.diff(self.ends)


class Questions(NamedTuple):
    """What one scorer asked about one feature, in the order asked."""

    address: Address
    scorer: str
    context: np.ndarray  # number of the context, int64 [n]
    kind: np.ndarray  # index into KINDS, uint8 [n]
    distance: np.ndarray  # as written, NaN without, float32 [n]
    predicted: np.ndarray  # 1 yes, 0 no, -1 no usable reply, int8 [n]
    probability: np.ndarray  # of "yes", NaN = not given, float32 [n]
    marks: list[list[int] | None]
    is_joined: bool  # its contexts are single strings


class Gathered(NamedTuple):
    """A run, read."""

    contexts: Contexts
    questions: list[Questions]
    seen: Mapping[Address, np.ndarray]  # contexts that the explainer saw, int64
    explanations: Mapping[Address, ForeignExplanation]
    simulations: Mapping[Address, list[SimulatedSequence]]
    measured: Mapping[Address, Mapping[str, Measured]]  # by scorer: those that ask no yes or no
    owners: list[tuple[Address, int, int]]  # contexts first .. last - 1 are of this feature
    era: Era

    def owned(self, hookpoint: str) -> list[tuple[int, int, int]]:
        """The owners at one hookpoint by their numbers."""
        return [(a.feature, first, last) for a, first, last in self.owners
                if a.hookpoint == hookpoint]  # fmt: skip


def gather(run: DelphiRun, report: Report) -> Iterator[int | Gathered]:
    """Read a run feature by feature; gives how many are done, at last the result."""
    reader = Reader(run, report)
    done = 0
    for hookpoint in run.hookpoints:
        for feature in run.features(hookpoint):
            reader.feature(Address(hookpoint, feature))
            done += 1
            yield done
    yield reader.finished()


class Reader:
    """Reads one feature after another."""

    def __init__(self, run: DelphiRun, report: Report) -> None:
        self.run, self.report, self.texts = run, report, Texts()
        self.eras: set[Era] = set()
        self.questions: list[Questions] = []
        self.seen: dict[Address, np.ndarray] = {}
        self.explanations: dict[Address, ForeignExplanation] = {}
        self.simulations: dict[Address, list[SimulatedSequence]] = {}
        self.measured: dict[Address, dict[str, Measured]] = {}
        self.owners: list[tuple[Address, int, int]] = []
        constructor = run.section("constructor_cfg")
        self.source = constructor.get("non_activating_source")
        self.is_fuzz_active = run.config.get("fuzz_type") == "active"

    def feature(self, address: Address) -> None:
        """Read all files about one feature."""
        run, where = self.run, str(address)
        self.texts.next_feature()
        first = len(self.texts)
        if address in run.explanations or address in run.texts:
            self.explanations[address] = self._explanation(address)
            is_lost = self.explanations[address].text is None
            self.report.add("failed_explanation", is_lost, where)
        if address in run.train:
            seen = [self.texts.add(context, is_own=True, is_active=True)
                    for context in read_contexts(run.train[address])]  # fmt: skip
            self.seen[address] = np.array(seen, np.int64)
        for scorer in ("detection", "fuzzing"):
            path = run.scores.get(scorer, {}).get(address)
            if path is not None:
                self._scored(address, scorer, read_verdicts(path), where)
        if address in run.scores.get("simulation", {}):
            self.simulations[address] = read_simulations(run.scores["simulation"][address])
        for scorer in READERS:
            if address in run.scores.get(scorer, {}):
                found = read_measured(run.scores[scorer][address], scorer)
                self.measured.setdefault(address, {})[scorer] = found
                self.report.add("class_ambiguous", found.n_ambiguous, where)
                self.report.add("failed_verdicts", found.n_failed, where)
        self.owners.append((address, first, len(self.texts)))

    def _explanation(self, address: Address) -> ForeignExplanation:
        """One explanation, from its own file or from one of all features; not from both."""
        run = self.run
        if address not in run.texts:
            return read_explanation(run.explanations[address])
        if address in run.explanations:
            raise BadInput(f"{shown(run.root)} explains {address} in a file of its own and in one "
                           "of all features: import them apart")  # fmt: skip
        return explanation_of(run.texts[address])

    def _scored(self, address: Address, scorer: str, rows: list[VerdictRow], where: str) -> None:
        """Take in one score file; the oldest runs mix both scorers in one list."""
        self.report.add("scores_empty", not rows, f"{where} {scorer}")
        for key in sorted({key for row in rows for key in row.missing}):
            n = sum(key in row.missing for row in rows)
            self.report.add("rows_incomplete", n, where,
                            f"rows of score files without `{key}`: {INCOMPLETE[key]}")  # fmt: skip
        self.eras |= {row.era for row in rows}
        if len(self.eras) > 1:
            raise BadInput(f"{shown(self.run.root)} mixes score files of several versions of the "
                           "tool: import them apart")  # fmt: skip
        if any(row.is_fuzz is not None for row in rows):
            for name, is_fuzz in (("detection", False), ("fuzzing", True)):
                chosen = [row for row in rows if row.is_fuzz is is_fuzz]
                if chosen:
                    self._ask(address, name, chosen, where)
        else:
            self._ask(address, scorer, rows, where)

    def _ask(self, address: Address, scorer: str, rows: list[VerdictRow], where: str) -> None:
        before = self.questions[-2:]  # of the same feature, if any
        if any((one.address, one.scorer) == (address, scorer) for one in before):
            raise BadInput(f"{shown(self.run.root)} has two files of {scorer} about {address}: "
                           "import them apart")  # fmt: skip
        self._note(rows, where)
        kinds = [self._kind(row, scorer) for row in rows]
        numbers = [
            self.texts.add(row.context, is_own=KINDS[kind] != "neighbour",
                           is_active=kind in (ACTIVATING, WRONG_MARK))
            for row, kind in zip(rows, kinds, strict=True)
        ]  # fmt: skip
        silent = [n for n, kind in zip(numbers, kinds, strict=True) if kind != ACTIVATING]
        self.report.add("negatives_repeat", len(silent) - len(set(silent)), where)
        self.questions.append(
            Questions(
                address=address,
                scorer=scorer,
                context=np.array(numbers, np.int64),
                kind=np.array(kinds, np.uint8),
                distance=_floats([row.distance for row in rows]),
                predicted=np.array([_code(row.predicted) for row in rows], np.int8),
                probability=_floats([row.probability for row in rows]),
                marks=[_marks(row) if scorer == "fuzzing" else None for row in rows],
                is_joined=any(_is_joined(row.context) for row in rows),
            )
        )

    def _note(self, rows: list[VerdictRow], where: str) -> None:
        """Count what is doubtful about the rows of a file."""
        count = self.report.add
        count("failed_verdicts", sum(row.predicted is None for row in rows), where)
        count("correct_disagrees", sum(not row.agrees for row in rows), where)
        count("str_tokens_joined", sum(_is_joined(row.context) for row in rows), where)
        count("length_mismatch", sum(_is_odd(row.context) for row in rows), where)
        tops = [max(row.context.activations, default=0.0) for row in rows]
        if max(tops, default=0.0) > LARGEST:
            large = sum(v > LARGEST for row in rows for v in row.context.activations)
            count("inf_values", large, where)
        silent = sum(row.activating and row.context.activations != [] and not top > 0
                     for row, top in zip(rows, tops, strict=True))  # fmt: skip
        count("silent_positives", silent, where)

    def _kind(self, row: VerdictRow, scorer: str) -> int:
        """Which kind of question a row is; the class is never told from `distance`."""
        if row.activating:
            return ACTIVATING
        if row.kind in SILENT_KINDS and (row.kind != "wrong-mark" or scorer == "fuzzing"):
            return KINDS.index(row.kind)
        is_active = any(value > 0 for value in row.context.activations)
        where = row.distance
        if where is not None and -1 < where <= 0:
            return KINDS.index("neighbour")
        if scorer == "fuzzing" and (row.marked or (self.is_fuzz_active and is_active)):
            return WRONG_MARK
        if is_active:
            self.report.add("values_without_class", 1, scorer)
        if self.source is None:
            self.report.add("silent_kind_unknown", 1, scorer)
        return KINDS.index("similar") if self.source == "FAISS" else RANDOM

    def finished(self) -> Gathered:
        """Everything that was read."""
        era: Era = self.eras.pop() if self.eras else "D"
        contexts = self.texts.finished(self.report)
        return Gathered(contexts, self.questions, self.seen, self.explanations,
                        self.simulations, self.measured, self.owners, era)  # fmt: skip


def _code(predicted: bool | None) -> int:
    return -1 if predicted is None else int(predicted)


def _floats(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], np.float32)


def _is_joined(context: ForeignContext) -> bool:
    return len(context.tokens) == 1 < len(context.activations)


def _is_odd(context: ForeignContext) -> bool:
    """Unequal numbers of tokens and activations, for no known reason."""
    n = len(context.activations)
    return n not in (0, len(context.tokens)) and not _is_joined(context)


def _marks(row: VerdictRow) -> list[int] | None:
    """Marked tokens: as stored, or those that the tool marks in an activating context."""
    values = row.context.activations
    if row.marked is not None:
        return [mark for mark in row.marked if mark < len(row.context.tokens)]
    if not row.activating or len(values) != len(row.context.tokens):
        return None
    return marked_by_delphi(values) or None

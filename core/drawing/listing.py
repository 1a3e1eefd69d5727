"""Which contexts of a feature are shown, in which groups, with which verdicts beside them.

In: a feature's reader, the verdicts on its shown explanation and on the pinned one, and what was
chosen. Out: headings with rows, ready for `spans.example_list`. A context that an explainer could
see says so in place of verdicts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from core.drawing.cards import score_of
from core.drawing.intervals import by_interval
from core.drawing.reader import Reader, Width
from core.drawing.spans import Beside, ContextRow, GroupHeading, Passage, Verdict
from core.examples.contexts import TEST, TRAIN
from data.catalogue import Row
from data.records import ExplanationRecord

Group = tuple[GroupHeading, list[ContextRow]]
Context = tuple[str, int]  # kind of the context, flat index of its first token

N_STRONGEST = 40
PER_DECILE = 5  # rows of each decile while all deciles are shown
PER_GROUP = 40
SCORERS = ("detection", "fuzzing")  # whose verdicts are about single contexts; D and F in the list
SILENT_KINDS = {
    "random": ("Non-activating", "random contexts in which the feature is silent"),
    "token": ("Non-activating, same token", "silent although one of its frequent tokens is there"),
    "neighbour": ("Non-activating, neighbours", "contexts of the nearest features"),
    "similar": ("Non-activating, similar", "texts on the same topic"),
}


class Show(StrEnum):
    """Which contexts."""

    STRONGEST = "Strongest"
    DECILES = "All deciles"
    SILENT = "Non-activating"
    WRONG = "Wrong verdicts"
    TRAIN = "Train"


@dataclass(frozen=True, slots=True)
class Question:
    """One item that was put to a judge, and what became of it."""

    scorer: str  # detection or fuzzing
    kind: str  # of the item; wrong-mark where silent tokens of an activating context were marked
    verdict: Verdict
    marks: frozenset[int]  # offsets in the context


@dataclass(frozen=True, slots=True)
class Asked:
    """All questions about one explanation, by context."""

    by_context: Mapping[Context, Sequence[Question]] = field(default_factory=dict)

    def of(self, context: Context, scorer: str, kind: str) -> Question | None:
        """The newest question of one kind about a context."""
        found = self.by_context.get(context, ())
        return next((q for q in reversed(found) if (q.scorer, q.kind) == (scorer, kind)), None)


def asked(verdicts: Sequence[Row], explanation_id: int | None) -> Asked:
    """Sort the verdicts on one explanation by the context they are about.

    What other scorers ask is not about one context, or is ranked: neither right nor wrong.
    """
    found: dict[Context, list[Question]] = {}
    for row in verdicts:
        if row["explanation_id"] == explanation_id and row["scorer"] in SCORERS:
            question = Question(
                row["scorer"], row["kind"], _verdict(row), frozenset(row["marks"] or ())
            )
            found.setdefault((row["context_kind"], row["first_token"]), []).append(question)
    return Asked(found)


def _verdict(row: Row) -> Verdict:
    if row["predicted"] is None:
        return Verdict.UNREADABLE
    return Verdict.RIGHT if row["predicted"] == row["expected"] else Verdict.WRONG


@dataclass(frozen=True, slots=True)
class Judged:
    """One explanation with what was asked about it and what its explainer was shown."""

    explanation: ExplanationRecord
    asked: Asked
    prompted: frozenset[int] = frozenset()  # first tokens of contexts in the explainer's prompt

    def beside(self, context: Context, kind: str, *, is_train: bool) -> Beside:
        """What stands beside a context: verdicts, or why it was never judged."""
        if context[0] == "activating" and context[1] in self.prompted:
            return Beside("prompt")
        if is_train:
            return Beside("train")
        detection = self.asked.of(context, "detection", kind)
        fuzzing = self.asked.of(context, "fuzzing", kind)
        return Beside("", detection and detection.verdict, fuzzing and fuzzing.verdict)

    def hits(self, decile: int | None, kind: str | None) -> str:
        """Right verdicts of a whole group, e.g. "detection 9/10 · fuzzing 7/9, 1 failed"."""
        parts = []
        for scorer in SCORERS:
            score = score_of(self.explanation, scorer)
            if not score:
                continue
            tally = score.by_decile.get(decile or 0) or score.non_activating.get(kind or "")
            if tally and tally.n + tally.failed:
                failed = f", {tally.failed} failed" if tally.failed else ""
                parts.append(f"{scorer} {tally.correct}/{tally.n}{failed}")
        return " · ".join(parts)


@dataclass(frozen=True, slots=True)
class Listing:
    """One feature's rows under one choice of what to show."""

    reader: Reader
    shown: Judged | None = None
    pinned: Judged | None = None  # kept beside the shown one
    width: Width = Width.CONTEXT

    @property
    def asked(self) -> Asked:
        """What was asked about the shown explanation."""
        return self.shown.asked if self.shown else Asked()

    @property
    def columns(self) -> list[str]:
        """Headings over the verdicts; none while there is only one explanation."""
        found = [judged.explanation for judged in (self.shown, self.pinned) if judged]
        return [f"#{e.explanation_id}" for e in found] if len(found) > 1 else []

    def groups(self, show: Show, deciles: Sequence[int] = ()) -> list[Group]:
        """Headings with their rows; empty groups are left out. deciles: () = all of them."""
        found = {
            Show.STRONGEST: self._strongest,
            Show.DECILES: lambda: self._deciles(deciles),
            Show.SILENT: lambda: self._silent(PER_GROUP),
            Show.WRONG: self._wrong,
            Show.TRAIN: self._train,
        }[show]()
        return [(heading, rows) for heading, rows in found if rows]

    def _strongest(self) -> Iterator[Group]:
        best = self.reader.strongest
        n = min(N_STRONGEST, len(best.peak))
        passages = self.reader.passages(best.first_token[:n], self.width)
        rows = [
            self._row(passages[i], ("activating", int(best.first_token[i])), float(best.peak[i]),
                      copies=int(best.copies[i]), is_train=best.split[i] == TRAIN)
            for i in range(n)
        ]  # fmt: skip
        note = f"of {len(best.peak):,} contexts, train and test" if n < len(best.peak) else "all"
        yield GroupHeading(f"Strongest {n}", note), rows

    def _deciles(self, only: Sequence[int]) -> Iterator[Group]:
        drawn = self.reader.drawn
        slots = drawn.rows("activating", "test")
        for decile in sorted(only, reverse=True) or range(10, 0, -1):
            here = slots[drawn.decile[slots] == decile]
            chosen = here if only else here[:PER_DECILE]
            chosen = chosen[np.argsort(-drawn.peak[chosen], kind="stable")]
            yield self._decile_heading(decile, len(chosen), len(here)), self._drawn_rows(chosen)
        if not only:
            for heading, inside in by_interval(drawn, slots[drawn.decile[slots] == 0]):
                yield heading, self._drawn_rows(inside)
            yield from self._silent(PER_DECILE)

    def _decile_heading(self, decile: int, shown: int, n: int) -> GroupHeading:
        edges = self.reader.drawn.decile_edges
        span = "" if edges is None else f"peak {edges[decile - 1]:.1f}–{edges[decile]:.1f} · "
        count = f"{shown} of {n} test contexts" if shown < n else f"{n} test contexts"
        return GroupHeading(f"Decile {decile}", span + count, self._hits(decile=decile))

    def _silent(self, limit: int) -> Iterator[Group]:
        """Silent contexts by kind, then activating ones whose silent tokens were marked."""
        drawn = self.reader.drawn
        kinds: dict[str, list[int]] = {"random": drawn.first_token[drawn.rows("random", "test")]
                                       .tolist()}  # fmt: skip
        for kind, first in self.asked.by_context:
            if kind in SILENT_KINDS and first not in kinds.setdefault(kind, []):
                kinds[kind].append(first)
        for kind, firsts in kinds.items():
            name, note = SILENT_KINDS[kind]
            rows = self._silent_rows(kind, firsts[:limit])
            count = f"{len(rows)} of {len(firsts)} · " if len(rows) < len(firsts) else ""
            yield GroupHeading(name, count + note, self._hits(kind=kind)), rows
        yield from self._wrong_marks(limit)

    def _silent_rows(self, kind: str, firsts: Sequence[int]) -> list[ContextRow]:
        marks = {
            i: question.marks
            for i, first in enumerate(firsts)
            if (question := self.asked.of((kind, first), "fuzzing", kind))
        }
        passages = self.reader.passages(np.array(firsts, np.int64), self.width, marks)
        return [
            self._row(passage, (kind, first), 0.0, kind=kind)
            for passage, first in zip(passages, firsts, strict=True)
        ]

    def _wrong_marks(self, limit: int) -> Iterator[Group]:
        found = [
            (first, question)
            for (kind, first), questions in self.asked.by_context.items()
            for question in questions
            if kind == "activating" and question.kind == "wrong-mark"
        ]
        heading = GroupHeading("Wrong marks", "activating contexts with silent tokens marked",
                               self._hits(kind="wrong-mark"))  # fmt: skip
        yield heading, self._question_rows([(("activating", f), q) for f, q in found[:limit]])

    def _wrong(self) -> Iterator[Group]:
        """What the judge got wrong or left unanswered, by what was asked."""
        everything = [
            (context, q) for context, questions in self.asked.by_context.items() for q in questions
        ]
        for name, note, belongs in MISTAKES:
            found = [pair for pair in everything if belongs(pair[1])]
            found.sort(key=lambda pair: pair[0])
            count = f"{PER_GROUP} of {len(found)}" if len(found) > PER_GROUP else str(len(found))
            rows = self._question_rows(found[:PER_GROUP])
            rows.sort(key=lambda row: -row.peak)  # the most surprising mistakes first
            yield GroupHeading(name, f"{count} · {note}"), rows

    def _question_rows(self, pairs: Sequence[tuple[Context, Question]]) -> list[ContextRow]:
        """One row a question with its marks; what others said of the same is beside it."""
        firsts = np.array([first for (_, first), _ in pairs], np.int64)
        marks = {i: q.marks for i, (_, q) in enumerate(pairs) if q.kind != "activating"}
        passages = self.reader.passages(firsts, self.width, marks)
        return [
            ContextRow(
                passage,
                _peak(passage),
                detection=_verdict_beside(self.asked, context, q, "detection", q.verdict),
                fuzzing=_verdict_beside(self.asked, context, q, "fuzzing", q.verdict),
                second=self._pinned_beside(context, q),
            )
            for passage, (context, q) in zip(passages, pairs, strict=True)
        ]

    def _pinned_beside(self, context: Context, asked: Question) -> Beside | None:
        """What became of the same question about the pinned explanation."""
        if self.pinned is None:
            return None
        known = self.pinned.asked
        same = known.of(context, asked.scorer, asked.kind)
        own = same and same.verdict
        return Beside(
            "",
            _verdict_beside(known, context, asked, "detection", own),
            _verdict_beside(known, context, asked, "fuzzing", own),
        )

    def _train(self) -> Iterator[Group]:
        drawn = self.reader.drawn
        slots = drawn.rows("activating", "train")
        slots = slots[np.argsort(-drawn.peak[slots], kind="stable")]
        note = f"{len(slots)} drawn from every decile; never judged"
        yield GroupHeading("Train contexts", note), self._drawn_rows(slots)

    def _drawn_rows(self, slots: np.ndarray) -> list[ContextRow]:
        drawn = self.reader.drawn
        passages = self.reader.passages(drawn.first_token[slots], self.width)
        return [
            self._row(passage, ("activating", int(drawn.first_token[slot])),
                      float(drawn.peak[slot]), copies=int(drawn.multiplicity[slot]),
                      is_train=drawn.split[slot] != TEST)
            for passage, slot in zip(passages, slots, strict=True)
        ]  # fmt: skip

    def _row(
        self,
        passage: Passage,
        context: Context,
        peak: float,
        *,
        kind: str = "activating",
        copies: int = 1,
        is_train: bool = False,
    ) -> ContextRow:
        shown, pinned = (
            judged and judged.beside(context, kind, is_train=is_train)
            for judged in (self.shown, self.pinned)
        )
        own = shown or Beside("train" if is_train else "")
        return ContextRow(passage, peak, own.note, own.detection, own.fuzzing, copies, pinned)

    def _hits(self, *, decile: int | None = None, kind: str | None = None) -> str:
        """Right verdicts of a whole group; a line for each of two explanations."""
        found = [judged.hits(decile, kind) for judged in (self.shown, self.pinned) if judged]
        if not self.columns:
            return "".join(found)
        return "\n".join(f"{n} {hits}" for n, hits in zip(self.columns, found, strict=True) if hits)


def _verdict_beside(
    known: Asked, context: Context, asked: Question, scorer: str, own: Verdict | None
) -> Verdict | None:
    """The verdict of one scorer: own where it is the one that asked, else on the plain context."""
    if asked.scorer == scorer:
        return own
    other = known.of(context, scorer, context[0])
    return other and other.verdict


def _peak(passage: Passage) -> float:
    return max(v for i, v in enumerate(passage.activations) if i not in passage.outside)


def _is_mistake(scorer: str, *, kinds: Sequence[str] | None = None) -> Callable[[Question], bool]:
    """Whether a question of one scorer, about these kinds, was answered wrongly."""
    wanted = kinds or tuple(SILENT_KINDS)
    return lambda q: q.scorer == scorer and q.verdict is Verdict.WRONG and q.kind in wanted


MISTAKES = (
    ("Detection: missed", "the feature fires, the explanation says it does not",
     _is_mistake("detection", kinds=["activating"])),
    ("Detection: false alarms", "the feature is silent, the explanation says it fires",
     _is_mistake("detection")),
    ("Fuzzing: right marks refused", "the marked tokens are active ones",
     _is_mistake("fuzzing", kinds=["activating"])),
    ("Fuzzing: wrong marks accepted", "silent tokens were marked",
     _is_mistake("fuzzing", kinds=["wrong-mark"])),
    ("Fuzzing: marks in silent contexts accepted", "the feature is silent throughout",
     _is_mistake("fuzzing")),
    ("No usable reply", "counted as failed, never as wrong",
     lambda q: q.verdict is Verdict.UNREADABLE),
)  # fmt: skip

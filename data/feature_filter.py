"""Which features a table is asked for, in which order; as values and as SQL.

A `Filter` is hashable, so that answers can be kept. Its SQL names columns by these aliases, and a
table is joined only where a condition or an order mentions it: a million features then cost what
the question needs.

    f  feature     s  the shown explanation with its headline scores, as in feature_summary
    n  notes       x  the headline score of one further scorer (value, low, high)
    r  the ranking that a search by meaning gave (similarity)
    t  the text of the shown explanation
    g  what the filters measured     k  and how unigram features did (data/flags.py)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from data.flags import RULES, Flag, checked, measured
from data.summaries import HEADLINE, SCORERS, shown

LOW, APART = 0.7, 0.15  # of the presets: detection below LOW, two scores this far APART
MANY_FAILED = 0.1  # share of unusable replies above which a score is not ranked (methods 6.2)


class Preset(StrEnum):
    """Ready-made questions, each with its own order."""

    ALL = "All"
    LOW_DETECTION = "Low detection"
    WORST = "Worst explained"
    DISAGREE = "Most disagreement"
    UNSCORED = "Unscored"
    UNEXPLAINED = "No explanation"
    FAILED = "Failed verdicts"
    DEAD = "Dead"
    SCARCE = "Scarce"
    BOOKMARKED = "Bookmarked"


class Marked(StrEnum):
    """What a person has added to a feature."""

    BOOKMARKED = "bookmarked"
    LABELLED = "labelled"


class Explained(StrEnum):
    """Whether there must be a usable explanation."""

    ANY = "either"
    YES = "explained"
    NO = "not explained"


class Span(NamedTuple):
    """A range with both ends in it; None = open."""

    low: float | None = None
    high: float | None = None


ANY = Span()


class Sort(NamedTuple):
    """An order; features without the value come last, equal ones by index."""

    by: str  # index, density, max, explanations, or a scorer
    high_first: bool = False

    @property
    def label(self) -> str:
        """In words, e.g. Sort("detection") -> "by detection, low first"."""
        names = {"max": "max activation", "explanations": "number of explanations",
                 "exact": "exact F1"}  # fmt: skip
        name = names.get(self.by, self.by)
        end = "" if self.by == "index" else ", high first" if self.high_first else ", low first"
        return f"by {name}{end}"


class Similar(NamedTuple):
    """One feature that a search by meaning found."""

    feature: int
    explanation_id: int  # its most similar explanation
    similarity: float  # cosine, -1..1


@dataclass(frozen=True, slots=True)
class Filter:
    """Which features, in which order; every part narrows."""

    words: str = ""  # all occur in the feature's explanations, label or remark, in any case
    preset: Preset = Preset.ALL
    alive: bool = False  # fired at least once
    explained: Explained = Explained.ANY
    density: Span = ANY  # share of tokens, 0..1
    scorer: str | None = None  # whose score `score` is about
    score: Span = ANY
    flags: tuple[Flag, ...] = ()  # any of them
    marked: tuple[Marked, ...] = ()  # all of them
    explainer: int | None = None  # explainer_id; with one, the explanation shown is of it
    run: int | None = None  # run_id of an explain run, likewise
    judge: str | None = None  # the scores are this judge's, and so is "best"
    collection: int | None = None  # collection_id; only its members
    near: tuple[Similar, ...] | None = None  # only these, most similar first
    sort: Sort | None = None  # None = the preset's own order
    page: int = 1  # from 1; beyond the last = the last

    @property
    def has_facet(self) -> bool:
        """Whether the explanation shown differs from the stored summary's."""
        return any(v is not None for v in (self.explainer, self.run, self.judge, self.near))

    @property
    def further(self) -> str | None:
        """The scorer beyond the three usual ones that is sorted or filtered by."""
        asked = (self.sort and self.sort.by, self.score != ANY and self.scorer)
        return next((name for name in asked if name and name not in (*SCORERS, *PLAIN)), None)


CONDITIONS = {
    Preset.ALL: "true",
    Preset.LOW_DETECTION: f"s.detection < {LOW}",
    Preset.WORST: f"s.detection is not null and s.n_failed <= {MANY_FAILED} * (s.n_judged + "
    "s.n_failed)",
    Preset.DISAGREE: f"abs(s.detection - s.fuzzing) >= {APART} and s.n_failed <= {MANY_FAILED} * "
    "(s.n_judged + s.n_failed)",
    Preset.UNSCORED: "s.explanation_id is not null and s.detection is null and s.fuzzing is null "
    "and s.n_judged = 0",
    Preset.UNEXPLAINED: "s.explanation_id is null and f.n_active is distinct from 0",
    Preset.FAILED: "s.n_failed > 0",
    Preset.DEAD: "f.n_active = 0",
    Preset.SCARCE: "f.reason in ('rare', 'scarce')",
    Preset.BOOKMARKED: "n.bookmark <> ''",
}
# Worst explained: lowest upper end of the interval, which few verdicts do not make low.
ORDERS = {
    Preset.LOW_DETECTION: "s.detection, ",
    Preset.WORST: "s.detection_high, s.detection, ",
    Preset.DISAGREE: "abs(s.detection - s.fuzzing) desc, ",
    Preset.FAILED: "s.n_failed desc, ",
}
MARKED = {Marked.BOOKMARKED: "n.bookmark <> ''", Marked.LABELLED: "n.label <> ''"}
# A dead feature has neither a density nor a largest activation.
PLAIN = {
    "index": "f.feature",
    "density": "case when f.n_active > 0 then f.n_active end",
    "max": "case when f.n_active > 0 then f.max_activation end",
    "explanations": "s.n_explanations",
}


ON = {name: f"on {name}.explanation_id = s.explanation_id" for name in ("x", "t")}


class Question:
    """SQL with its parameters; each value is bound, none is written into the text."""

    def __init__(self, hookpoint_id: int, wanted: Filter, among: Sequence[int] = ()) -> None:
        """Begin a question about a hookpoint; among: only these features."""
        self.given: list[Any] = []
        self._wanted, self._among = wanted, list(among)
        self._hookpoint = self._bind(hookpoint_id)
        where = [f"f.hookpoint_id = {self._hookpoint}"]
        if among:
            where.append(f"f.feature in (select unnest({self._bind(self._among)}::bigint[]))")
        else:
            where += self._conditions()
        self.where = " and ".join(where)

    def _bind(self, value: Any) -> str:
        self.given.append(value)
        return f"${len(self.given)}"

    def _conditions(self) -> list[str]:
        wanted = self._wanted
        lacks = wanted.explained is Explained.NO or wanted.preset is Preset.UNEXPLAINED
        return [
            CONDITIONS[wanted.preset],
            *["f.n_active > 0"] * wanted.alive,
            *["s.explanation_id is null"] * (wanted.explained is Explained.NO),
            *["s.explanation_id is not null"] * (wanted.explained is Explained.YES),
            *(self._in_facet() if wanted.has_facet and not lacks else []),
            *self._within("f.density", wanted.density),
            *(self._within(self.score_column(wanted.scorer), wanted.score)
              if wanted.scorer else []),
            *[f"({' or '.join(RULES[flag].when for flag in wanted.flags)})"] * bool(wanted.flags),
            *(MARKED[mark] for mark in wanted.marked),
            *(self._said(word) for word in wanted.words.lower().split()),
            *["r.similarity is not null"] * (wanted.near is not None),
            *([self._listed_in(wanted.collection)] if wanted.collection is not None else []),
        ]  # fmt: skip

    def _in_facet(self) -> list[str]:
        """Has an explanation of the facets; cheaper than asking for the one that is shown."""
        return [f"f.feature in (select feature from explanation e {self._facet()})"]

    def _within(self, column: str, span: Span) -> list[str]:
        ends = (("{} >= {}", span.low), ("{} <= {}", span.high))
        return [sql.format(column, self._bind(end)) for sql, end in ends if end is not None]

    def _said(self, word: str) -> str:
        """Whether some explanation, the label or the remark has a word."""
        bound = self._bind(word)
        return f"""(f.feature in (
            select feature from explanation
            where hookpoint_id = {self._hookpoint} and contains(lower(text), {bound})
        ) or contains(lower(n.label), {bound}) or contains(lower(n.remark), {bound}))"""

    def _listed_in(self, collection: int) -> str:
        """Whether a collection names the feature."""
        return f"""f.feature in (
            select feature from collection_member
            where collection_id = {self._bind(collection)} and hookpoint_id = {self._hookpoint}
        )"""

    def score_column(self, scorer: str) -> str:
        """The value of a scorer's headline score."""
        return f"s.{scorer}" if scorer in SCORERS else "x.value"

    def order(self) -> str:
        """What follows "order by"."""
        sort = self._wanted.sort
        if sort is None:
            first = ORDERS.get(self._wanted.preset, "")
            return f"{'r.similarity desc, ' * (self._wanted.near is not None)}{first}f.feature"
        column = PLAIN.get(sort.by) or self.score_column(sort.by)
        return f"{column} {'desc' if sort.high_first else 'asc'} nulls last, f.feature"

    def select(self, columns: str, rest: str = "") -> str:
        """The whole statement; `rest` follows the conditions."""
        text = f"{columns} {self.where} {rest}"
        tables = {"s": self._shown, "n": self._notes, "x": self._further, "r": self._near,
                  "t": self._texts, "g": self._figures, "k": self._checks}  # fmt: skip
        needed = set(re.findall(r"\b[snxrtgk]\b(?=\.)", text))
        needed |= {"s"} if needed & {"x", "t"} else set()  # these belong to the one shown
        joins = "".join(
            f"\nleft join ({tables[name]()}) {name} {ON.get(name, 'using (feature)')}"
            for name in tables
            if name in needed
        )
        return f"select {columns}\nfrom feature f{joins}\nwhere {self.where}\n{rest}"

    def _shown(self) -> str:
        among = self._only()
        if not self._wanted.has_facet:
            return f"select * from feature_summary where hookpoint_id = {self._hookpoint}{among}"
        facet = f"select feature, explanation_id from explanation e {self._facet()}{among}"
        return shown(
            f"({facet})",
            f"""score s
            join scorer m using (scorer_id)
            semi join ({facet}) using (explanation_id)
            where {self._judged()}""",
        )

    def _only(self) -> str:
        among = self._bind(self._among) if self._among else None
        return f" and feature in (select unnest({among}::bigint[]))" if among else ""

    def _texts(self) -> str:
        return ("select explanation_id, text from explanation "
                f"where hookpoint_id = {self._hookpoint}{self._only()}")  # fmt: skip

    def _figures(self) -> str:
        return measured(self._hookpoint, self._only())

    def _checks(self) -> str:
        return checked(self._hookpoint, self._only())

    def _facet(self) -> str:
        """Conditions on explanations that may be shown."""
        wanted = self._wanted
        parts = [f"where e.hookpoint_id = {self._hookpoint} and e.text is not null"]
        for column, value in (("explainer_id", wanted.explainer), ("run_id", wanted.run)):
            parts += [f"e.{column} = {self._bind(value)}"] if value is not None else []
        if wanted.near is not None:
            ids = self._bind([found.explanation_id for found in wanted.near])
            parts.append(f"e.explanation_id in (select unnest({ids}::ubigint[]))")
        if wanted.judge is not None:
            parts.append("e.explanation_id in (select explanation_id from score s "
                         f"join scorer m using (scorer_id) where {self._judged()})")  # fmt: skip
        return " and ".join(parts)

    def _judged(self) -> str:
        judge = self._wanted.judge
        return "true" if judge is None else f"m.judge = {self._bind(judge)}"

    def _notes(self) -> str:
        """The newest of each tag; "" where it was taken back."""
        tags = ", ".join(
            f"arg_max(coalesce(text, ''), note_id) filter (tag = '{tag}') as {tag}"
            for tag in ("bookmark", "label", "remark")
        )
        return f"""select feature, {tags} from note
            where hookpoint_id = {self._hookpoint} group by feature"""

    def _further(self) -> str:
        scorer = self._bind(self._wanted.further)
        every = HEADLINE.format(  # other scorers too: one of them may say whose scores are shown
            scores=f"""score s join scorer m using (scorer_id) semi join (
                select explanation_id from score join scorer using (scorer_id)
                where name = {scorer}
            ) using (explanation_id) where {self._judged()}"""
        )
        return f"select * from ({every}) where name = {scorer}"

    def _near(self) -> str:
        found = self._wanted.near or ()
        features = self._bind([one.feature for one in found])
        similarity = self._bind([one.similarity for one in found])
        return f"""select unnest({features}::uinteger[]) as feature,
            unnest({similarity}::double[]) as similarity"""

"""The blind game played by a language model: evidence out, answers stored.

Each question is asked in both orders. Answers that are there are not asked again; a reply that
cannot be read is asked once more and then kept as no usable answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np

from core.diffing.evidence import Both, contexts, pieces
from core.diffing.game import Question, answer_of, named, questions, shuffled
from core.diffing.words import settings_words
from core.llm.client import open_client
from core.llm.requests import Client, Reply, spent
from core.llm.settings import EndpointSettings
from core.pipeline.diffing import Pair, open_pair
from core.pipeline.running import plan_as_asked, running
from core.prompts import guessing as prompt
from core.replies.verdicts import choice, choice_schema
from core.score.asking import Asked, JudgeSettings, ask, repeated
from data import diffs, guesses, runs
from data.activations import FeatureActivations
from data.catalogue import Catalogue, Connection, Row
from data.diffs import DiffRecord
from data.errors import BadInput, NotFound
from data.guesses import Guess
from data.records import NO_USAGE, HookpointRecord, Progress, Usage

T = TypeVar("T")
OPTIONS = 2  # X and Y
MARKED = 0.3  # of the larger peak of both subjects: what is marked in a text
SETTINGS = JudgeSettings()  # temperature 0


@dataclass(frozen=True, slots=True)
class GameRequest:
    """What `gloss diff game` was asked for."""

    first: str
    second: str
    hookpoint: str | None = None  # None = the only one
    endpoint: EndpointSettings = field(default_factory=EndpointSettings)
    about: str = ""  # what the second subject was trained for, told to the judge
    seed: int = 0
    comparison: int | None = None  # diff_id; None = the newest
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed, to go on with


class Table(NamedTuple):
    """Everything that a game is played with."""

    pair: Pair
    place: int  # of pair.shared
    diff: DiffRecord
    questions: list[Question]


class Detector(NamedTuple):
    """What a feature does in both subjects."""

    feature: int
    explanation: str  # "" = none
    means: tuple[float, float]  # first, second subject; activation a token
    rates: tuple[float, float]  # share of tokens
    context: Both | None


def open_table(catalogue: Catalogue, request: GameRequest) -> Table:
    """Find the comparison that a game is about, and deal its questions."""
    place = () if request.hookpoint is None else (request.hookpoint,)
    pair = open_pair(catalogue, request.first, request.second, place)
    if len(pair.shared) > 1:
        names = ", ".join(one.first.name for one in pair.shared)
        raise BadInput(f"a game is played at one place: give --hookpoint, one of {names}")
    shared = next(iter(pair.shared))
    with catalogue.reading() as con:
        diff = _comparison(con, shared.first, request)
        features = diffs.confirmed(con, diff)
    if not features:
        raise BadInput(
            f"no feature is confirmed to differ at {shared.first.name} by the comparison at q "
            f"{diff.settings['level']:g}, so there is nothing to guess from: run gloss diff "
            f"features {request.first} {request.second} with a higher --level"
        )
    return Table(pair, 0, diff, questions(features, request.seed))


def _comparison(con: Connection, place: HookpointRecord, request: GameRequest) -> DiffRecord:
    """The comparison asked for, else the newest at a place."""
    every = diffs.diffs(con, "features", request.first, request.second)
    found = {one.diff_id: one for one in every if one.first_hookpoint == place.hookpoint_id}
    if not found:
        raise NotFound(
            f"'{request.first}' and '{request.second}' are not compared at {place.name} yet: run "
            f"gloss diff features {request.first} {request.second}"
        )
    asked = max(found) if request.comparison is None else request.comparison
    if asked not in found:
        known = ", ".join(f"{number} ({settings_words(one)})" for number, one in found.items())
        raise NotFound(f"no comparison {asked} of '{request.first}' and '{request.second}' at "
                       f"{place.name}; there is {known}")  # fmt: skip
    return found[asked]


def detectors(catalogue: Catalogue, table: Table, features: Sequence[int]) -> list[Detector]:
    """Gather what some features do, in the order given."""
    with catalogue.reading() as con:
        rows = diffs.some_features(con, table.diff, features)
    return [_detector(table, rows[feature]) for feature in features]


def _detector(table: Table, row: Row) -> Detector:
    shared, files = table.pair.shared[table.place], table.pair.files

    def slice_of(one: HookpointRecord, side: int) -> FeatureActivations:
        return files[side].columns(one.hookpoint_id).slice(row["feature"])

    found = contexts(files[0], slice_of(shared.first, 0), slice_of(shared.second, 1), 1)
    return Detector(
        row["feature"],
        row["explanation"] or "",
        (row["first_mean"], row["second_mean"]),
        (row["first_rate"], row["second_rate"]),
        found[0] if found else None,
    )


def shown(table: Table, question: Question, one: Detector) -> prompt.Shown:
    """A detector as the judge sees it, X's figures first."""
    texts = None
    if one.context is not None:
        spelled = pieces(table.pair.files[0], one.context.tokens.tolist())
        least = MARKED * one.context.peak
        both = one.context.first, one.context.second
        texts = in_order(question, *(_marked(spelled, values, least) for values in both))
    return prompt.Shown(
        one.explanation, in_order(question, *one.means), in_order(question, *one.rates), texts
    )


def in_order(question: Question, *both: T) -> tuple[T, T]:
    """What belongs to X, then to Y, of what belongs to the first and to the second subject."""
    first, second = both
    return (second, first) if question.swapped else (first, second)


def _marked(spelled: Sequence[str], values: np.ndarray, least: float) -> str:
    """A text on one line with what is at least so strong marked."""
    out = "".join(
        f"<<{piece}>>" if value >= least and value > 0 and piece else piece
        for piece, value in zip(spelled, values.tolist(), strict=True)
    )
    return out.replace(">><<", "").replace("\n", "↵")


def game_stage(catalogue: Catalogue, request: GameRequest) -> Iterator[Progress]:
    """Let a language model answer every question that it has not answered yet."""
    table = open_table(catalogue, request)
    who = player(request)
    with catalogue.reading() as con:
        known = {(g.question, g.swapped) for g in guesses.guesses(con, table.diff.diff_id, who)}
    missing = [one for one in table.questions if (one.number, one.swapped) not in known]
    total = len(table.questions)
    if not missing:
        yield Progress("guessing", total, total, "questions", note="nothing to do: all answered")
        return
    runs.mark_interrupted(catalogue)
    plan = plan_as_asked("diff", table.pair.first.cache_id, request, table.diff.first_hookpoint,
                         paid=True)  # fmt: skip
    with running(catalogue, plan, total, total - len(missing)) as run_id:
        yield Progress("guessing", 0, len(missing), "questions")
        with open_client(catalogue, request.endpoint.require_model()) as client:
            found = judged(catalogue, client, table, missing, request)
        guesses.add_guesses(catalogue, table.diff.diff_id, found.guesses, run_id, found.usage)
    lost = len(missing) - len(found.guesses)
    note = f"{lost} questions got no answer; the same command asks them again" if lost else ""
    yield Progress("guessing", len(missing) - lost, len(missing), "questions", note=note)


class Judged(NamedTuple):
    """What came of some questions."""

    guesses: list[Guess]  # a question that got no reply at all is left out
    usage: Usage


def judged(
    catalogue: Catalogue, client: Client, table: Table, asked: Sequence[Question],
    request: GameRequest,
) -> Judged:  # fmt: skip
    """Ask all questions at once, and once more where a reply cannot be read."""
    who, requests = player(request), []
    for one in asked:
        listed = shuffled(one.features, one, request.seed)
        evidence = [shown(table, one, d) for d in detectors(catalogue, table, listed)]
        messages = prompt.messages(evidence, request.about)
        requests.append(SETTINGS.request(messages, choice_schema(OPTIONS), "game"))
    first = ask(client, requests, _read)
    unread = [place for place, answer in enumerate(first) if answer.defect is not None]
    second = ask(client, [repeated(first[place]) for place in unread], _read)
    final = dict(enumerate(first)) | dict(zip(unread, second, strict=True))
    given = [
        _guess(asked[place], final[place], who)
        for place in range(len(asked))
        if isinstance(final[place].outcome, Reply)
    ]
    usage = spent([one.outcome for one in (*first, *second)]).usage
    return Judged(given, usage or NO_USAGE)


def _read(_place: int, text: str) -> int:
    return choice(text, OPTIONS)


def _guess(question: Question, answer: Asked[int], who: str) -> Guess:
    letter = None if answer.value is None else "XY"[answer.value - 1]
    return Guess(
        question.number, question.swapped, question.features, who, answer_of(question, letter)
    )


def player(request: GameRequest) -> str:
    """Who is said to have answered: a model told what to look for is another player."""
    told = f" told: {request.about.strip()}" if request.about.strip() else ""
    return named(f"{request.endpoint.model}{told}", request.seed)

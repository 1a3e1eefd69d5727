"""Answers in the blind game of two subjects, as the catalogue keeps them: added, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from data.catalogue import Catalogue, Connection
from data.records import NO_USAGE, Usage
from data.runs import beat

PERSON = "person"


@dataclass(frozen=True, slots=True)
class Guess:
    """One answer in the blind game."""

    question: int  # from 0
    swapped: bool  # the second subject was shown as X
    features: tuple[int, ...]  # that were shown
    who: str  # person, or the name of a language model
    answer: int | None  # 1, 2: the subject taken for the second one; None = no usable answer


def add_guesses(
    catalogue: Catalogue, diff_id: int, guesses: Sequence[Guess], run_id: int | None = None,
    usage: Usage = NO_USAGE,
) -> None:  # fmt: skip
    """Keep answers; to a question that is answered twice the first answer counts.

    run_id, usage: of the run that asked a language model; None = a person answered.
    """
    with catalogue.writing() as con:
        for one in guesses:
            con.run(
                "insert into guess values (?, ?, ?, ?, ?, ?, now()::timestamp)",
                [diff_id, one.question, one.swapped, list(one.features), one.who, one.answer],
            )
        if run_id is not None:
            beat(con, run_id, done=len(guesses), usage=usage)


def guesses(con: Connection, diff_id: int, who: str) -> list[Guess]:
    """The first answer of somebody to each question in each order."""
    found = con.rows(
        "select question, swapped, features, who, answer from guess "
        "where diff_id = ? and who = ? qualify row_number() over "
        "(partition by question, swapped order by created_at) = 1 order by question, swapped",
        [diff_id, who],
    )
    return [
        Guess(row["question"], row["swapped"], tuple(row["features"]), row["who"], row["answer"])
        for row in found
    ]


def players(con: Connection, diff_id: int) -> list[str]:
    """Who has answered anything, in the order in which they began."""
    found = con.rows(
        "select who from guess where diff_id = ? group by who order by min(created_at), who",
        [diff_id],
    )
    return [row["who"] for row in found]

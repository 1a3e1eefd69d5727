from dataclasses import dataclass, field
from typing import Literal

import typer
from typer.testing import CliRunner

from core.flags import Group, with_flags


@dataclass(frozen=True)
class Baking:
    heat: Literal["low", "high"] = field(default="low", metadata={"help": "of the oven"})
    n_loaves: int = field(default=1, metadata={"help": "how many", "flag": "--loaves", "high": 9})
    salt: float | None = field(default=None, metadata={"shown": "to taste"})
    secret: str = field(default="x", metadata={"hidden": True})


def app() -> typer.Typer:
    made = typer.Typer()

    @made.command()
    @with_flags("salt", baking=Group(Baking, "Oven"))
    def bake(name: str, baking: Baking, loud: bool = False) -> None:
        """Bake."""
        typer.echo(f"{name} {baking} {loud}")

    return made


def run(*words: str):
    return CliRunner().invoke(app(), list(words))


def test_flags_make_the_record_and_what_is_left_out_keeps_its_default():
    done = run("rye", "--loaves", "3", "--heat", "high", "--loud")
    assert done.output.strip() == f"rye {Baking('high', 3)} True"


def test_limits_and_choices_are_kept():
    assert run("rye", "--loaves", "10").exit_code == 2
    assert run("rye", "--heat", "hot").exit_code == 2
    assert run("rye", "--salt", "1").exit_code == 2
    assert run("rye", "--secret", "1").exit_code == 2


def test_help_is_a_sentence_under_its_title():
    shown = run("--help").output
    assert "Oven" in shown
    assert "Of the oven." in shown

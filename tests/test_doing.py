"""Stages as commands: when there was nothing to do, and what reaches the terminal."""

from core.commands.doing import do, why_idle
from data.catalogue import Catalogue
from data.records import Progress

THERE = Progress("layers.2", 0, 0, note="all 3 are there")


def test_work_at_any_hookpoint_counts_whatever_the_last_one_says():
    assert why_idle(iter([Progress("layers.1", 1, 2), Progress("layers.1", 2, 2), THERE])) is None
    assert why_idle(iter([THERE, THERE])) == "all 3 are there"
    assert why_idle(iter([])) == "no feature was chosen"


def test_names_and_notes_cannot_steer_the_terminal(tmp_path, capsys):
    Catalogue(tmp_path)
    note = "[red]\x1b[31m \u202edne"
    do(tmp_path, None, lambda *_: iter([Progress("work", 0, 0, note=note)]), "gloss show x")
    do(tmp_path, None, lambda *_: iter([Progress("work", 1, 1)]), "gloss show \x1b[2J")
    said = capsys.readouterr()
    shown = "[red][001B][31m [202E]dne"
    assert said.out == f"nothing to do: {shown}\nnext: gloss show [001B][2J, or gloss serve\n"
    assert shown in said.err

"""Notes and saved things: the newest holds, nothing is overwritten."""

import pytest

from data import notes
from data.catalogue import Catalogue


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path)


def held(catalogue, feature=3):
    with catalogue.reading() as con:
        return notes.notes(con, 1, feature)


def test_the_newest_note_of_a_tag_holds(catalogue):
    notes.write_note(catalogue, 1, 3, "label", "days")
    notes.write_note(catalogue, 1, 3, "label", " weekdays ")
    notes.write_note(catalogue, 1, 3, "bookmark", notes.SET)
    assert held(catalogue) == {"label": "weekdays", "bookmark": "set"}
    assert held(catalogue, 4) == {}


def test_blank_text_takes_a_note_back_and_keeps_its_history(catalogue):
    notes.write_note(catalogue, 1, 3, "remark", "odd")
    notes.write_note(catalogue, 1, 3, "remark", "  ")
    assert held(catalogue) == {}
    with catalogue.reading() as con:
        assert con.value("select count(*) from note") == 2


def test_saved_things_are_found_by_kind_newest_first(catalogue):
    notes.save(catalogue, "query", "dense", {"sql": "select 1"})
    notes.save(catalogue, "view", "mine", {"sort": "by index"})
    notes.save(catalogue, "query", "rare", {"sql": "select 2"})
    notes.save(catalogue, "query", "dense", {"sql": "select 3"})
    notes.save(catalogue, "query", "rare", None)
    with catalogue.reading() as con:
        assert notes.saved(con, "query") == {"dense": {"sql": "select 3"}}
        assert notes.saved(con, "view") == {"mine": {"sort": "by index"}}

"""What one feature's page asks the catalogue for."""

import pytest
from stores import make_store

from data import queries


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=120)


def test_one_feature_has_facts_neighbours_and_identity(made):
    with made.catalogue.reading() as con:
        facts = queries.facts(con, made.hookpoint_id, 0)
        near = queries.neighbours(con, made.hookpoint_id, 0)
        identity = queries.identity(con, made.hookpoint_id)
        live = queries.live_features(con, made.hookpoint_id)
    assert len(facts["counts"]) == 40
    assert facts["n_contexts"] == sum(facts["counts"])
    assert near[0]["text"] == "Fires on <b>markup</b> & $x$"
    assert identity["subject"] == "tiny-subject"
    assert 5 not in live
    assert len(live) == 15

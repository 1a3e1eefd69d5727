"""The catalogue's rows of features agree with each other and with the activations."""

import numpy as np

from data.cachefiles import CacheFiles
from data.catalogue import Catalogue

ROWS = """
select f.*, c.counts, c.position_counts, c.decile_edges, c.top_tokens, c.promoted, c.suppressed
from feature f join feature_chart c using (hookpoint_id, feature) order by feature
"""


def rows(store):
    with Catalogue(store).reading() as con:
        return con.rows(ROWS)


def test_counts_are_those_of_the_columns(cached_store):
    columns = CacheFiles.open(cached_store / "caches" / "small").columns(1)
    found = rows(cached_store)
    np.testing.assert_array_equal([row["n_active"] for row in found], columns.counts())
    assert all(sum(row["position_counts"]) == row["n_active"] for row in found)
    assert all(row["position_counts"][0] == 0 for row in found)  # BOS never activates


def test_the_histogram_holds_every_distinct_context_once(cached_store):
    assert all(sum(row["counts"]) == row["n_contexts"] for row in rows(cached_store))


def test_reasons_follow_from_the_number_of_contexts(cached_store):
    for row in rows(cached_store):
        n = row["n_contexts"]
        wanted = (
            "dead" if not row["n_active"] else "rare" if n < 10 else "scarce" if n < 40
            else "reduced" if n < 200 else None
        )  # fmt: skip
        assert row["reason"] == wanted
        assert (row["decile_edges"] is None) == (n < 10)


def test_logit_effects_are_sorted_both_ways(cached_store):
    for row in rows(cached_store)[:50]:
        promoted, suppressed = (
            [entry["value"] for entry in row[name]] for name in ("promoted", "suppressed")
        )
        assert promoted == sorted(promoted, reverse=True)
        assert suppressed == sorted(suppressed)
        assert len(promoted) == len(suppressed) == 10


def test_the_nearest_feature_is_another_one(cached_store):
    with Catalogue(cached_store).reading() as con:
        found = con.rows("select * from neighbour order by feature, rank")
    assert len(found) == 2048 * 10
    assert all(row["feature"] != row["other"] for row in found)
    assert all(-1 <= row["value"] <= 1.0001 for row in found)


def test_how_well_the_sae_fits_is_kept(cached_store):
    with Catalogue(cached_store).reading() as con:
        found = con.row("select fvu, l0 from hookpoint")
    assert found is not None
    assert 0.05 < found["fvu"] < 0.4
    assert 15 < found["l0"] <= 16

"""`gloss demo`: only chooses inputs; whole the first time, nothing to do the second."""

from dataclasses import replace

from small import SMALL

from core import demonstration
from data import runs
from data.catalogue import Catalogue

LEFT = """
select count(*) from feature f left join explanation e using (hookpoint_id, feature)
where f.n_active > 0 and e.explanation_id is null
"""


def test_every_live_feature_is_explained_and_a_second_demo_adds_nothing(tmp_path, capsys):
    small = replace(SMALL, n_tokens=2_600, saes=("random:64:4",))  # 64 features
    for _ in range(2):
        demonstration.run(tmp_path, serve=False, port=0, workers=1, request=small)
    catalogue = Catalogue(tmp_path)
    with catalogue.reading() as con:
        assert con.value(LEFT) == 0
    assert [run["stage"] for run in runs.runs(catalogue)] == [
        "cache",
        "explain",
        "score",
        "filter",
        "explain",
        "score",
    ]
    assert "all live features are explained and scored" in capsys.readouterr().err


def test_the_demo_itself_is_large_enough():
    assert demonstration.REQUEST.n_tokens >= 200_000
    assert len(demonstration.REQUEST.hookpoints) == 2
    assert demonstration.FIRST >= 200

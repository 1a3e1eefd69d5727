"""Every page on every odd store: one sentence where there is nothing, never an exception."""

import pytest
import stores
from delphi_runs import write_text_run
from pages import APP
from streamlit.testing.v1 import AppTest

from data import caches, ledger, runs
from data.catalogue import Catalogue

PAGES = {
    "features": {}, "features chart": {"view": "Chart"}, "feature": {},
    "compare one": {"mode": "one"}, "compare many": {"mode": "many"},
    "compare figures": {"mode": "figures"}, "runs": {}, "try_text": {},
    "import_export health": {"part": "Health"}, "import_export import": {"part": "Import"},
    "import_export export": {"part": "Export"}, "import_export sql": {"part": "SQL"},
    "similarity": {}, "baselines": {}, "collected": {},
}  # fmt: skip


def no_store(folder):
    return folder / "none"


def no_cache(folder):
    Catalogue(folder)
    return folder


def unfinished_cache(folder):
    stores.begin(Catalogue(folder))
    return folder


def zero_features(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "N_FEATURES", 0)
        patch.setattr(stores, "FIRES_ON", {5: []})
        catalogue = Catalogue(folder)
        record = stores.begin(catalogue)
    corpus = caches.CorpusFacts("made-up", "t" * 64, "v" * 64, "u16", 64, 0, 0, 0, {})
    stores.write_files(folder / record.folder, record.hookpoints[0].hookpoint_id, 60)
    empty = caches.HookpointTables(0, None, 0.0, *(nothing(t) for t in TABLES))
    caches.finish_cache(
        catalogue, record.cache_id, corpus, {record.hookpoints[0].hookpoint_id: empty}
    )
    return folder


TABLES = ("feature", "feature_chart", "neighbour")


def nothing(_table):
    import pyarrow as pa

    return pa.table({"hookpoint_id": pa.array([], pa.uint32())})


def one_feature(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "N_FEATURES", 1)
        patch.setattr(stores, "FIRES_ON", {0: range(1, 6)})
        stores.write(folder, 60, judged=False)
    return folder


def no_scores(folder):
    made = stores.make_store(folder, sequences=60, judged=False)
    stores.explain(made, {"objective": "f1"}, {0: "Fires on days"}, failed=[])
    return folder


def failed_explanations(folder):
    made = stores.make_store(folder, sequences=60, judged=False)
    stores.explain(made, {"objective": "f1"}, {}, failed=[0, 1, 2])
    return folder


def failed_run(folder):
    made = stores.make_store(folder, sequences=60, judged=False)
    plan = runs.Plan("explain", made.cache.cache_id, made.hookpoint_id, None, {"features": "all"})
    run = runs.start_run(made.catalogue, plan, total=16)
    runs.end_run(made.catalogue, run, "failed", "the endpoint <b>refused</b>")
    ledger.method_id(made.catalogue, "explainer", "plain", "m", {"explainer": "plain"})
    return folder


def imported_without_activations(folder):
    from core.importing.delphi import ImportRequest, import_delphi

    write_text_run(folder / "run")
    list(import_delphi(folder / "store", ImportRequest(folder / "run", "imported")))
    return folder / "store"


ODD = [no_store, no_cache, unfinished_cache, zero_features, one_feature, no_scores,
       failed_explanations, failed_run, imported_without_activations]  # fmt: skip


@pytest.fixture(scope="module", params=ODD, ids=lambda make: make.__name__)
def odd_store(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp(request.param.__name__))


def test_no_page_raises_and_every_page_says_something(monkeypatch, odd_store):
    monkeypatch.setenv("GLOSS_STORE", str(odd_store))
    for name, query in PAGES.items():
        app = AppTest.from_file(APP, default_timeout=30)
        app.run()  # pages whose address is not their file's name are known only then
        for key, value in query.items():
            app.query_params[key] = value
        app.switch_page(f"views/{name.split()[0]}.py").run()
        assert not app.exception, (name, app.exception)
        assert said(app), name


def said(app) -> str:
    """Everything that the page shows as text, the style sheet left out."""
    parts = [element.proto.body for element in app.get("html")]
    return "".join(part for part in parts if not part.startswith("<style"))

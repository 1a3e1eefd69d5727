"""Pages by AppTest: opened as an address opens them, and what they show."""

from pathlib import Path

from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

APP = str(Path(__file__).parents[1] / "dashboard" / "app.py")
PATIENCE = 30  # seconds; the first run imports everything
# Every AppTest would read what all installed packages say of themselves, in search of components:
# four fifths of a test's time.
manifest_scanner.scan_component_manifests = list
# Known by their address only after a first run.
NAMED_APART = ("try_text", "import_export", "two_models", "collected")


def open_page(monkeypatch, store, page="", *, patience=PATIENCE, **query):
    """Open a file of views/, the first page if none is named, with what its address says."""
    monkeypatch.setenv("GLOSS_STORE", str(store))
    app = AppTest.from_file(APP, default_timeout=patience)
    if page in NAMED_APART:
        app.run()
    for name, value in query.items():
        app.query_params[name] = value
    if page:
        app.switch_page(f"views/{page}.py")
    app.run()
    assert not app.exception, app.exception
    return app


def html_of(app) -> str:
    return "".join(element.proto.body for element in app.get("html"))

"""Pages by AppTest: opened as an address opens them, and what they show."""

import json
from pathlib import Path

import plotly.graph_objects as go
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
    """All HTML of ours on a page: as st.html draws it and as dashboard/words.py does."""
    drawn = "".join(element.proto.body for element in app.get("html"))
    return drawn + "".join(json.loads(sent.proto.json)["html"] for sent in sent_to(app, "words"))


def figures(app) -> list[dict]:
    """The figures of a page as they are sent, each one that Plotly takes."""
    drawn = [json.loads(json.loads(one.proto.json)["figure"]) for one in sent_to(app, "chart")]
    for figure in drawn:
        go.Figure(figure)
    return drawn


def sent_to(app, component) -> list:
    """What a page has of one of our components."""
    return [one for one in app.get("bidi_component") if one.proto.component_name == component]


def click_chart(app, key, point):
    """Click a point of a chart, as the browser says it; `point` is its customdata."""
    (chart,) = (one for one in sent_to(app, "chart") if one.proto.id.endswith(f"-{key}"))
    states = app._tree.get_widget_states()
    clicked = states.widgets.add()
    clicked.id = f"$$STREAMLIT_INTERNAL_KEY_{chart.proto.id}__events"
    clicked.json_trigger_value = json.dumps([{"event": "clicked", "value": point}])
    app._run(states)
    assert not app.exception, app.exception
    return app

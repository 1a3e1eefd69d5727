"""Every page, light and dark, at two widths: nothing sticks out, nothing is missing.

With GLOSS_PICTURES=DIR the pictures are kept there; the README's, dashboard/feature.png, is
feature-light-1440.png of the store in $GLOSS_STORE (else of a small one made here).
"""

import os
from pathlib import Path

import pytest

from data import caches
from data.catalogue import Catalogue

pytestmark = pytest.mark.browser
SETTLES = 800  # milliseconds, for charts and tables to be painted
FEWEST = 40  # characters that every page has, what is painted on canvases left out
PAGES = {
    "features": "/?cache={cache}",
    "chart": "/?cache={cache}&view=Chart",
    "feature": "/feature?cache={cache}&feature={feature}",
    "compare-one": "/compare?mode=one&cache={cache}&feature={feature}",
    "compare-many": "/compare?mode=many&cache={cache}",
    "compare-figures": "/compare?mode=figures&cache={cache}",
    "runs": "/runs",
    "try-text": "/try-text?cache={cache}",
    "two-models": "/two-models",
    "interventions": "/interventions?cache={cache}",
    "filters": "/filters?cache={cache}",
    "data": "/data",
    "baselines": "/baselines?cache={cache}",
    "similarity": "/similarity?cache={cache}",
    "collections": "/collections",
    "sql": "/data?part=SQL",
}
STICKS_OUT = """() => [...document.querySelectorAll('.fx *, button, label')]
    .filter(e => e.offsetParent && e.getBoundingClientRect().right > innerWidth + 1
            && !e.closest('[data-testid=stDataFrame], [style*=overflow]'))
    .slice(0, 5).map(e => e.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def shown_store(request) -> Path:
    """The store that is photographed."""
    named = os.environ.get("GLOSS_STORE")
    return Path(named) if named else request.getfixturevalue("scored_store")


@pytest.fixture(scope="module")
def shown(shown_store, serve):
    """It served, with what addresses need to name."""
    record = caches.caches(Catalogue(shown_store))[0]
    with Catalogue(shown_store).reading() as con:
        best = con.row(
            "select h.name, f.feature from feature_summary f join hookpoint h using (hookpoint_id) "
            "where n_judged > 300 order by detection + fuzzing desc, feature limit 1"
        )
    names = {"cache": record.name, "feature": f"{best['name']}/{best['feature']}"}
    return serve(shown_store).address, names


EVERY = [("light", 1440), ("dark", 1024), ("light", 1024), ("dark", 1440)]


@pytest.mark.parametrize(
    ("scheme", "width"), EVERY if os.environ.get("GLOSS_PICTURES") else EVERY[:2]
)
def test_every_page_fits_its_window(window, shown, scheme, width, tmp_path):
    address, names = shown
    folder = Path(os.environ.get("GLOSS_PICTURES") or tmp_path)
    visitor = window(address, viewport={"width": width, "height": 1000}, scheme=scheme)
    for name, path in PAGES.items():
        visitor.open(path.format(**names))
        visitor.page.wait_for_timeout(SETTLES)
        visitor.still()
        text = visitor.text
        assert len(text) > FEWEST, name
        assert "Traceback" not in text, name
        assert "defect" not in text, name
        assert visitor.page.evaluate(STICKS_OUT) == [], name
        visitor.page.screenshot(path=folder / f"{name}-{scheme}-{width}.png")

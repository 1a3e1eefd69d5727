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
SETTLES, PAINTED = 300, 800  # milliseconds, for a page to be laid out; for its charts to be painted
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

BEHIND = {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 21, 28)"}  # as in config.toml
COLOURED = "c => getComputedStyle(document.querySelector('.stApp')).backgroundColor === c"


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
            "join explanation e using (explanation_id) where f.n_judged > 300 "
            "order by e.text like 'Fires on any token right after%' and len(e.text) < 90 desc, "
            "f.detection + f.fuzzing desc, f.feature limit 1"  # more than a word, in one line
        )
    names = {"cache": record.name, "feature": f"{best['name']}/{best['feature']}"}
    return serve(shown_store).address, names


LOOKS = [("light", 1440), ("dark", 1024)]
MORE = [("light", 1024), ("dark", 1440)]  # for pictures


def test_every_page_fits_its_window(window, shown):
    """A page is loaded once; its window is then resized, and its machine turned dark or light."""
    address, names = shown
    visitor, kept = window(address), os.environ.get("GLOSS_PICTURES")
    looks = LOOKS + (MORE if kept else [])
    for name, path in PAGES.items():
        visitor.look(*looks[0])
        visitor.open(path.format(**names))
        for scheme, width in looks:
            visitor.look(scheme, width)
            visitor.page.wait_for_function(COLOURED, arg=BEHIND[scheme])
            visitor.page.wait_for_timeout(PAINTED if kept else SETTLES)
            visitor.still()
            text = visitor.text
            assert len(text) > FEWEST, name
            assert "Traceback" not in text, name
            assert "defect" not in text, name
            assert visitor.page.evaluate(STICKS_OUT) == [], name
            if kept:
                visitor.page.screenshot(path=Path(kept) / f"{name}-{scheme}-{width}.png")
        looks.reverse()  # the next page is loaded in the other look

"""HTML of ours in a page, where st.html would take too long (component/words.js)."""

from pathlib import Path

from dashboard.scripts import script

HERE = Path(__file__).parent / "component"
SCRIPT = (HERE / "words.js").read_text(encoding="utf-8")


def words(html: str, *, key: str) -> None:
    """Draw a block; everything in it that came from elsewhere is escaped, as for st.html."""
    script("words", SCRIPT, html="<div class=gloss-words></div>")(key=key, data={"html": html})

"""HTML of ours in a page, where st.html would take too long (component/words.js)."""

from dashboard.scripts import script, source

SCRIPT = source("words.js")


def words(html: str, *, key: str) -> None:
    """Draw a block; everything in it that came from elsewhere is escaped, as for st.html."""
    script("words", SCRIPT, html="<div class=gloss-words></div>")(key=key, data={"html": html})

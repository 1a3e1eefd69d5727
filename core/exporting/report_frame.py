"""The frame of every page of a report: one file that asks nobody for anything.

Styles and script are inside the page. The policy in its head allows that one script, by its hash,
and inline styles, and nothing else: whatever a token or a reply holds, nothing is loaded or run.
"""

import base64
import hashlib
import html
import re
from functools import lru_cache
from pathlib import Path

from core.drawing import SHEET
from core.drawing.spans import plain

HERE = Path(__file__).parent
GENERATOR = '<meta name="generator" content="Gloss report">'
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@lru_cache(1)
def _styles() -> str:
    sheets = (HERE / "report.css", SHEET)
    rules = "\n".join(COMMENT.sub("", sheet.read_text("utf-8")) for sheet in sheets)
    return "\n".join(line.strip() for line in rules.splitlines() if line.strip())


@lru_cache(1)
def _script() -> tuple[str, str]:
    """The script and the hash by which it is allowed."""
    source = (HERE / "report.js").read_text("utf-8")
    digest = hashlib.sha256(source.encode()).digest()
    return source, base64.b64encode(digest).decode()


def page(title: str, body: str) -> str:
    """A whole page; body: HTML in which everything is escaped."""
    return "".join((opening(title), body, closing()))


def opening(title: str) -> str:
    """Everything before the body's content; title: plain text."""
    _, digest = _script()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">{GENERATOR}'
        '<meta name="referrer" content="no-referrer">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(plain(title))}</title><style>{_styles()}</style></head><body><main>"
    )


def closing() -> str:
    """Everything behind the body's content."""
    return f"</main><script>{_script()[0]}</script></body></html>\n"

"""Serve the dashboard: python -m dashboard [--store DIR] [--port N] [--no-browser]

Becomes the Streamlit server with the options of `options.py`; `gloss serve` and `gloss demo` start
this. The store travels in $GLOSS_STORE, which `session.py` reads.
"""

import argparse
import os
from pathlib import Path

from dashboard.options import APP, BARE, command


def main() -> None:
    """Replace this process by the server, so that a signal reaches it."""
    parser = argparse.ArgumentParser(prog="python -m dashboard", description="Serve the dashboard.")
    parser.add_argument("--store", type=Path, default=os.environ.get("GLOSS_STORE", "store"))
    parser.add_argument("--port", type=int, default=None, help="default: 8501 or the next free one")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    parser.add_argument("--bare", action="store_true", help="a page to compare speed with")
    arguments = parser.parse_args()
    os.environ["GLOSS_STORE"] = str(Path(arguments.store).absolute())
    page = BARE if arguments.bare else APP
    words = command(arguments.port, open_browser=not arguments.no_browser, page=page)
    os.execv(words[0], words)


if __name__ == "__main__":
    main()

"""A cache's name, checked before the catalogue hears of it. Knows nothing of stores."""

import re

from data.errors import BadInput

NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._ -]{0,98}[A-Za-z0-9._-])?")


def require_name(name: str) -> None:
    """Refuse a name that cannot be a folder's everywhere."""
    if not NAME.fullmatch(name):
        said = name if len(name) <= 40 else f"{name[:40]}..."
        raise BadInput(
            f"--name {said!r} cannot name a cache: use up to 100 letters (a-z), digits, spaces "
            "and . _ -, beginning with a letter or digit"
        )

"""What was typed for a cache: its name, checked before the catalogue hears of it, and paths that
are found again from any folder. Knows nothing of stores.
"""

import os
import re
from pathlib import Path

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


def full_subject(name: str) -> str:
    """Spell a subject's folder or file in full, so that later commands find it from anywhere.

    A hub id stays as it is. Links are kept: what they lead to counts by its hash.
    """
    path = _path(name)
    is_file = path is not None and path.suffix.lower() == ".gguf" and path.is_file()
    return os.path.abspath(path) if path and (path.is_dir() or is_file) else name


def full_sae(source: str) -> str:
    """Spell an SAE's folder or file in full; names, and SAEs without files, stay as they are."""
    from core.sae.neurons import is_neurons
    from core.sae.random import is_random

    path = None if is_random(source) or is_neurons(source) else _path(source)
    return os.path.abspath(path) if path and path.exists() else source


def _path(name: str) -> Path | None:
    return Path(name).expanduser() if name and "\0" not in name else None

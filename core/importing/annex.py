"""Contexts of an import that are not found in its cache's tokens: kept beside them, as text.

Their first tokens are numbered on behind the last token of the cache, so that an index tells where
a context is. The file is one JSON object; most imports have none.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.importing.contexts import Placed
from core.importing.gather import Contexts
from data.durable import discard, reporting, write_file
from data.errors import BadInput

NAME = "annex.json"


class AnnexText(NamedTuple):
    """One context that stands nowhere in the cache."""

    tokens: list[str]
    activations: list[float]  # raw, one a token


def write_annex(folder: Path, contexts: Contexts, placed: Placed, n_tokens: int) -> None:
    """Write what was not found; nothing when all of it was."""
    missing = np.flatnonzero(placed.first_token >= n_tokens).tolist()
    if not missing:
        discard(folder / NAME)
        return
    found = {
        str(int(placed.first_token[number])): [
            [contexts.vocabulary[token] for token in contexts.tokens(number).tolist()],
            [round(float(value), 6) for value in contexts.values(number)],
        ]
        for number in missing
    }
    text = json.dumps({"format": 1, "contexts": found})
    write_file(folder / NAME, [text.encode("utf-8")])


def read_annex(folder: Path) -> dict[int, AnnexText]:
    """The contexts by their first token; empty without such a file."""
    path = folder / NAME
    if not path.exists():
        return {}
    try:
        with reporting(path):
            found = json.loads(path.read_text("utf-8"))["contexts"]
        return {int(first): AnnexText(*text) for first, text in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path} is damaged: import the run again under another --name") from error

"""What makes two caches the same, and whether one that was begun may make room for another.

Subject, tokenizer, SAEs and text count by their hashes, wherever their files are and however that
is spelled. Knows nothing of the catalogue.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.cachefiles import read_meta
from data.errors import BadInput, NotFound

if TYPE_CHECKING:
    from data.caches import SaeFacts, SubjectFacts

SAID = {  # what a key is called where its name would not be understood
    "subject": "a subject with the weights",
    "tokenizer": "a tokenizer",
    "text": "a corpus with the text",
    "runs_on": "the subject run",
    "hookpoints": "the hookpoints",
}
CHANGE_HASHES = ("tokens", "dtype")  # how much of the text counts, how weights are rounded
HASH = re.compile(r"[0-9a-f]{64}")


def facts(
    subject: "SubjectFacts", saes: Sequence["SaeFacts"], settings: Mapping[str, Any], seed: int
) -> dict[str, Any]:
    """Put together everything that a cache is compared by, JSON-ready.

    A subject whose weights' hash is unknown counts by its name and revision.
    """
    at = {f"SAE at {sae.hookpoint}": sae.weights_sha256 for sae in saes}
    at |= {
        f"what is read at {sae.hookpoint}": sae.settings["read_as"]
        for sae in saes if sae.settings.get("read_as")
    }  # fmt: skip
    return {
        **settings,
        "subject": subject.sha256 or f"{subject.name} {subject.revision or ''}".strip(),
        "dtype": subject.dtype,
        "hookpoints": ", ".join(sorted(sae.hookpoint for sae in saes)),
        "seed": seed,
        **at,
    }


def difference(begun: Mapping[str, Any], asked: Mapping[str, Any]) -> str | None:
    """Name the first fact that differs, e.g. "tokens 1000, not 2000"; None when none does.

    Settings that change hashes come before the hashes, which then differ for no other reason.
    """

    def order(key: str) -> tuple[bool, bool, str]:
        return key not in CHANGE_HASHES, key not in SAID, key

    for key in sorted(begun.keys() | asked.keys(), key=order):
        old, new = begun.get(key), asked.get(key)
        if old != new:
            return f"{SAID.get(key, key)} {_short(old)}, not {_short(new)}"
    return None


def _short(value: Any) -> str:
    """Eight digits of a hash; anything else as it is."""
    text = "none" if value is None else str(value)
    return f"{text[:8]}..." if HASH.fullmatch(text) else text


def nothing_stored(folder: Path) -> bool:
    """Say whether a cache has neither complete tokens nor any activations: nothing to lose."""
    if any(folder.glob("*/columns")) or any(folder.glob("*/shards/*.safetensors")):
        return False
    try:
        return read_meta(folder).n_sequences == 0
    except NotFound:
        return True
    except BadInput:  # damaged: somebody may want to look
        return False

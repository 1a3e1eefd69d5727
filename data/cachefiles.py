"""One cache on disk: cache.json, the tokens, the vocabulary, and the activations of each hookpoint.

    caches/<name>/cache.json              identity and settings, written first
    caches/<name>/tokens.u16|u32          flat [n_sequences * sequence_length]
    caches/<name>/documents.u64           flat index at which each document starts
    caches/<name>/sources.{u64,json}      which file and row each document comes from, if known
    caches/<name>/vocabulary.json         the bytes of every token id
    caches/<name>/<hookpoint_id>/{shards,columns,topk}

Opening reads cache.json only; the rest is opened when it is asked for. Writing one is
`write_meta`, `Vocabulary.save`, `write_tokens`, `write_documents`, then for each hookpoint
`write_shard` (and `write_strongest`) for every shard, and `merge`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from data.activations import SHARD_TOKENS, Columns
from data.durable import reporting, write_file
from data.errors import BadInput, NotFound, StoreTrouble
from data.strongest import TokenMajor
from data.tokens import TokenFile
from data.vocabulary import Vocabulary

# Not part of what identifies a cache.
FACTS = (
    "n_sequences", "n_documents", "n_unmasked", "tokens_sha256", "exhausted", "reading", "subject",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class HookpointMeta:
    """One SAE of a cache."""

    hookpoint_id: int
    name: str  # module path; output side unless it ends in ":in"
    sae_source: str  # path or repository as given
    sae_kind: str  # topk, relu, jumprelu
    sae_sha256: str  # of the weights
    n_features: int
    topk: int = 32  # strongest features kept for every token
    read_as: str = ""  # TransformerLens's name of what is read; "" = what the module gives, or what
    # the SAE's own files say


@dataclass(frozen=True, slots=True)
class CacheMeta:
    """What determines a cache, and what is known of its tokens once they are written."""

    sequence_length: int  # tokens run at once
    n_sequences: int = 0  # 0 until the token file is complete
    special_ids: tuple[int, ...] = ()  # never activate, never shown as text
    seed: int = 0  # of splits and draws
    context_length: int = 32  # tokens a context
    subject: str = ""  # path or hub id
    subject_sha256: str = ""  # of a sample of all weights
    architecture: str = ""  # class of the model
    dtype: str = "float32"  # of the weights as run
    runs_on: Literal["here", "ndif", "rehearsal"] = "here"  # where the subject ran
    corpus: str = ""  # specification as typed
    tokenizer_sha256: str = ""  # of the vocabulary
    vocabulary_size: int = 65_536  # ids
    requested_tokens: int = 0
    bos_id: int | None = None  # first token of every sequence; None = sequences begin with text
    eos_id: int | None = None  # stands between documents; None = nothing does
    packing: Literal["pack", "one-per-document", "stored"] = "pack"  # stored = as they were read
    column: str | None = None  # of the corpus, with the text; None = the first known name
    split_at: str | None = None  # where text files are split; None = one document a file
    shuffle_seed: int | None = None  # of a permutation of the documents; None = file order
    batch_size: int = 16  # sequences run at once
    shard_tokens: int = SHARD_TOKENS  # tokens a shard, rounded down to whole sequences
    hookpoints: tuple[HookpointMeta, ...] = ()
    n_documents: int = 0
    n_unmasked: int = 0  # positions that may activate
    tokens_sha256: str = ""  # of the token file; "" until it is complete
    exhausted: bool = False  # the corpus ended before the requested number of tokens
    reading: Mapping[str, Any] = field(default_factory=dict)  # what was found on reading the corpus

    @property
    def n_tokens(self) -> int:
        """All positions, special ones too."""
        return self.n_sequences * self.sequence_length

    @property
    def token_dtype(self) -> str:
        """u16 or u32, as in the name of the token file."""
        return "u16" if self.vocabulary_size <= 65_536 else "u32"

    @property
    def sequences_per_shard(self) -> int:
        """Whole sequences of a shard."""
        return max(1, self.shard_tokens // self.sequence_length)

    @property
    def n_shards(self) -> int:
        """Shards that the whole cache has."""
        return -(-self.n_sequences // self.sequences_per_shard)

    def identity(self) -> dict:
        """Everything that was decided before the first token was read.

        Subject and SAEs count by their hashes: a path may be written in several ways.
        """
        known = {name: value for name, value in asdict(self).items() if name not in FACTS}
        known["hookpoints"] = [
            {name: value for name, value in hookpoint.items() if name != "sae_source"}
            for hookpoint in known["hookpoints"]
        ]
        return known


def write_meta(folder: Path, meta: CacheMeta) -> None:
    """Write cache.json."""
    text = json.dumps(asdict(meta), sort_keys=True, indent=1, allow_nan=False)
    write_file(folder / "cache.json", [text.encode("utf-8") + b"\n"])


def read_meta(folder: Path) -> CacheMeta:
    """Read cache.json; unknown keys are left alone, missing ones have their defaults."""
    path = folder / "cache.json"
    if not path.exists():
        raise NotFound(f"no cache in {folder}: `gloss status` lists the caches of a store")
    try:
        with reporting(path):
            stored = json.loads(path.read_text("utf-8"))
        known = {one.name for one in fields(CacheMeta)}
        chosen = {name: value for name, value in stored.items() if name in known}
        chosen["special_ids"] = tuple(stored.get("special_ids", ()))
        chosen["hookpoints"] = tuple(HookpointMeta(**h) for h in stored.get("hookpoints", ()))
        return CacheMeta(**chosen)
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInput(f"{path} is damaged: make the cache again") from error


class CacheFiles:
    """Everything that a cache has on disk, opened piece by piece."""

    def __init__(self, folder: Path, meta: CacheMeta) -> None:
        self.folder = folder
        self.meta = meta

    @classmethod
    def open(cls, folder: Path) -> "CacheFiles":
        """Open a cache whose tokens are complete; its activations may still be growing."""
        meta = read_meta(folder)
        if not meta.n_sequences:
            raise StoreTrouble(f"the cache in {folder} has no tokens yet: run `gloss cache` again")
        return cls(folder, meta)

    @cached_property
    def tokens(self) -> TokenFile:
        """The token file."""
        meta = self.meta
        return TokenFile(self.folder, meta.token_dtype, meta.n_sequences, meta.sequence_length)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The bytes of every token id."""
        return Vocabulary.load(self.folder / "vocabulary.json")

    def hookpoint_folder(self, hookpoint_id: int) -> Path:
        """Where a hookpoint's activations lie."""
        return self.folder / str(int(hookpoint_id))

    def columns(self, hookpoint_id: int) -> Columns:
        """Open the activations of a hookpoint, as far as they are written."""
        return Columns.open(self.hookpoint_folder(hookpoint_id))

    def strongest(self, hookpoint_id: int) -> TokenMajor:
        """Open the strongest features of every token."""
        per_shard = self.meta.sequences_per_shard * self.meta.sequence_length
        return TokenMajor(self.hookpoint_folder(hookpoint_id), per_shard)

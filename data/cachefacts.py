"""What is entered of a cache: its subject, SAEs and corpus, and all features of a hookpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from data.records import Losses


@dataclass(frozen=True, slots=True)
class SubjectFacts:
    """The model being explained, as it was loaded."""

    name: str  # path or hub id as typed
    revision: str | None
    architecture: str | None  # None = an import does not say; so below
    dtype: str | None
    n_layers: int | None
    d_model: int | None
    vocabulary_size: int | None
    sha256: str = ""  # of a sample of all weights; "" = unknown


@dataclass(frozen=True, slots=True)
class SaeFacts:
    """One SAE at one hookpoint of the subject."""

    hookpoint: str  # module path in the subject
    source: str
    kind: str
    weights_sha256: str
    n_features: int
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CorpusFacts:
    """The tokens that were cached."""

    spec: str
    tokens_sha256: str
    tokenizer_sha256: str
    token_dtype: str  # u16 or u32
    sequence_length: int
    n_sequences: int
    n_documents: int
    n_unmasked: int  # positions that may activate
    settings: Mapping[str, Any]
    is_known: bool = True  # False = only contexts of it: how many tokens it has is unknown


@dataclass(frozen=True, slots=True)
class HookpointTables:
    """What is known of all features of one hookpoint, columns as in schema.sql."""

    n_activations: int
    fvu: float | None  # variance that the SAE leaves unexplained; None without decoder
    l0: float | None  # active features a token, mean; None = not measured
    feature: pa.Table
    feature_chart: pa.Table
    neighbour: pa.Table
    losses: Losses | None = None  # of the subject with the SAE in its place; None = not measured

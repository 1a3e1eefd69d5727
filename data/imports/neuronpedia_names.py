"""How Neuronpedia calls models, sources and features, and its addresses (formats 3.1).

A source is called `<layer>-<set>` or `<layer>-<set>__<suffix>`; a bare number is the neurons of the
MLP of that layer, "e" the embeddings.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from data.errors import BadInput
from data.imports.foreign import shown

MODEL = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]{1,128}")  # it is a folder's name, too
SOURCE = re.compile(r"(?P<layer>[a-z0-9]{1,8})(?:-(?P<set>[\w.-]+?))?(?:__(?P<suffix>[\w.-]+))?")
ADDRESS = re.compile(
    r"(?:https?://[^/\s]+/)?(?P<model>[\w.-]+)/(?P<source>[\w.-]+)/(?P<index>\d{1,9})/?"
)


class SourceName(NamedTuple):
    """The parts of a sourceId."""

    layer: str  # a number, or "e" for embeddings
    set: str | None  # None = neurons of the MLP of that layer
    suffix: str | None


def source_name(source_id: str) -> SourceName:
    """Split a sourceId; what cannot be one is refused.

    >>> source_name("12-gemmascope-res-16k__l0-8")
    SourceName(layer='12', set='gemmascope-res-16k', suffix='l0-8')
    """
    found = SOURCE.fullmatch(source_id)
    if found is None or len(source_id) > 256:
        raise BadInput(f"'{shown(source_id)[:60]}' is no sourceId such as 6-res-jb")
    return SourceName(found["layer"], found["set"], found["suffix"])


class FeatureAddress(NamedTuple):
    """A feature as Neuronpedia names it."""

    model_id: str
    source_id: str
    feature: int


def feature_address(pasted: str) -> FeatureAddress | None:
    """The feature of a pasted address or its end; None where it is none.

    >>> feature_address("https://www.neuronpedia.org/gpt2-small/6-res-jb/650")
    FeatureAddress(model_id='gpt2-small', source_id='6-res-jb', feature=650)
    """
    found = ADDRESS.fullmatch(pasted.strip().split("?")[0].split("#")[0])
    if found is None or SOURCE.fullmatch(found["source"]) is None:
        return None
    return FeatureAddress(found["model"], found["source"], int(found["index"]))


def shortened(address: str, hookpoints: Iterable[str]) -> str:
    """An address of Neuronpedia as one of ours, where a hookpoint is called like its source.

    >>> shortened("https://www.neuronpedia.org/gpt2-small/6-res-jb/650", ["6-res-jb"])
    '6-res-jb/650'
    """
    found = feature_address(address)
    if found is None or found.source_id not in hookpoints:
        return address
    return f"{found.source_id}/{found.feature}"


def source_order(source_id: str) -> tuple[int, str]:
    """Sort key that puts layer 2 before layer 10."""
    layer = source_name(source_id).layer
    return (int(layer) if layer.isdecimal() else -1, source_id)

"""Entries of a list as features of one cache; nothing is kept of a list with a bad entry.

A hookpoint may be named as everywhere in Gloss (its module path or the clear end of it), as
TransformerLens names it, or as Sparse Feature Circuits does: resid_3, attn_3, mlp_3, embed.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from core.collections.listing import Entry
from core.hookpoints.families import Family, family_of
from core.hookpoints.names import dictionary_spot, spot
from data import caches
from data.collections import HIDDEN, Member
from data.errors import BadInput, NotFound
from data.records import CacheRecord

LISTED = 100  # bad entries that a message names
LONGEST = 60  # characters of each
CIRCUIT = re.compile(r"(resid|attn|mlp)_(\d{1,4})|embed")
OUTPUTS = {"resid": "resid_post", "attn": "attn_out", "mlp": "mlp_out"}  # in dictionary_learning


class Read(NamedTuple):
    """A list that is good throughout."""

    members: tuple[Member, ...]  # in the order of the list, each once
    repeated: int  # entries that named a feature again


def members_of(
    entries: Sequence[Entry], record: CacheRecord, architecture: str | None = None
) -> Read:
    """Resolve every entry; BadInput names all that a cache does not have.

    architecture: class of the subject's model, for names of other libraries.
    """
    family = family_of(architecture)
    found: dict[tuple[int, int], Member] = {}
    bad: dict[str, None] = {}
    for entry in entries:
        try:
            hookpoint, feature = _resolved(entry.address, record, family)
        except NotFound as error:
            bad.setdefault(f"{_quoted(entry.address)} ({error})")
            continue
        key = hookpoint.hookpoint_id, feature
        found.setdefault(key, Member(*key, entry.label))
    if bad:
        raise BadInput(_refusal(list(bad), record))
    return Read(tuple(found.values()), len(entries) - len(found))


def _resolved(address: str, record: CacheRecord, family: Family | None):
    """The hookpoint and number of an address; NotFound says in a few words what is amiss."""
    name, _, index = address.rpartition("/")
    if not name and len(record.hookpoints) > 1 and index.isdecimal():
        raise NotFound("which hookpoint?")
    if not index.isdecimal() or len(index) > 10:
        raise NotFound("no HOOKPOINT/INDEX")
    known = [one.name for one in record.hookpoints]
    wanted = next((n for n in (name, *_translated(name, family)) if n in known), name)
    try:
        hookpoint = caches.hookpoint(record, wanted or None)
    except NotFound:
        raise NotFound("no such hookpoint") from None
    if int(index) >= hookpoint.n_features:
        raise NotFound(f"features are 0 to {hookpoint.n_features - 1:,}")
    return hookpoint, int(index)


def _translated(name: str, family: Family | None) -> list[str]:
    """What other libraries' names mean in this family of models."""
    if family is None:
        return []
    found = CIRCUIT.fullmatch(name)
    word = f"{OUTPUTS[found[1]]}_layer_{found[2]}" if found and found[1] else name
    places = [dictionary_spot(family, word, "out"), spot(family, name)]
    return [place.hookpoint for place in places if place is not None]


def _quoted(address: str) -> str:
    said = HIDDEN.sub("\ufffd", address)
    return f"'{said[:LONGEST]}{'…' if len(said) > LONGEST else ''}'"


def _refusal(bad: list[str], record: CacheRecord) -> str:
    names = ", ".join(bad[:LISTED])
    more = f" and {len(bad) - LISTED:,} more" if len(bad) > LISTED else ""
    n = "1 entry is" if len(bad) == 1 else f"{len(bad):,} entries are"
    there = ", ".join(one.name for one in record.hookpoints)
    return f"{n} not in cache '{record.name}', which has {there}: {names}{more}"

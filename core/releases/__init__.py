"""Published sets of SAEs by short name: what a name stands for. Nothing here asks the hub."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from difflib import get_close_matches
from typing import NamedTuple

from core.releases.canonical import canonical_l0
from core.releases.table import RELEASES, Release
from data.errors import BadInput

__all__ = ["RELEASES", "Release", "Source", "find_release", "in_release", "like", "lines",
           "parse_source"]  # fmt: skip

CANONICAL = re.compile(r"layer_(\d+)/width_(\w+)/canonical")


class Source(NamedTuple):
    """Where SAEs are: a folder or hub id, and a part of it."""

    root: str
    below: str = ""  # "" = all of it
    release: Release | None = None


def parse_source(typed: str, *, is_there: bool) -> Source:
    """Read what was given as an SAE: a folder, a short name or a hub id, then a part of it.

    is_there: whether something on this machine is called so, which comes first.
    `gemma-scope-2b-pt-res/layer_12/width_16k/canonical` is one SAE of a set, `org/name/layers.3`
    one of a repository.
    """
    if is_there or typed.startswith((".", "/", "~")):
        return Source(typed)
    first, _, rest = typed.rstrip("/").partition("/")
    release = find_release(first)
    if release is not None:
        return Source(release.repository, _folder(release, rest), release)
    parts = typed.rstrip("/").split("/")
    root, below = "/".join(parts[:2]), "/".join(parts[2:])
    known = next((one for one in RELEASES if one.repository == root), None)
    return Source(root, _folder(known, below) if known else below, known)


def find_release(name: str) -> Release | None:
    """Find a release by one of its names."""
    return next((one for one in RELEASES if name in (one.name, *one.also)), None)


def like(name: str) -> str | None:
    """Name the release whose name is nearest to a mistyped one; None where none is near."""
    known = [other for one in RELEASES for other in (one.name, *one.also)]
    return next(iter(get_close_matches(name.partition("/")[0], known, n=1, cutoff=0.8)), None)


def in_release(name: str, below: str) -> str:
    """The folder of a release that a part of it names, "canonical" being none."""
    release = find_release(name)
    return below if release is None else _folder(release, below)


def _folder(release: Release, below: str) -> str:
    """Replace "canonical" by the SAE that it stands for."""
    if not below.endswith("/canonical"):
        return below
    found = CANONICAL.fullmatch(below)
    l0 = found and canonical_l0(release.repository, int(found[1]), found[2])
    if not found or l0 is None:
        raise BadInput(
            f"no canonical SAE of {release.name} is known for {below.removesuffix('/canonical')}: "
            f"name one, e.g. {release.name}/{release.folders}"
        )
    return f"layer_{int(found[1])}/width_{found[2]}/average_l0_{l0}"


def lines(*, as_json: bool) -> Iterator[str]:
    """The table, one release a line."""
    if as_json:
        yield from (json.dumps(asdict(one)) for one in RELEASES)
        return
    yield "--sae NAME or NAME/FOLDER; after each name the subject that it was trained on"
    width = max(len(one.name) for one in RELEASES)
    for one in RELEASES:
        note = f"; {one.note}" if one.note else ""
        also = f"; also {', '.join(one.also)}" if one.also else ""
        yield (
            f"{one.name:{width}}  {one.subject}  {one.hookpoints}; {one.features} features{note}; "
            f"e.g. {one.name}/{one.folders}{also}"
        )

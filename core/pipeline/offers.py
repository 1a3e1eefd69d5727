"""What the sources of a cache's SAEs offer, and where in the subject each of them belongs.

A source is a folder, a file, a hub id, the short name of a release, each perhaps with a part of it,
`random:FEATURES:K` or `neurons:K`. Configurations are read, no weights. Knows nothing of stores.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from core.releases import Source, find_release, in_release, like, parse_source
from data.errors import BadInput

if TYPE_CHECKING:
    from core.hookpoints import Place
    from core.sae import Listed
    from core.sae.hooks import Hook
    from core.subject import Subject

LAYER = re.compile(r"(^|\.)(layers|h|blocks)\.\d+")  # what only a module path looks like
SHOWN = 8  # SAEs or hookpoints named in one line


class Offer(NamedTuple):
    """One SAE of a source."""

    source: str  # as typed
    root: str  # folder, file or hub id that it is loaded from
    name: str  # of its folder there
    hook: "Hook | None" = None  # where it reads, as its files say
    trained_on: str | None = None  # model that its release names
    place: "Place | None" = None  # in the subject; None: nothing there is meant by its name
    problem: str = ""  # why there is none
    elsewhere: str = ""  # place that its files name and the subject lacks, or --hookpoint overrules

    @property
    def is_made(self) -> bool:
        """Whether it has no files, so that it fits any hookpoint."""
        return self.root == ""

    @property
    def words(self) -> str:
        """Name it: its source, and its folder where the source's name does not end in it."""
        source = self.source.rstrip("/")
        is_said = PurePosixPath(source).name == self.name or source.endswith(f"/{self.name}")
        return source if is_said else f"{source} ({self.name})"


def list_sources(sources: Sequence[str]) -> list[Offer]:
    """Name what every source has; no source may be empty."""
    return [offer for source in sources for offer in _list(source)]


def _list(source: str) -> list[Offer]:
    from core.sae.neurons import is_neurons, read_kept
    from core.sae.random import is_random, read_size

    if is_random(source) or is_neurons(source):
        read_size(source) if is_random(source) else read_kept(source)
        return [Offer(source, "", source)]
    path = _on_disk(source)
    there = parse_source(path or source, is_there=path is not None)
    named = there.release.subject if there.release else None
    listed = _listed(source, there)
    if not listed:
        raise BadInput(f"{there.root} has no SAE below {there.below}: leave that part out to see "
                       "what it has")  # fmt: skip
    return [
        Offer(source, there.root, one.folder, one.hook, named, problem=one.problem)
        for one in _readable(listed)
    ]


def _readable(listed: Sequence["Listed"]) -> Sequence["Listed"]:
    """Leave out what is only recognised; where nothing else is there, that is the answer."""
    from core.sae.format_table import BARE, FORMATS

    refused = {one.name: one.refusal for one in (*FORMATS, BARE) if one.load is None}
    readable = [one for one in listed if one.format not in refused]
    if not readable:
        raise BadInput(f"{listed[0].folder} {refused[listed[0].format]}")
    return readable


def _on_disk(source: str) -> str | None:
    """Where on this machine a source is; None where it is a name of the hub.

    A folder that is called like a release is a copy of it. Raises BadInput where a folder lacks
    the part of it that is named.
    """
    path = Path(source).expanduser()
    if path.exists() or not path.parts:
        return source
    home = next((one for one in path.parents if one.is_dir() and one.name), None)
    if home is None or not (find_release(path.parts[0]) or len(path.parts) > 2):
        return None
    copy = next((one for one in path.parents if one.exists() and find_release(one.name)), None)
    if copy is not None:
        path = copy / in_release(copy.name, path.relative_to(copy).as_posix())
    if path.exists():
        return str(path)
    home = next(one for one in path.parents if one.is_dir())
    has = sorted(one.name for one in home.iterdir() if not one.name.startswith("."))
    raise BadInput(f"the folder {home} has no {path.relative_to(home)}; it has "
                   f"{shortened(has) or 'nothing'}")  # fmt: skip


def _listed(source: str, there: Source) -> list["Listed"]:
    from core.sae import list_offers

    try:
        return list_offers(there.root, there.below)
    except BadInput as error:
        near = like(source)
        is_typed = near == source.partition("/")[0]
        if near is None or is_typed or Path(there.root).expanduser().exists():
            raise
        raise BadInput(
            f"{error}; or did you mean {near}? gloss cache --list-saes names what is known"
        ) from error


def placed(subject: "Subject", offers: Sequence[Offer]) -> list[Offer]:
    """Find where in the subject every SAE belongs."""
    return [_placed(subject, offer) for offer in offers]


def _placed(subject: "Subject", offer: Offer) -> Offer:
    from core.hookpoints import locate

    if offer.hook is None:
        return offer
    try:
        return offer._replace(place=locate(offer.hook, subject))
    except BadInput as error:
        # A folder may be called anything; another library's name for a hook means something.
        is_folder = offer.hook.world == "module"
        means_it = not is_folder or LAYER.search(offer.hook.name) is not None
        return offer._replace(
            problem="" if is_folder else str(error),
            elsewhere=offer.hook.name if means_it else "",
        )


def in_words(offers: Sequence[Offer], source: str) -> str:
    """What a source is for, a few of them."""
    names = [o.place.reads if o.place else o.name for o in offers if o.source == source]
    return shortened(list(dict.fromkeys(names)))


def shortened(names: Sequence[str]) -> str:
    """Some names and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")

"""What a cache is made of, checked before the catalogue hears of it: name, corpus, SAEs.

Every hookpoint gets the one SAE whose folder is named like it, whole names only, as the subject
resolves them. Folders whose name means nothing to the subject serve, in order, the hookpoints that
no other SAE is for; so do random SAEs, and one alone serves all that are left. Knows nothing of
stores.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from data import corpus
from data.errors import BadInput, WrongSae

if TYPE_CHECKING:
    from core.sae import Sae
    from core.subject import Subject

NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._ -]{0,98}[A-Za-z0-9._-])?")
PER_TOKEN = 8  # characters of the corpus that count, a token asked for; English has 4 to 5
MOST = 2**28  # characters of the corpus that count at all


def require_name(name: str) -> None:
    """Refuse a name that cannot be a folder's everywhere."""
    if not NAME.fullmatch(name):
        said = name if len(name) <= 40 else f"{name[:40]}..."
        raise BadInput(
            f"--name {said!r} cannot name a cache: use up to 100 letters (a-z), digits, spaces "
            "and . _ -, beginning with a letter or digit"
        )


def text_of(spec: str, n_tokens: int) -> str:
    """Say which text a corpus is: the hash of as much of it as n_tokens can need.

    Reading finds what cannot be read before a model loads. The hash does not depend on where the
    files are or how that is spelled; text beyond what is read (8 characters a token, at most 268
    million) does not count. python-docs is known by the versions of its packages instead.
    """
    if spec == corpus.PYTHON_DOCS:
        return ", ".join(f"{name} {number}" for name, number in corpus.versions(spec).items())
    digest, read = hashlib.sha256(), 0
    for text in corpus.documents(spec):
        raw = text.encode()
        digest.update(len(raw).to_bytes(8, "little") + raw)
        read += len(text)
        if read >= min(PER_TOKEN * n_tokens, MOST):
            break
    if not read:
        raise BadInput(f"Corpus {spec}: there is no text in it")
    return digest.hexdigest()


class Offer(NamedTuple):
    """One SAE of a source."""

    source: str  # folder or repository, as typed
    name: str  # of its folder
    hookpoint: str | None  # module path in the subject; None = the name means nothing there


class Wish(NamedTuple):
    """A hookpoint to be cached and the SAEs that may be for it."""

    hookpoint: str  # module path, without the side
    side: str  # ":in" when the input side was asked for
    offers: tuple[Offer, ...]


def list_sources(sources: Sequence[str]) -> list[tuple[str, str]]:
    """Name what every source has, source and folder; no source may be empty."""
    from core.sae import list_hookpoints

    return [(source, name) for source in sources for name in list_hookpoints(source)]


def load_saes(
    subject: "Subject", listed: Sequence[tuple[str, str]], asked: Sequence[str]
) -> Mapping[str, "Sae"]:
    """Load the SAEs of the hookpoints asked for (none = of all), by full hookpoint with side."""
    from core.sae import require_fit

    offers = [Offer(source, name, _module(subject, name)) for source, name in listed]
    wishes = _chosen(subject, offers, asked) if asked else _all(subject, offers)
    saes: dict[str, Sae] = {}
    for wish in wishes:
        sae = _load(subject, wish)
        hookpoint = subject.resolve(wish.hookpoint + _side(sae))
        if hookpoint in saes:
            said = f"--hookpoint {hookpoint} is given twice" if asked else _two(hookpoint, offers)
            raise BadInput(f"{said}; a cache takes one SAE a hookpoint")
        require_fit(subject, hookpoint, sae)
        saes[hookpoint] = sae
    return saes


def _module(subject: "Subject", name: str) -> str | None:
    """Find the module that a folder is named after; None when the subject has none."""
    try:
        return _required(subject, PurePosixPath(name).name)
    except BadInput:
        return None


def _required(subject: "Subject", name: str) -> str:
    """Resolve a hookpoint without its side; some modules can be read on the input side only."""
    base = name.removesuffix(":in")
    try:
        return subject.resolve(base)
    except BadInput:
        if f"{base}:in" == name:
            return subject.resolve(name).removesuffix(":in")
        raise


def _all(subject: "Subject", offers: Sequence[Offer]) -> list[Wish]:
    """Take every SAE, each at the hookpoint that its folder is named after."""
    for offer in offers:
        if offer.hookpoint is None:
            raise BadInput(
                f"the SAE {_place(offer)} is named after no hookpoint of {subject.name}: say with "
                "--hookpoint what it reads"
            )
    return [Wish(offer.hookpoint, "", (offer,)) for offer in offers if offer.hookpoint]


def _chosen(subject: "Subject", offers: Sequence[Offer], asked: Sequence[str]) -> list[Wish]:
    """Find the SAEs for every hookpoint asked for, by name and then by order."""
    points = [(_required(subject, name), ":in" if name.endswith(":in") else "") for name in asked]
    wishes = [
        Wish(point, side, tuple(o for o in offers if o.hookpoint == point))
        for point, side in points
    ]
    open_ = [number for number, wish in enumerate(wishes) if not wish.offers]
    sources = [offer.source for offer in offers]
    plain = _spread(
        [o for o in offers if o.hookpoint is None and (_drawn(o) or sources.count(o.source) == 1)],
        len(open_),
    )
    if open_ and not plain:
        raise WrongSae(_nobody(subject, wishes[open_[0]].hookpoint, offers))
    if len(plain) != len(open_):
        raise BadInput(
            f"which hookpoint is for the SAE {plain[-1].source}? Its name does not say: "
            f"give one --hookpoint for each such SAE ({len(plain)} of them, {len(open_)} left)"
        )
    for number, offer in zip(open_, plain, strict=True):
        wishes[number] = wishes[number]._replace(offers=(offer,))
    used = {offer.source for wish in wishes for offer in wish.offers}
    for source in sources:
        if source not in used:
            raise WrongSae(f"--sae {source} is for {_names(offers, source)}, which no --hookpoint "
                           "asks for: leave it out, or name its hookpoint")  # fmt: skip
    return wishes


def _spread(plain: list[Offer], n: int) -> list[Offer]:
    """Let a lone random SAE serve as many of the n hookpoints as no other can."""
    drawn = [number for number, offer in enumerate(plain) if _drawn(offer)]
    if len(drawn) != 1 or n <= len(plain):
        return plain
    at = drawn[0]
    return [*plain[:at], *[plain[at]] * (n - len(plain)), *plain[at:]]


def _drawn(offer: Offer) -> bool:
    from core.sae import is_random

    return is_random(offer.source)


def _nobody(subject: "Subject", hookpoint: str, offers: Sequence[Offer]) -> str:
    """Say that no SAE is for a hookpoint, and what those given are for."""
    sources = dict.fromkeys(offer.source for offer in offers)
    given = "; ".join(f"{source} is for {_names(offers, source)}" for source in sources)
    return (
        f"no SAE is given for {hookpoint} of {subject.name}: {given}; give the SAE of that "
        "hookpoint, or another --hookpoint"
    )


def _load(subject: "Subject", wish: Wish) -> "Sae":
    """Load the SAE for a hookpoint; where several may be, the side decides."""
    found = [(offer, _loaded(subject, wish, offer)) for offer in wish.offers]
    if len(found) > 1:
        found = [(offer, sae) for offer, sae in found if _side(sae) == wish.side]
    if len(found) != 1:
        said = _two(wish.hookpoint, wish.offers)
        raise BadInput(f"{said}; a cache takes one SAE a hookpoint")
    ((offer, sae),) = found
    if wish.side and not _side(sae):
        raise WrongSae(
            f"the SAE {_place(offer)} reads the output of {wish.hookpoint} (it says transcode = "
            f"false), not its input: give --hookpoint {wish.hookpoint}"
        )
    said = _module(subject, str(sae.settings.get("hookpoint") or ""))
    if said not in (None, wish.hookpoint):
        raise WrongSae(
            f"the SAE {_place(offer)} says that it is for {said}, not for {wish.hookpoint}: "
            "give the SAE of that hookpoint, or another --hookpoint"
        )
    return sae


def _loaded(subject: "Subject", wish: Wish, offer: Offer) -> "Sae":
    """Load an offered SAE, or draw it where it has no files."""
    from core.sae import load_sae

    if not _drawn(offer):
        return load_sae(offer.source, offer.name)
    hookpoint = subject.resolve(wish.hookpoint + wish.side)
    return load_sae(offer.source, hookpoint, width=subject.width(hookpoint))


def _side(sae: "Sae") -> str:
    return ":in" if (sae.origin.hookpoint or "").endswith(":in") else ""


def _place(offer: Offer) -> str:
    """Name an SAE: its source, and its folder where the source's name does not end in it."""
    source = offer.source.rstrip("/")
    return source if PurePosixPath(source).name == offer.name else f"{source} ({offer.name})"


def _two(hookpoint: str, offers: Sequence[Offer]) -> str:
    point = hookpoint.removesuffix(":in")
    places = [_place(offer) for offer in offers if offer.hookpoint == point]
    return f"{len(places)} SAEs are given for {hookpoint}: {' and '.join(places)}"


def _names(offers: Sequence[Offer], source: str) -> str:
    """What a source is for, at most eight of them."""
    names = [offer.hookpoint or offer.name for offer in offers if offer.source == source]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")

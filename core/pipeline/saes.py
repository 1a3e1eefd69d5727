"""Which SAE each hookpoint of a cache gets.

Every hookpoint gets the one SAE that its files say is for it, whatever library's words they use.
SAEs whose files say nothing that the subject knows serve, in order, the hookpoints that no other
SAE is for; so do random SAEs and neurons, and one alone serves all that are left. Knows nothing of
stores.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from core.pipeline.offers import Offer, in_words, list_sources, placed
from core.pipeline.sae_words import (
    block_example,
    left_out,
    neurons_example,
    nobody,
    nowhere,
    other_side,
    several,
)
from data.errors import BadInput, WrongSae

if TYPE_CHECKING:
    from core.hookpoints import Place
    from core.sae import Sae
    from core.sae.hooks import Hook
    from core.subject import Subject


class Wish(NamedTuple):
    """A hookpoint to be cached and the SAEs that may be for it."""

    place: "Place"  # as resolved
    offers: Sequence[Offer]
    name: str = ""  # as typed
    is_forced: bool = False  # whether it overrules what files say

    @property
    def hookpoint(self) -> str:
        """What is read, with its side."""
        return self.place.reads


def load_saes(
    subject: "Subject", listed: Sequence[Offer], asked: Sequence[str], *, anyway: bool = False
) -> Mapping[str, "Sae"]:
    """Load the SAEs of the hookpoints asked for (none = of all), by full hookpoint with side.

    anyway: where the files of an SAE name another place than the hookpoint asked for, it is read
    at the one asked for.
    """
    offers = placed(subject, listed)
    wishes = _chosen(subject, offers, asked, anyway) if asked else _all(subject, offers)
    saes: dict[str, Sae] = {}
    for wish in wishes:
        if len(wish.offers) > 1:
            raise BadInput(several(wish.hookpoint, wish.offers))
        sae, hookpoint = _loaded(subject, wish, wish.offers[0])
        if hookpoint in saes:
            raise BadInput(f"--hookpoint {hookpoint} is given twice; a cache takes one SAE a "
                           "hookpoint")  # fmt: skip
        saes[hookpoint] = sae
    return saes


def load_again(subject: "Subject", source: str, hookpoint: str, read_as: str = "") -> "Sae":
    """Load the SAE of a cache's hookpoint, to read what it read when it was cached.

    read_as: what cache.json says of the hookpoint.
    """
    listed = list_sources([source])
    (sae,) = load_saes(subject, listed, [read_as or hookpoint], anyway=True).values()
    return sae


def _all(subject: "Subject", offers: Sequence[Offer]) -> list[Wish]:
    """Take every SAE, each at the hookpoint that its files name."""
    at: dict[str, list[Offer]] = {}
    for offer in offers:
        if offer.place is None:
            raise BadInput(nowhere(subject, offer) + left_out(offers, offer))
        at.setdefault(offer.place.reads, []).append(offer)
    return [Wish(found[0].place, found) for found in at.values() if found[0].place]


def _chosen(
    subject: "Subject", offers: Sequence[Offer], asked: Sequence[str], anyway: bool
) -> list[Wish]:
    """Find the SAEs for every hookpoint asked for, by what they say and then by order."""
    wishes = [_wish(subject, offers, name, anyway) for name in asked]
    open_ = [number for number, wish in enumerate(wishes) if not wish.offers]
    plain = _spread(_plain(offers), len(open_))
    if anyway and len(plain) < len(open_):
        taken = {offer for wish in wishes for offer in wish.offers}
        plain = _spread(_plain(_freed(offers, taken)), len(open_))
    if open_ and not plain:
        raise WrongSae(nobody(subject, wishes[open_[0]].hookpoint, offers))
    if len(plain) != len(open_):
        raise BadInput(
            f"which hookpoint is for the SAE {plain[-1].source}? Its name does not say: "
            f"give one --hookpoint for each such SAE ({len(plain)} of them, {len(open_)} left)"
        )
    for number, offer in zip(open_, plain, strict=True):
        wishes[number] = wishes[number]._replace(offers=(offer,))
    used = {offer.source for wish in wishes for offer in wish.offers}
    for offer in offers:
        if offer.source not in used:
            raise WrongSae(
                f"--sae {offer.source} is for {in_words(offers, offer.source)}, which no "
                "--hookpoint asks for: leave it out, or name its hookpoint"
            )
    return wishes


def _wish(subject: "Subject", offers: Sequence[Offer], name: str, anyway: bool) -> Wish:
    """Resolve a hookpoint and find its SAEs; a module's name finds a transcoder that reads it."""
    place = _resolved(subject, name)
    point, module = place.reads, place.reads.removesuffix(":in")
    at = {side: tuple(o for o in offers if o.place and o.place.reads == side)
          for side in (module, f"{module}:in")}  # fmt: skip
    if point != module and not at[point] and at[module] and not anyway:
        raise WrongSae(other_side(at[module][0], module))
    if at[point] or not at[f"{module}:in"]:
        return Wish(place, _same_numbers(place, name, at[point], anyway), name, anyway)
    into = f"{module}:in"
    return Wish(place._replace(reads=into, writes=into), at[into], name, anyway)


def _same_numbers(
    place: "Place", name: str, offers: tuple[Offer, ...], anyway: bool
) -> tuple[Offer, ...]:
    """Take the SAEs that read what a name of TransformerLens says, not the same before its norm."""
    if not _is_lens(name):
        return offers
    alike = tuple(
        offer for offer in offers
        if offer.place and (offer.place.transform == "rms") == (place.transform == "rms")
    )  # fmt: skip
    if offers and not alike and not anyway:
        is_norm = place.transform == "rms"
        before, after = ("before", "behind") if is_norm else ("behind", "before")
        raise WrongSae(
            f"the SAE {offers[0].words} reads {place.reads} {before} its norm, --hookpoint {name} "
            f"is {after} it: leave --hookpoint out, or give the SAE of that place"
        )
    return alike


def _is_lens(name: str) -> bool:
    """Tell TransformerLens's name of a place from a module path."""
    return name == "hook_embed" or (name.startswith("blocks.") and "hook_" in name)


def _resolved(subject: "Subject", name: str) -> "Place":
    """Resolve a module path, or TransformerLens's name for a place."""
    from core.hookpoints import Absent, Place, locate
    from core.sae.hooks import Hook

    if _is_lens(name):
        try:
            return locate(Hook("transformer_lens", name), subject)
        except Absent as error:
            raise BadInput(
                f"--hookpoint: {error.reason}; name a module of {subject.name}, e.g. "
                f"{block_example(subject)}"
            ) from error
    side = f"{name.removesuffix(':in')}:in"
    try:
        point = subject.resolve(name)
    except BadInput:
        if side not in subject.hookpoints():  # some modules can be read on that side only
            raise
        point = side
    return Place(point, point)


def _plain(offers: Sequence[Offer]) -> list[Offer]:
    """List the SAEs that say nothing of their place; of a set nobody can say which is meant."""
    sources = [offer.source for offer in offers]
    return [o for o in offers if o.place is None and (o.is_made or sources.count(o.source) == 1)]


def _freed(offers: Sequence[Offer], taken: Collection[Offer]) -> list[Offer]:
    """Let SAEs that no hookpoint asks for serve another place than their files name."""
    return [
        offer if offer in taken or offer.place is None
        else offer._replace(place=None, elsewhere=offer.place.reads)
        for offer in offers
    ]  # fmt: skip


def _spread(plain: list[Offer], n: int) -> list[Offer]:
    """Let a lone SAE without files serve as many of the n hookpoints as no other can."""
    made = [number for number, offer in enumerate(plain) if offer.is_made]
    if len(made) != 1 or n <= len(plain):
        return plain
    at = made[0]
    return [*plain[:at], *[plain[at]] * (n - len(plain)), *plain[at:]]


def _loaded(subject: "Subject", wish: Wish, offer: Offer) -> tuple["Sae", str]:
    """Load an offered SAE, or make it where it has no files; also the hookpoint that it reads."""
    from core.hookpoints import fitted
    from core.sae import load_sae, require_fit

    if offer.is_made:
        return _made(subject, wish, offer.source), wish.hookpoint
    sae = load_sae(offer.root, offer.name)
    place = offer.place or _where_asked(subject, wish, offer, sae)
    require_fit(subject, place.reads, sae)
    _require_output(subject, offer, place, sae)
    sae = fitted(sae, place)
    sae.origin = replace(
        sae.origin,
        source=offer.source,
        hook=place.as_hook(sae.origin.hook, trained_on=offer.trained_on),
        read_as="" if offer.place else _read_as(wish),
        elsewhere=offer.elsewhere,
    )
    return sae, place.reads


def _made(subject: "Subject", wish: Wish, source: str) -> "Sae":
    from core.hookpoints import fitted, projection
    from core.sae import load_sae
    from core.sae.neurons import is_neurons, neuron_sae

    hookpoint = wish.hookpoint
    if not is_neurons(source):
        sae = fitted(load_sae(source, hookpoint, width=subject.width(hookpoint)), wish.place)
        sae.origin = replace(sae.origin, read_as=_read_as(wish))
        return sae
    found = projection(subject, hookpoint)
    if found is None:
        raise BadInput(
            f"{source} reads the neurons of an MLP, which {hookpoint} does not give: ask for what "
            f"its projection back reads, e.g. --hookpoint {neurons_example(subject)}"
        )
    return neuron_sae(source, hookpoint, subject.width(hookpoint), found)


def _read_as(wish: Wish) -> str:
    """Name what is read, where the hookpoint's name alone would read other numbers."""
    place = wish.place
    return wish.name if place.transform != "none" or place.scale != 1 else ""


def _where_asked(subject: "Subject", wish: Wish, offer: Offer, sae: "Sae") -> "Place":
    """Put an SAE where --hookpoint says; a transcoder reads a module's input and rebuilds it."""
    from core.hookpoints import centred

    hook, place = sae.origin.hook, wish.place
    module = place.reads.removesuffix(":in")
    if hook is None:
        return place._replace(writes="") if sae.transcoder else place
    if hook.world == "module" and hook.side == "in":
        point = subject.resolve(f"{module}:in")
        return place._replace(reads=point, writes=subject.resolve(module)
                              if sae.transcoder else point)  # fmt: skip
    if hook.world == "module" and place.reads != module and not wish.is_forced:
        raise WrongSae(other_side(offer, module))
    if sae.transcoder:
        place = place._replace(writes=_output(subject, offer, hook))
    return centred(place, hook, subject)


def _output(subject: "Subject", offer: Offer, hook: "Hook") -> str:
    """Find where a transcoder writes that is read elsewhere than its files say; "" = not known."""
    from core.hookpoints import locate

    if hook.writes is None or (offer.elsewhere and not offer.problem):
        return ""  # what it writes belongs to the place that was overruled
    try:
        return locate(hook._replace(name=hook.writes, side="out", writes=None), subject).reads
    except BadInput:
        return ""


def _require_output(subject: "Subject", offer: Offer, place: "Place", sae: "Sae") -> None:
    """Refuse a decoder that does not write what the subject has where it writes."""
    if not place.writes:
        return
    width = subject.width(place.writes)
    if sae.W_dec is not None and sae.d_out != width:
        raise WrongSae(
            f"the SAE {offer.words} writes {sae.d_out} numbers a token, but {place.writes} of "
            f"{subject.name} has {width}: give the SAE of this subject"
        )

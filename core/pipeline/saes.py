"""Which SAE each hookpoint of a cache gets.

Every hookpoint gets the one SAE that its files say is for it, whatever library's words they use.
SAEs whose files say nothing that the subject knows serve, in order, the hookpoints that no other
SAE is for; so do random SAEs and neurons, and one alone serves all that are left. Knows nothing of
stores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from core.pipeline.offers import Offer, in_words, placed
from data.errors import BadInput, WrongSae

if TYPE_CHECKING:
    from core.hookpoints import Place
    from core.sae import Sae
    from core.subject import Subject


class Wish(NamedTuple):
    """A hookpoint to be cached and the SAEs that may be for it."""

    hookpoint: str  # as resolved, with its side
    offers: Sequence[Offer]


def load_saes(
    subject: "Subject", listed: Sequence[Offer], asked: Sequence[str]
) -> Mapping[str, "Sae"]:
    """Load the SAEs of the hookpoints asked for (none = of all), by full hookpoint with side."""
    offers = placed(subject, listed)
    wishes = _chosen(subject, offers, asked) if asked else _all(subject, offers)
    saes: dict[str, Sae] = {}
    for wish in wishes:
        if len(wish.offers) > 1:
            raise BadInput(_several(wish))
        sae, hookpoint = _loaded(subject, wish.hookpoint, wish.offers[0])
        if hookpoint in saes:
            raise BadInput(f"--hookpoint {hookpoint} is given twice; a cache takes one SAE a "
                           "hookpoint")  # fmt: skip
        saes[hookpoint] = sae
    return saes


def _all(subject: "Subject", offers: Sequence[Offer]) -> list[Wish]:
    """Take every SAE, each at the hookpoint that its files name."""
    at: dict[str, list[Offer]] = {}
    for offer in offers:
        if offer.place is None:
            raise BadInput(_nowhere(subject, offer))
        at.setdefault(offer.place.reads, []).append(offer)
    return [Wish(point, found) for point, found in at.items()]


def _nowhere(subject: "Subject", offer: Offer) -> str:
    from core.sae.neurons import is_neurons

    if offer.problem:
        return f"the SAE {offer.words}: {offer.problem}"
    if is_neurons(offer.source):
        return (
            f"{offer.source} is for no layer: say with --hookpoint which MLP's neurons, "
            f"e.g. --hookpoint {_example(subject)}"
        )
    return (
        f"the SAE {offer.words} is named after no hookpoint of {subject.name}: say with "
        "--hookpoint what it reads"
    )


def _example(subject: "Subject") -> str:
    """A hookpoint at which neurons can be read."""
    from core.hookpoints import family_of

    family = family_of(subject.architecture)
    if family is None:
        return "model.layers.2.mlp.down_proj:in"
    return f"{family.block(subject.n_layers // 2)}.{family.down}:in"


def _chosen(subject: "Subject", offers: Sequence[Offer], asked: Sequence[str]) -> list[Wish]:
    """Find the SAEs for every hookpoint asked for, by what they say and then by order."""
    wishes = [_wish(subject, offers, name) for name in asked]
    open_ = [number for number, wish in enumerate(wishes) if not wish.offers]
    plain = _spread(_plain(offers), len(open_))
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
    for offer in offers:
        if offer.source not in used:
            raise WrongSae(
                f"--sae {offer.source} is for {in_words(offers, offer.source)}, which no "
                "--hookpoint asks for: leave it out, or name its hookpoint"
            )
    return wishes


def _wish(subject: "Subject", offers: Sequence[Offer], name: str) -> Wish:
    """Resolve a hookpoint and find its SAEs; a module's name finds a transcoder that reads it."""
    point = _resolved(subject, name)
    module = point.removesuffix(":in")
    at = {side: tuple(o for o in offers if o.place and o.place.reads == side)
          for side in (module, f"{module}:in")}  # fmt: skip
    if point != module and not at[point] and at[module]:
        raise WrongSae(_other_side(at[module][0], module))
    if at[point] or not at[f"{module}:in"]:
        return Wish(point, at[point])
    return Wish(f"{module}:in", at[f"{module}:in"])


def _resolved(subject: "Subject", name: str) -> str:
    """Resolve a module path, or TransformerLens's name for a place."""
    from core.hookpoints import locate
    from core.sae.hooks import Hook

    if name.startswith("blocks."):
        return locate(Hook("transformer_lens", name), subject).reads
    side = f"{name.removesuffix(':in')}:in"
    try:
        return subject.resolve(name)
    except BadInput:
        if side in subject.hookpoints():  # some modules can be read on that side only
            return side
        raise


def _plain(offers: Sequence[Offer]) -> list[Offer]:
    """List the SAEs that say nothing of their place; of a set nobody can say which is meant."""
    sources = [offer.source for offer in offers]
    return [o for o in offers if o.place is None and (o.is_made or sources.count(o.source) == 1)]


def _spread(plain: list[Offer], n: int) -> list[Offer]:
    """Let a lone SAE without files serve as many of the n hookpoints as no other can."""
    made = [number for number, offer in enumerate(plain) if offer.is_made]
    if len(made) != 1 or n <= len(plain):
        return plain
    at = made[0]
    return [*plain[:at], *[plain[at]] * (n - len(plain)), *plain[at:]]


def _nobody(subject: "Subject", hookpoint: str, offers: Sequence[Offer]) -> str:
    """Say that no SAE is for a hookpoint, and what those given are for."""
    sources = dict.fromkeys(offer.source for offer in offers)
    given = "; ".join(f"{source} is for {in_words(offers, source)}" for source in sources)
    why = next((f" ({offer.problem})" for offer in offers if offer.problem), "")
    return (
        f"no SAE is given for {hookpoint} of {subject.name}: {given}{why}; give the SAE of that "
        "hookpoint, or another --hookpoint"
    )


def _several(wish: Wish) -> str:
    """Say that more than one SAE is for a hookpoint, and how one is chosen."""
    offers = wish.offers
    if len({offer.source for offer in offers}) > 1:
        places = " and ".join(offer.words for offer in offers)
        return (
            f"{len(offers)} SAEs are given for {wish.hookpoint}: {places}; a cache takes one SAE "
            "a hookpoint"
        )
    first = offers[0]
    names = in_words([offer._replace(place=None) for offer in offers], first.source)
    return (
        f"{first.source} has {len(offers)} SAEs for {wish.hookpoint}: {names}; choose one by its "
        f"folder, e.g. --sae {_below(first)}"
    )


def _below(offer: Offer) -> str:
    """Address one SAE of a set as it can be typed."""
    source, name = offer.source.rstrip("/"), offer.name
    parts = name.split("/")
    said = next((n for n in range(len(parts), 0, -1)
                 if source.endswith("/" + "/".join(parts[:n]))), 0)  # fmt: skip
    return "/".join([source, *parts[said:]])


def _loaded(subject: "Subject", hookpoint: str, offer: Offer) -> tuple["Sae", str]:
    """Load an offered SAE, or make it where it has no files; also the hookpoint that it reads."""
    from core.hookpoints import fitted
    from core.sae import load_sae, require_fit

    if offer.is_made:
        return _made(subject, hookpoint, offer.source), hookpoint
    sae = load_sae(offer.root, offer.name)
    place = offer.place or _where_asked(subject, hookpoint, offer, sae)
    require_fit(subject, place.reads, sae)
    _require_output(subject, offer, place, sae)
    sae = fitted(sae, place)
    hook = place.as_hook(sae.origin.hook, trained_on=offer.trained_on)
    sae.origin = replace(sae.origin, source=offer.source, hook=hook)
    return sae, place.reads


def _made(subject: "Subject", hookpoint: str, source: str) -> "Sae":
    from core.sae import load_sae
    from core.sae.neurons import is_neurons, neuron_sae

    if not is_neurons(source):
        return load_sae(source, hookpoint, width=subject.width(hookpoint))
    from core.hookpoints import projection

    found = projection(subject, hookpoint)
    if found is None:
        raise BadInput(
            f"{source} reads the neurons of an MLP, which {hookpoint} does not give: ask for what "
            f"its projection back reads, e.g. --hookpoint {_example(subject)}"
        )
    return neuron_sae(source, hookpoint, subject.width(hookpoint), found)


def _where_asked(subject: "Subject", hookpoint: str, offer: Offer, sae: "Sae") -> "Place":
    """Put an SAE where --hookpoint says; a transcoder reads a module's input and rebuilds it."""
    from core.hookpoints import Place

    hook, module = sae.origin.hook, hookpoint.removesuffix(":in")
    if hook is not None and hook.side == "in":
        point = subject.resolve(f"{module}:in")
        return Place(point, subject.resolve(module) if sae.transcoder else point)
    if hook is not None and hook.world == "module" and hookpoint != module:
        raise WrongSae(_other_side(offer, module))
    return Place(hookpoint, hookpoint)


def _other_side(offer: Offer, module: str) -> str:
    return (
        f"the SAE {offer.words} reads the output of {module}, not its input: give "
        f"--hookpoint {module}"
    )


def _require_output(subject: "Subject", offer: Offer, place: "Place", sae: "Sae") -> None:
    """Refuse a decoder that does not write what the subject has where it writes."""
    width = subject.width(place.writes)
    if sae.W_dec is not None and sae.d_out != width:
        raise WrongSae(
            f"the SAE {offer.words} writes {sae.d_out} numbers a token, but {place.writes} of "
            f"{subject.name} has {width}: give the SAE of this subject"
        )

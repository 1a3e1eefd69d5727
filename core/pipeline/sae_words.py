"""Why SAEs and hookpoints do not go together, each in one line that says what to give instead."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.pipeline.offers import Offer, in_words

if TYPE_CHECKING:
    from core.subject import Subject


def nowhere(subject: "Subject", offer: Offer) -> str:
    """Say that an SAE is for no place of the subject, and what to give."""
    from core.sae.neurons import is_neurons

    if offer.problem:
        return f"the SAE {offer.words}: {offer.problem}"
    if is_neurons(offer.source):
        return (
            f"{offer.source} is for no layer: say with --hookpoint which MLP's neurons, "
            f"e.g. --hookpoint {neurons_example(subject)}"
        )
    return (
        f"the SAE {offer.words} is named after no hookpoint of {subject.name}: say with "
        "--hookpoint what it reads"
    )


def left_out(offers: Sequence[Offer], one: Offer) -> str:
    """Say how the others are cached without one that has no place."""
    others = [offer.place.reads for offer in offers if offer.place]
    if sum(offer.source == one.source for offer in offers) > 1 and others:
        return f"; without it: name with --hookpoint all that you want, e.g. {others[0]}"
    return "; or leave it out" if others else ""


def neurons_example(subject: "Subject") -> str:
    """A hookpoint at which neurons can be read."""
    from core.hookpoints import family_of

    family = family_of(subject.architecture)
    if family is None:
        return "model.layers.2.mlp.down_proj:in"
    return f"{family.block(subject.n_layers // 2)}.{family.down}:in"


def block_example(subject: "Subject") -> str:
    """A module that can be read: a block in the middle, where the model's parts are known."""
    from core.hookpoints import family_of

    family = family_of(subject.architecture)
    known = subject.hookpoints()
    return family.block(subject.n_layers // 2) if family else known[len(known) // 2]


def nobody(subject: "Subject", hookpoint: str, offers: Sequence[Offer]) -> str:
    """Say that no SAE is for a hookpoint, and what those given are for."""
    sources = dict.fromkeys(offer.source for offer in offers)
    given = "; ".join(f"{source} is for {in_words(offers, source)}" for source in sources)
    why = next((f" ({offer.problem})" for offer in offers if offer.problem), "")
    one = any(offer.place and len([o for o in offers if o.source == offer.source]) == 1
              for offer in offers)  # fmt: skip
    return (
        f"no SAE is given for {hookpoint} of {subject.name}: {given}{why}; give the SAE of that "
        "hookpoint, or another --hookpoint" + "; --anyway reads it there all the same" * one
    )


def several(hookpoint: str, offers: Sequence[Offer]) -> str:
    """Say that more than one SAE is for a hookpoint, and how one is chosen."""
    if len({offer.source for offer in offers}) > 1:
        places = " and ".join(offer.words for offer in offers)
        return (
            f"{len(offers)} SAEs are given for {hookpoint}: {places}; a cache takes one SAE "
            "a hookpoint"
        )
    first = offers[0]
    names = in_words([offer._replace(place=None) for offer in offers], first.source)
    return (
        f"{first.source} has {len(offers)} SAEs for {hookpoint}: {names}; choose one by its "
        f"folder, e.g. --sae {_below(first)}"
    )


def _below(offer: Offer) -> str:
    """Address one SAE of a set as it can be typed."""
    source, name = offer.source.rstrip("/"), offer.name
    parts = name.split("/")
    said = next((n for n in range(len(parts), 0, -1)
                 if source.endswith("/" + "/".join(parts[:n]))), 0)  # fmt: skip
    return "/".join([source, *parts[said:]])


def other_side(offer: Offer, module: str) -> str:
    """Say that an SAE reads the output of a module and was asked to read its input."""
    return (
        f"the SAE {offer.words} reads the output of {module}, not its input: give "
        f"--hookpoint {module}"
    )

"""How many features have which flag, and how many cannot be said, as lines for people."""

from collections.abc import Iterator

from data.flags import ENTROPY_FIRINGS, FIRINGS, NOT_YET, PARTLY, Counts


def lines(found: Counts, cache: str) -> Iterator[str]:
    """One line of flags, one of what was not measured, where there is any.

    >>> next(lines(found, "demo"))
    'flags: 3 dense, 444 unigram, 233 context-independent, of 2,048 features'
    """
    flags = ", ".join(f"{count.n:,} {flag}" for flag, count in found.flags.items() if count.n)
    yield f"flags: {flags or 'none'}, of {found.n_features:,} features"
    if gaps := ", ".join(missing(found, cache)):
        yield f"not measured: {gaps}"


def missing(found: Counts, cache: str) -> Iterator[str]:
    """What the filters could not say, with how many features and why."""
    left = found.n_features - found.n_measured
    if left:
        yield f"{left:,} features, gloss filters {cache} does it"
    if found.few_firings:
        yield f"{found.few_firings:,} fire fewer than {FIRINGS} times (positions, tokens)"
    if found.few_for_entropy:
        yield f"{found.few_for_entropy:,} fewer than {ENTROPY_FIRINGS} times (entropies)"
    if found.no_position:
        yield f"{found.no_position:,} for lack of sequences (positions)"
    for reason, n in found.unchecked.items():
        said = reason if reason in (PARTLY, NOT_YET) else "not tried"
        why = "" if said == reason else f" ({reason})"
        yield f"{n:,} unigram features {said} on random tokens{why}"

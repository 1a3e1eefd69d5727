"""Comparisons of SAEs in words, for the command line and for pages."""

from data.catalogue import Row
from data.percents import percent

METHODS = {
    "exact": "one-to-one matching with the largest sum (linear assignment)",
    "greedy": "one-to-one matching, most similar pair first, since there are too many features for "
    "the exact one",
}
MEASURES = {
    "decoder": "cosine of decoder directions",
    "explanations": "cosine of the explanations' sentence vectors",
    "co-firing": "tokens on which both fire, of those on which one does (Jaccard)",
}
CONTROLS = {
    "decoder": "as many random directions, matched in the same way",
    "explanations": "the same explanations dealt out to both sides at random, and matched again",
    "co-firing": "one side moved on by some sequences, so that every text stands beside another",
}
MEANS = {
    "decoder": "A difference of 0 means no more alike than random directions. Weights are compared "
    "of all features.",
    "explanations": "A difference of 0 means as alike as two random halves of all that is said; "
    "below 0 the sides speak of different things.",
    "co-firing": "A difference of 0 means together no more often than on texts that have nothing "
    "to do with each other.",
}


def sentence(row: Row) -> str:
    """One comparison in a line, as the command prints it.

    >>> sentence(row)  # of data.likeness.cells
    'explanations  demo:layers.1 with demo:layers.2: 0.612, by chance 0.580, difference 0.032 \
[0.025, 0.040]; 1,778 pairs of 1,778 and 1,790 features, exact'
    """
    first = f"{row['first_cache']}:{row['first']}"
    second = f"{row['second_cache']}:{row['second']}"
    said = f"{row['measure']}  {first} with {second}: {figures(row)}"
    return f"{said}; {counts(row)}"


def figures(row: Row) -> str:
    """The numbers of a comparison, e.g. "0.612, by chance 0.580, difference 0.032 [...]"."""
    if row["value"] is None:
        return "no pair to measure"
    words = [f"{row['value']:.3f}"]
    if row["baseline"] is not None:
        words.append(f"by chance {row['baseline']:.3f}")
        words.append(f"difference {row['value'] - row['baseline']:+.3f}{_interval(row)}")
    if row["n_shared"] is not None and row["n_pairs"]:
        share = row["n_shared"] / row["n_pairs"]
        words.append(f"{row['n_shared']:,} shared ({percent(share, 1)})")
    return ", ".join(words)


def _interval(row: Row) -> str:
    return "" if row["low"] is None else f" [{row['low']:+.3f}, {row['high']:+.3f}]"


def counts(row: Row) -> str:
    """How many pairs, of how many features, matched how."""
    return (
        f"{row['n_pairs']:,} pairs of {row['n_first']:,} and {row['n_second']:,} features, "
        f"{row['method']}"
    )

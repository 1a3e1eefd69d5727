"""Closed groups of English words, each with a name a person reads.

The "field" of the semantic regexes of arXiv 2510.06378, restricted to what a program can decide:
the members are listed in groups.tsv and never change with the data. Our own lists, of words common
in English at large; a word may be in several groups.
"""

from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple


class Lexicon(NamedTuple):
    """All groups."""

    names: dict[str, str]  # group -> how a sentence calls one member
    groups_of: dict[str, tuple[str, ...]]  # folded word -> its groups


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """Read the groups that are shipped with this package: group, name, members, tab-separated."""
    names: dict[str, str] = {}
    groups_of: dict[str, tuple[str, ...]] = {}
    text = files("core.grammar").joinpath("groups.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        group, names_one, members = line.split("\t")
        names[group] = names_one
        for word in dict.fromkeys(members.split()):
            groups_of[word] = (*groups_of.get(word, ()), group)
    return Lexicon(names, groups_of)

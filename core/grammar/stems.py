"""A light English stemmer: inflections fall off, word families stay apart.

Meant for grouping forms a person would call the same word (walk, walks, walked, walking), not for
search. Rules of our own, in the spirit of the S-stemmer (Harman 1991) plus -ed and -ing.
"""

VOWELS = frozenset("aeiouy")


def stem(word: str) -> str:
    """Cut the inflection off a folded word of letters.

    >>> [stem(w) for w in ("cities", "boxes", "walks", "running", "loved", "glass", "making")]
    ['city', 'box', 'walk', 'run', 'lov', 'glass', 'mak']
    """
    word = _plural(word)
    for ending in ("ing", "ed"):
        if (
            word.endswith(ending)
            and _has_vowel(word[: -len(ending)])
            and len(word) - len(ending) > 2
        ):
            return _undouble(word[: -len(ending)])
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def _plural(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y" if len(word) > 4 else word[:-1]
    if word.endswith(("ches", "shes", "xes", "sses", "zes")):
        return word[:-2]
    return word[:-1]


def _undouble(word: str) -> str:
    double = len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls"
    word = word[:-1] if double else word
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def _has_vowel(word: str) -> bool:
    return any(letter in VOWELS for letter in word)

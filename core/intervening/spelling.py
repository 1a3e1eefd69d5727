"""Token ids as text, for passages that a judge reads and for pages: borders are empty lines."""

from collections.abc import Callable, Sequence

from data.cachefiles import CacheFiles


def spelling(files: CacheFiles) -> Callable[[Sequence[int]], str]:
    """Give the function that spells ids of a cache; special ones are borders between documents.

    Rows of an embedding beyond the tokenizer's ids can be written under a push: they have no text.
    """
    special = set(files.meta.special_ids)
    vocabulary = files.vocabulary
    n_known = len(vocabulary)

    def spelt(ids: Sequence[int]) -> str:
        parts: list[list[int]] = [[]]
        for token in ids:
            if token in special:
                parts.append([])
            elif token < n_known:
                parts[-1].append(token)
        return "\n\n".join("".join(vocabulary.pieces(part)) for part in parts if part)

    return spelt

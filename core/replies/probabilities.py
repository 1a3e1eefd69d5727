"""How sure a judge was of each verdict, from the log-probabilities of its answer's tokens.

In: the tokens as they were answered and the verdicts that were read from them. Out: for each
verdict p(1) / (p(0) + p(1)), given what was written before it (methods.md 5). A token may hold a
bracket, a comma or several verdicts besides: alternatives are compared by the verdicts they hold.
Whatever does not fit exactly is NaN, never a guess.
"""

import math
import re
from collections.abc import Sequence
from itertools import accumulate

from core.llm.requests import TokenLogprob

LIST = re.compile(r"\[\s*(?:[01]|true|false)(?:\s*,\s*(?:[01]|true|false))*\s*\]")
VERDICT = re.compile(r"[01]|true|false")
VERDICTS_ONLY = re.compile(
    r"[\s\[\],]*(?:[01]|true|false)(?:\s*,\s*(?:[01]|true|false))*[\s\[\],}]*"
)
VALUE = {"0": 0, "1": 1, "false": 0, "true": 1}


def probabilities(
    tokens: Sequence[TokenLogprob] | None, verdicts: Sequence[int]
) -> tuple[float, ...]:
    """Give the probability of "yes" for each verdict, 0..1; NaN where it cannot be read.

    An alternative that is not among the likeliest counts as 0: with the usual five, what is missing
    is less likely than all of them.
    """
    unknown = (math.nan,) * len(verdicts)
    places = _places("".join(token.token for token in tokens), verdicts) if tokens else None
    if not tokens or places is None:
        return unknown
    ends = list(accumulate(len(token.token) for token in tokens))
    holder = [_holder(ends, begin, end) for begin, end in places]
    found = []
    for place, token in enumerate(holder):
        if token is None:
            found.append(math.nan)
        else:
            before = sum(1 for other in holder[:place] if other == token)
            found.append(_probability(tokens[token], before))
    return tuple(found)


def _places(text: str, verdicts: Sequence[int]) -> list[tuple[int, int]] | None:
    """Find where each verdict stands in an answer: in its last list of just these verdicts."""
    for listed in reversed(list(LIST.finditer(text))):
        matches = list(VERDICT.finditer(text, *listed.span()))
        if [VALUE[match[0]] for match in matches] == list(verdicts):
            return [match.span() for match in matches]
    return None


def _holder(ends: Sequence[int], begin: int, end: int) -> int | None:
    """Find the token that holds a whole verdict; None if it is spread over several."""
    number = next(number for number, last in enumerate(ends) if last > begin)
    return number if ends[number] >= end else None


def _probability(token: TokenLogprob, nth: int) -> float:
    """Weigh the alternatives of a token that agree with it up to its nth verdict, from 0."""
    said = _values(token.token)
    if said is None or token.logprob is None:
        return math.nan
    weight = [0.0, 0.0]
    for text, logprob in ({token.token: token.logprob} | token.top).items():
        values = _values(text)
        if values is not None and len(values) > nth and values[:nth] == said[:nth]:
            weight[values[nth]] += math.exp(logprob)
    return weight[1] / sum(weight) if sum(weight) else math.nan


def _values(text: str) -> list[int] | None:
    """Read the verdicts in a token, e.g. "[1" -> [1], ", 0" -> [0]; None if it holds other text."""
    if not VERDICTS_ONLY.fullmatch(text):
        return None
    return [VALUE[match[0]] for match in VERDICT.finditer(text)]

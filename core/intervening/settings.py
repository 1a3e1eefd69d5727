"""Sizes of an intervention study, as they are stored with every score (methods.md 5.9)."""

from dataclasses import asdict, dataclass
from typing import Any

from data.errors import BadInput

KLS = (0.1, 0.33, 1.0, 3.0)  # nats, of the next token at the prompt's end
QUINTILES = 5  # of the contexts by their largest activation
FEWEST = 10  # prompts in all, below which nothing is measured
RANDOM_K = 50  # features on at a token in the random SAE
RANDOM_MOST = 4096  # features of the random SAE: its directions are alike, more add nothing
RANDOM_TOKENS = 131_072  # of the cache, that the random SAE reads to find where it fires


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is run for one feature."""

    explain: int = 10  # prompts whose rising tokens the explanation is written from
    select: int = 10  # prompts on which one of the candidates is chosen
    score: int = 30  # prompts that the score is measured on
    context: int = 64  # tokens, that a prompt is cut from
    before: int = 8  # tokens before the feature fires, where there are contexts with as many
    new_tokens: int = 8  # of a continuation
    temperature: float = 1.0  # of the continuations
    candidates: int = 5  # explanations to choose among
    rising: int = 5  # tokens a prompt, those whose probability grows most

    @property
    def prompts(self) -> int:
        """Prompts of all three kinds."""
        return self.explain + self.select + self.score

    def recorded(self) -> dict[str, Any]:
        """As stored."""
        return asdict(self)


def read_sizes(text: str, context: int) -> Sizes:
    """Read "10,10,30": prompts to explain, to choose and to score by; context in tokens."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise BadInput(f"--prompts {text}: write three numbers, to explain, choose and score: "
                       "10,10,30")  # fmt: skip
    explain, select, score = map(int, parts)
    if not 2 <= context <= 4096:
        raise BadInput(f"--context {context}: contexts have 2 to 4096 tokens")
    return Sizes(explain, select, score, context)


def read_kls(text: str) -> tuple[float, ...]:
    """Read "0.1,1": targets in nats, ascending, each once."""
    try:
        found = sorted({float(part) for part in text.split(",") if part.strip()})
    except ValueError:
        found = []
    if not found or not all(0 < kl <= 20 for kl in found):
        raise BadInput(f"--kl {text}: write numbers above 0 and up to 20 nats, e.g. 0.1,0.33,1,3")
    return tuple(found)

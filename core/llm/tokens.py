"""How many tokens a request's prompt has: counted where the tokenizer is known, else estimated.

The estimate cuts a text as byte-level BPE tokenizers of the GPT-4 and Llama-3 families do before
they merge, and gives each piece the tokens that pieces of its kind and length have on average. A
model's own stored replies correct it. Counts text alone: schemas and tools are not in it.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from core.llm.requests import Message, Request
from data.errors import BadInput

PREFIXES = 256  # fixed beginnings whose counts are remembered
REMEMBERED = 1 << 16  # pieces of text: most are words that come again and again
PAIRS = 20  # replies of a model before their ratio is trusted
# A turn costs its role and what separates it, e.g. <|im_start|> user \n ... <|im_end|> \n: 4 in
# OpenAI's published count, 5 in ChatML as others use it and in Llama 3.
TURN, ENDING = 5, 4
ASCII_WORD = r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])"
PIECES = re.compile(
    rf"[^\w\r\n]?(?:{ASCII_WORD}|[^\W\d_A-Za-z][^\W\d_]*)"  # a word with what is before it
    r"|\d{1,3}"
    r"| ?(?:[!-/:-@\[-`{-~]+|[^\s\w]+)[\r\n]*"  # signs, ASCII ones apart from others
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    r"|."
)
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json")


class Counter(Protocol):
    """Counts tokens of one model."""

    @property
    def exact(self) -> bool:
        """Whether this is what the server counts, and no estimate."""
        ...

    @property
    def name(self) -> str:
        """How it counts, for people."""
        ...

    def count(self, request: Request) -> int:
        """Count the tokens of a request's prompt."""
        ...

    def count_text(self, text: str) -> int:
        """Count the tokens of an answer."""
        ...


def counter_for(
    model: str, tokenizer: str | None, history: Iterable[tuple[float, int]] = ()
) -> Counter:
    """Choose how a model's tokens are counted.

    tokenizer: folder or hub id; without one, a model that is a local folder counts with its own.
    history: for stored replies of the model, `estimated(request)` and what the endpoint counted.
    """
    if tokenizer:
        return TokenizerCounter(load(tokenizer), f"the tokenizer of {tokenizer}")
    folder = Path(model).expanduser()
    if any((folder / name).is_file() for name in TOKENIZER_FILES):
        return TokenizerCounter(load(model), f"the tokenizer of {model}")
    return EstimateCounter(list(history))


def estimated(request: Request) -> float:
    """Estimate the tokens of a request's prompt, uncorrected."""
    if request.kind == "completion":
        return text_estimate(request.prompt)
    return sum(_turn(message.content) for message in request.messages) + ENDING


def _turn(content: str) -> float:
    return text_estimate(content) + TURN


def text_estimate(text: str) -> float:
    """Estimate the tokens of a text.

    Figures are averages over Python documentation, code and prose under the tokenizers of GPT-4,
    GPT-4o, Llama 3 and Qwen 3, which differ from each other by less than 2 % on English and code.
    """
    return sum(map(_piece, PIECES.findall(text)))


@lru_cache(REMEMBERED)
def _piece(piece: str) -> float:
    """Estimate the tokens of one piece, e.g. " weather" 1.1, "\\n\\n" 1, "====" 1, "⟦" 2."""
    last = piece.rstrip("\r\n")[-1:]
    if not last or last.isspace() or last.isdecimal():
        return 1.0
    if not piece.isascii():
        return _foreign(piece, last)
    if not last.isalpha():
        signs = piece.strip()
        return 1.0 if len(set(signs)) == 1 else max(1.0, len(signs) / 3)
    if piece.isupper():
        return max(1.0, len(piece) / 3.2)
    return 1.0 + 0.05 * max(0, len(piece) - 5)


def _foreign(piece: str, last: str) -> float:
    """Estimate words and signs beyond ASCII: common signs are one token, rare ones two."""
    size = len(piece.strip())
    if not last.isalpha():
        rare = sum(not _common(character) for character in piece.strip())
        return max(1.0, 2.0 * rare + (size - rare) / 3)
    if last >= "\u2e80":  # scripts that write without spaces: a character is about a token
        return max(1.0, 0.8 * size)
    if last >= "\u0900":  # scripts of India and beyond
        return max(1.0, 0.75 * size)
    if last >= "\u0370":  # Greek, Cyrillic, Hebrew, Arabic
        return max(1.0, size / 2.5)
    return max(1.0, size / 4)


def _common(character: str) -> bool:
    """Latin-1, dashes, quotation marks and lines: frequent enough for tokens of their own."""
    return (
        character < "\u0250"
        or "\u2010" <= character <= "\u2026"
        or "\u2500" <= character < "\u2580"
    )


class EstimateCounter:
    """Estimates, corrected by what the endpoint counted before."""

    exact = False

    def __init__(self, history: Sequence[tuple[float, int]] = ()) -> None:
        usable = [(guess, counted) for guess, counted in history if guess > 0 and counted > 0]
        learnt = len(usable) >= PAIRS
        self.ratio = sum(c for _, c in usable) / sum(g for g, _ in usable) if learnt else 1.0
        self.name = f"estimated, corrected by {len(usable)} replies" if learnt else "estimated"
        self._of_prefix = lru_cache(PREFIXES)(_prefix_estimate)

    def count(self, request: Request) -> int:
        """Estimate a prompt; its fixed beginning is estimated once."""
        if request.kind == "completion":
            return round(self.ratio * text_estimate(request.prompt))
        before = self._of_prefix(request.prefix)
        return round(self.ratio * (before + _turn(request.question) + ENDING))

    def count_text(self, text: str) -> int:
        """Estimate an answer."""
        return round(self.ratio * text_estimate(text))


def _prefix_estimate(prefix: tuple[Message, ...]) -> float:
    return sum(_turn(message.content) for message in prefix)


class TokenizerCounter:
    """Counts with the model's own tokenizer, as a server does.

    A prompt's text comes from the chat template. The tokenizer cuts a text at special tokens before
    anything else, so tokens before one and from one on add up: what is the same for all requests
    with a prefix, up to its last special token, is counted once.
    """

    exact = True

    def __init__(self, tokenizer: Any, name: str) -> None:
        self.name = name
        self._tokenizer = tokenizer
        marks = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
        longest_first = sorted(map(re.escape, marks), key=len, reverse=True)
        self._special = re.compile("|".join(longest_first) or r"(?!)")
        self._fixed = lru_cache(PREFIXES)(self._fixed_part)

    def count(self, request: Request) -> int:
        """Count a prompt: a chat through the template, a completion as a tokenizer's plain call."""
        if request.kind == "completion":
            return len(self._tokenizer(request.prompt)["input_ids"])
        text = self._rendered(request.messages)
        fixed, n = self._fixed(request.prefix)
        if not text.startswith(fixed):
            return self.count_text(text)
        return n + self.count_text(text[len(fixed) :])

    def count_text(self, text: str) -> int:
        """Count a text, with no special tokens around it."""
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _rendered(self, messages: Sequence[Message]) -> str:
        from jinja2.exceptions import TemplateError

        turns = [message._asdict() for message in messages]
        try:
            return self._tokenizer.apply_chat_template(
                turns, add_generation_prompt=True, tokenize=False
            )
        except (TemplateError, ValueError) as error:
            raise BadInput(f"{self.name} cannot write this conversation: {error}") from error

    def _fixed_part(self, prefix: tuple[Message, ...]) -> tuple[str, int]:
        """Find the text that all conversations with a prefix begin with, and count its tokens.

        Cut before the last special token in it. ("", 0) where the parts do not add up.
        """
        one, other = (self._rendered((*prefix, Message("user", said))) for said in ("a b", "c"))
        same = _common_beginning(one, other)
        cut = max((match.start() for match in self._special.finditer(same)), default=0)
        fixed, n = one[:cut], self.count_text(one[:cut])
        adds_up = n + self.count_text(one[cut:]) == self.count_text(one)
        return (fixed, n) if adds_up else ("", 0)


def _common_beginning(one: str, other: str) -> str:
    unequal = (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return one[: next(unequal, min(len(one), len(other)))]


def load(name: str) -> Any:
    """Load a tokenizer from a folder, never online, or from the hub; code of theirs is not run."""
    from transformers import AutoTokenizer

    from core.pretrained import hub_answers, looks_local, quiet, reported

    folder = Path(name).expanduser()
    if looks_local(name) and not folder.is_dir():
        raise BadInput(f"no folder {name}: give a tokenizer's folder or a hub id like org/name")
    with reported(f"the tokenizer of {name}"), quiet():
        return AutoTokenizer.from_pretrained(
            folder if folder.is_dir() else name,
            local_files_only=folder.is_dir() or not hub_answers(),
            trust_remote_code=False,
        )

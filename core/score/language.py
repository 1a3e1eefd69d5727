"""A language model as a judge: holds one explanation and asks about items, several to a call.

In: an explanation, items and their tokens. Out: verdicts, with the call and the reply that each was
read from, and everything that was asked. Knows neither labels nor activations.

Protocol (methods.md 5): items as they come, numbered 1..m in each call; the reply is read strictly;
one repetition that quotes the defect; then each item of that call by itself; then no verdict. What
is asked for one explanation goes out at once, so that the client can ask in parallel.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.llm.requests import Client, Reply, Request
from core.prompts import detection, fuzzing
from core.prompts.judged_texts import parts, pieces, plain
from core.replies.probabilities import probabilities
from core.replies.verdicts import verdict_schema, verdicts
from core.score.asking import Asked, JudgeSettings, ask, repeated
from core.score.items import Items
from core.score.judge import NO_ANSWER, Answers
from data.errors import BadInput
from data.vocabulary import Vocabulary


class Batch(NamedTuple):
    """Items that are asked about together."""

    item: np.ndarray  # their places, int64 [m]
    call: int  # number that their verdicts carry
    request: Request


class Judged(NamedTuple):
    """A batch with its answer."""

    batch: Batch
    answer: Asked[tuple[int, ...]]


class LanguageJudge:
    """Asks a language model about detection and fuzzing items."""

    def __init__(
        self,
        client: Client,
        explanation: str,
        vocabulary: Vocabulary,
        special_ids: Sequence[int],
        settings: JudgeSettings | None = None,
    ) -> None:
        self.client, self.explanation = client, explanation
        self.vocabulary, self.special_ids = vocabulary, tuple(special_ids)
        self.settings = settings or JudgeSettings()

    @property
    def name(self) -> str:
        """The model's name."""
        return self.client.model

    def answer(self, scorer: str, items: Items, tokens: np.ndarray) -> Answers:
        """Answer items call by call; an item without a usable reply is -1."""
        if scorer not in ("detection", "fuzzing"):
            raise BadInput(f"a language model cannot answer {scorer}: use detection or fuzzing")
        shown = pieces(self.vocabulary, self.special_ids, tokens)
        together = [
            self._batch(scorer, items, shown, np.flatnonzero(items.call == call), int(call))
            for call in np.unique(items.call)
        ]
        first = self._ask(together)
        second = self._ask([_again(judged) for judged in _unread(first)])
        left = [item for judged in _unread(second) for item in _alone(judged.batch)]
        free = int(items.call.max(initial=-1)) + 1
        third = self._ask(
            [
                self._batch(scorer, items, shown, np.array([item]), free + place)
                for place, item in enumerate(left)
            ]
        )
        return _answers(items, [*first, *second, *third])

    def _batch(
        self, scorer: str, items: Items, shown: list[list[str]], item: np.ndarray, call: int
    ) -> Batch:
        if scorer == "detection":
            texts = [plain(shown[i]) for i in item]
            messages = detection.messages(self.explanation, texts)
        else:
            marked = [parts(shown[i], items.marks[i]) for i in item]
            messages = fuzzing.messages(self.explanation, marked)
        request = self.settings.request(messages, verdict_schema(len(item)), scorer)
        return Batch(item, call, request)

    def _ask(self, batches: list[Batch]) -> list[Judged]:
        answers = ask(
            self.client,
            [batch.request for batch in batches],
            lambda place, text: verdicts(text, len(batches[place].item)),
        )
        return [Judged(batch, answer) for batch, answer in zip(batches, answers, strict=True)]


def _unread(judged: list[Judged]) -> list[Judged]:
    """Keep those whose reply could not be read; a call that failed has no reply to complain of."""
    return [one for one in judged if one.answer.defect is not None]


def _again(judged: Judged) -> Batch:
    return judged.batch._replace(request=repeated(judged.answer))


def _alone(batch: Batch) -> list[int]:
    """The items that are still to be asked one by one: a single item has been already."""
    return batch.item.tolist() if len(batch.item) > 1 else []


def _answers(items: Items, judged: list[Judged]) -> Answers:
    """Put together what was read; each item is read at most once."""
    n = len(items.call)
    verdict, call = np.full(n, NO_ANSWER, np.int8), items.call.astype(np.int64)
    probability = np.full(n, np.nan, np.float32)
    keys: list[str | None] = [None] * n
    for batch, answer in judged:
        if answer.value is None or not isinstance(answer.outcome, Reply):
            continue
        verdict[batch.item], call[batch.item] = answer.value, batch.call
        probability[batch.item] = probabilities(answer.outcome.logprobs, answer.value)
        for item in batch.item.tolist():
            keys[item] = answer.outcome.key
    given = bool(np.isfinite(probability).any())
    outcomes = tuple(one.answer.outcome for one in judged)
    return Answers(verdict, probability if given else None, call, tuple(keys), outcomes)

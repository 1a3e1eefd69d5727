"""Answers as the store keeps them, and back."""

import json
import time
from typing import Any

from core.llm.requests import Reply, Request, TokenLogprob
from core.llm.wire import Answer
from data.catalogue import as_json
from data.replies import KeptAnswer, KeptReply


def to_keep(
    key: str,
    request: Request,
    answer: Answer,
    *,
    address: str,
    model: str,
    more: dict[str, Any],
    cost: float | None,
    seconds: float,
) -> KeptReply:
    """Put an answer together with its question.

    more: parameters beside the request's own; cost: dollars, None = unknown.
    """
    tokens = answer.logprobs
    kept = KeptAnswer(
        key=key,
        text=answer.text,
        finish=answer.finish,
        logprobs=None if tokens is None else json.dumps(tokens, separators=(",", ":")),
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        cost_usd=cost,
        seconds=seconds,
    )
    return KeptReply(
        answer=kept,
        address=address,
        model=model,
        purpose=request.purpose,
        prefix=request.prefix,
        question=request.question,
        parameters=as_json({**request.parameters, **more}),
        created_at=time.time(),
    )


def as_reply(kept: KeptAnswer, *, known: bool) -> Reply:
    """Read a kept answer; `known` where nothing was asked for it now."""
    tokens = None if kept.logprobs is None else json.loads(kept.logprobs)
    return Reply(
        key=kept.key,
        text=kept.text,
        finish=kept.finish,
        logprobs=None if tokens is None else tuple(TokenLogprob(*token) for token in tokens),
        input_tokens=kept.input_tokens,
        output_tokens=kept.output_tokens,
        cost_usd=kept.cost_usd,
        seconds=kept.seconds,
        known=known,
    )

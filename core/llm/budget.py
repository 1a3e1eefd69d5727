"""What calls cost, and how a budget is kept: the worst case is set aside before a call is sent.

Not thread-safe by itself; the client calls it under its own lock.
"""

from core.llm.prices import Price
from core.llm.requests import Request
from core.llm.wire import Answer

TURN = 12  # tokens that a chat template puts around a turn, at most
TEMPLATE = 60  # tokens that it puts around the whole, a default system text included


class Budget:
    """Dollars that may be spent, and those that were."""

    def __init__(self, dollars: float | None, price: Price | None, reasoning: int = 0) -> None:
        """Keep to an amount.

        dollars: None = no limit; price: None = unknown, and then there can be no limit;
        reasoning: tokens a model may think before it answers.
        """
        if dollars is not None and price is None:
            raise AssertionError("no budget can be kept where no price is known")
        self.dollars, self.price, self._reasoning = dollars, price, reasoning
        self.spent = 0.0  # dollars, as far as they are known
        self.reserved = 0.0  # dollars that calls in flight may cost

    def worst(self, request: Request) -> float:
        """Dollars that a call may cost at most; 0 where no price is known."""
        if self.price is None:
            return 0.0
        return self.price.cost(most_tokens(request), request.max_tokens + self._reasoning)

    def allows(self, dollars: float) -> bool:
        """Say whether so much can be set aside now."""
        return self.dollars is None or self.spent + self.reserved + dollars <= self.dollars

    def reserve(self, dollars: float) -> None:
        """Set aside."""
        self.reserved += dollars

    def settle(self, reserved: float, cost: float | None) -> None:
        """Turn what was set aside into what was paid; None = unknown, so all of it."""
        self.reserved = max(0.0, self.reserved - reserved)
        self.spent += reserved if cost is None else cost

    def cost(self, answer: Answer) -> float | None:
        """Dollars for an answer: the endpoint's own figure, else tokens times price."""
        if answer.cost_usd is not None:
            return answer.cost_usd
        if self.price is None or answer.input_tokens is None or answer.output_tokens is None:
            return None
        return self.price.cost(answer.input_tokens, answer.output_tokens)


def most_tokens(request: Request) -> int:
    """Bound the tokens of a prompt: no byte-level tokenizer makes more tokens than bytes."""
    turns = request.messages
    text = sum(len(message.content.encode("utf-8", "replace")) for message in turns)
    return text + len(request.schema or "") + TURN * len(turns) + TEMPLATE

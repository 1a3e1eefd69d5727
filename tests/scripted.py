"""A scripted client: answers from a function, remembers what it was asked. No network."""

from collections.abc import Callable, Sequence
from threading import Lock

from core.llm.requests import CallFailed, Outcome, Reply, Request


class ScriptedClient:
    """Implements the Client protocol; `answer` gives a text, a Reply, or None for a failed call."""

    def __init__(
        self, answer: Callable[[Request], str | Reply | None], model: str = "scripted"
    ) -> None:
        self.model = model
        self.asked: list[Request] = []
        self._answer = answer
        self._lock = Lock()

    def ask(self, requests: Sequence[Request]) -> list[Outcome]:
        with self._lock:
            self.asked += requests
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Outcome:
        key = request.sha256("scripted", self.model)
        said = self._answer(request)
        if said is None:
            return CallFailed(key, "scripted failure")
        if isinstance(said, Reply):
            return said._replace(key=key)
        return Reply(key, said, "stop", None, 100, 10, 0.001, 0.1)


def queue(*answers: str | None) -> Callable[[Request], str | None]:
    """Answer with these in order; asking more often is an error."""
    left = list(answers)

    def answer(_request: Request) -> str | None:
        assert left, "the script is at its end"
        return left.pop(0)

    return answer

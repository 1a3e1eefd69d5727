"""Which endpoint is asked, and how; a key is never part of it."""

from dataclasses import dataclass, field
from typing import Literal

from data.errors import BadInput

Wish = Literal["auto", "on", "off"]


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """One model of one OpenAI-compatible endpoint; the key comes from the environment."""

    model: str = field(
        default="",
        metadata={
            "help": "the model's id at the endpoint; needed for everything but the grammar",
            "shown": False,
        },
    )
    base_url: str = field(
        default="openai",
        metadata={
            "help": "the endpoint's address, or openai, openrouter, vllm, ollama, llama.cpp, "
            "transformers",
            "env": "OPENAI_BASE_URL",
        },
    )
    concurrency: int = field(
        default=32, metadata={"help": "requests in flight at once", "low": 1, "high": 1024}
    )
    timeout: float = field(
        default=120.0, metadata={"help": "seconds to wait for an answer", "low": 1}
    )
    budget: float | None = field(
        default=None,
        metadata={
            "help": "dollars for this start; it stops cleanly before they are passed",
            "low": 0,
            "shown": "none",
        },
    )
    structured: Wish = field(
        default="auto",
        metadata={"help": "ask for answers by JSON schema: auto = until the endpoint refuses it"},
    )
    logprobs: Wish = field(
        default="auto",
        metadata={"help": "ask for log-probabilities: auto = until the endpoint refuses them"},
    )
    reasoning: int = field(
        default=0,
        metadata={"help": "tokens that a reasoning model may think before it answers", "low": 0},
    )
    extra: str = field(
        default="",
        metadata={
            "help": "more parameters of every request, as a JSON object",
            "flag": "--extra",
            "shown": "none",
        },
    )
    tokenizer: str = field(
        default="",
        metadata={
            "help": "folder or hub id of the model's tokenizer, to count tokens exactly",
            "shown": "the model's folder, if it is one",
        },
    )

    def require_model(self) -> "EndpointSettings":
        """Refuse to ask nobody."""
        if not self.model:
            raise BadInput("which model? give --model ID, and --base-url unless it is OpenAI's")
        return self

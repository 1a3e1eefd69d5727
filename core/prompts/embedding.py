"""What a sentence encoder is asked: which texts go with this description?"""

INSTRUCTION = "Find sentences that fit this description:"


def query(explanation: str) -> str:
    """Put the instruction before an explanation; one text, encoded like the contexts."""
    return f"{INSTRUCTION} {explanation}"

"""Whole prompts compared with files that a person can read.

GLOSS_GOLDEN=write pytest rewrites them; read the difference before it is committed.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from core.llm.requests import Request

FOLDER = Path(__file__).parent / "golden"


def readable(requests: Iterable[Request]) -> str:
    """Requests as text: parameters, then every turn under its role."""
    parts = []
    for number, request in enumerate(requests, 1):
        kept = {name: value for name, value in request.parameters.items() if value}
        parts.append(f"=== request {number}: {request.purpose} {kept}")
        if request.kind == "completion":
            parts.append(request.prompt)
        else:
            parts += [f"--- {m.role}\n{m.content}" for m in request.messages]
    return "\n".join(parts) + "\n"


def check_golden(name: str, requests: Iterable[Request]) -> None:
    """Compare with tests/golden/<name>.txt."""
    path, text = FOLDER / f"{name}.txt", readable(requests)
    if os.environ.get("GLOSS_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text

"""Text as pages draw it: as reports do (core/drawing/spans.py), and as the labels of buttons."""

from core.drawing.spans import (
    Beside,
    ContextRow,
    GroupHeading,
    Passage,
    Shade,
    Verdict,
    as_text,
    block,
    escape,
    example_list,
    group_heading,
    heading,
    highlighted,
    level,
    one_line,
    plain,
    verdict,
)

__all__ = [
    "Beside",
    "ContextRow",
    "GroupHeading",
    "Passage",
    "Shade",
    "Verdict",
    "as_text",
    "block",
    "escape",
    "example_list",
    "group_heading",
    "heading",
    "highlighted",
    "level",
    "literal",
    "one_line",
    "plain",
    "verdict",
]


def literal(text: str, longest: int = 90) -> str:
    """Text as the label of a button, which reads Markdown: every sign of it is escaped."""
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!:$~<>|^&" else c for c in short)

"""Text as the labels of buttons."""


def literal(text: str, longest: int = 90) -> str:
    """Text as the label of a button, which reads Markdown: every sign of it is escaped."""
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!:$~<>|^&" else c for c in short)

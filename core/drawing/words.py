"""How an explanation was made, in the few words that stand beside it."""

from typing import Any

HUMAN = "human"  # the explainer of what a person wrote


def is_grammar(settings: dict[str, Any], who: str = "explainer") -> bool:
    """Whether no language model was asked."""
    return settings.get(who, "grammar") == "grammar"


def explain_words(settings: dict[str, Any]) -> list[str]:
    """What an explanation was made from and how, e.g. ["40 examples, top", "mdl"]."""
    if settings.get("explainer") == HUMAN:
        return hand_words(settings)
    return grammar_words(settings) if is_grammar(settings) else model_words(settings)


def hand_words(settings: dict[str, Any]) -> list[str]:
    """That a person wrote it, and who, e.g. ["by hand", "Ada"]."""
    return ["by hand", *filter(None, [settings.get("author")])]


def model_words(settings: dict[str, Any]) -> list[str]:
    """What a language model was shown, and what was said by whom where several were asked."""
    words = [f"{settings.get('examples')} examples, {settings.get('sampling')}"]
    words += [str(settings["explainer"])]
    if settings.get("model"):
        words.append(str(settings["model"]))
    if settings.get("judge"):
        words.append(f"chosen by {settings['judge']}")
    return words


def grammar_words(settings: dict[str, Any]) -> list[str]:
    """What a grammar explanation was learnt from and how, in a few words."""
    examples = settings.get("examples")
    data = f"{examples} examples, {settings.get('sampling')}" if examples else "all train tokens"
    words = [data, str(settings.get("objective", "f1"))]
    if settings.get("families", "context") != "context":
        words.append(f"{settings['families']} rules")
    if settings.get("max_rules", 8) != 8:
        words.append(f"≤ {settings['max_rules']} rules")
    if settings.get("max_literals", 3) != 3:
        words.append(f"≤ {settings['max_literals']} conditions")
    if settings.get("threshold"):
        words.append(f"above {settings['threshold']:g} of max")
    return words

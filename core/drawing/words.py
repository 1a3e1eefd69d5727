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
    if "kl" in settings:
        return pushed_words(settings)
    if not is_grammar(settings):
        return model_words(settings)
    return grammar_words(settings) if "objective" in settings else []  # else imported: not ours


def pushed_words(settings: dict[str, Any]) -> list[str]:
    """What an intervention's explanation was written from and who chose it, in a few words.

    >>> pushed_words({"explain": 4, "select": 4, "score": 8, "context": 48, "kl": 0.33})
    ['4/4/8 prompts of 48 tokens', 'KL 0.33']
    """
    sizes = "/".join(str(settings.get(name, "?")) for name in ("explain", "select", "score"))
    words = [f"{sizes} prompts of {settings.get('context', '?')} tokens", f"KL {settings['kl']:g}"]
    if settings.get("judge"):
        words.append(f"chosen by {str(settings['judge']).rstrip('/').rpartition('/')[2]}")
    return words


def hand_words(settings: dict[str, Any]) -> list[str]:
    """That a person wrote it, and who, e.g. ["by hand", "Ada"]."""
    return ["by hand", *filter(None, [settings.get("author")])]


def model_words(settings: dict[str, Any]) -> list[str]:
    """What a language model was shown, and what was said by whom where several were asked."""
    n, sampling = settings.get("examples"), settings.get("sampling")
    shown = ", ".join([f"{n} examples"] * (n is not None) + [str(sampling)] * bool(sampling))
    words = [*filter(None, [shown]), str(settings["explainer"])]
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

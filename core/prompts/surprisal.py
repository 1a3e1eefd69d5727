"""What a base language model reads before a context: descriptions, each with texts that fit it.

The model continues the list, so a context is likelier after a description that fits it. How much
likelier is measured against a description that says nothing. Longer blocks come first: where the
model's memory is short, the last ones are kept, which are also the shortest.
"""

from typing import NamedTuple


class Block(NamedTuple):
    """A description and sentences that fit it."""

    description: str
    sentences: tuple[str, ...]


CONTROL = "Sentences that have nothing to do with one another."
BLOCKS = (
    Block(
        "Instructions for preparing food.",
        (
            "Fold the beaten egg whites into the batter, a third at a time, until no streaks show.",
            "Let the onions soften over a low flame before you add the stock and the barley.",
            "Leave the dough under a damp cloth for two hours, then knead it once more.",
        ),
    ),
    Block(
        "Sums of money, above all in reports on firms.",
        (
            "The mill lost £2.4 million in its first year and closed its smaller plant.",
            "Shareholders will receive 35 cents a share, five cents more than last spring.",
            "A second lender wrote off nearly $800,000 in unpaid rents.",
        ),
    ),
    Block(
        "The word “never” in a warning or a promise.",
        (
            "You must never open the valve while the boiler is hot.",
            "He swore that he would never again sail without a chart.",
            "Never lend your key to a lodger.",
        ),
    ),
    Block(
        "Weather at sea.",
        (
            "By dusk the wind had backed to the west and the swell was rising.",
            "Fog lay on the strait all morning, and no ferry left the quay.",
        ),
    ),
    Block(
        "Questions that somebody asks politely.",
        (
            "Could you tell me when the library closes today?",
            "Would it be possible to move our meeting to Thursday?",
        ),
    ),
    Block(
        "Words that end in “-less”.",
        ("It was a cloudless, windless day.", "The plan seemed harmless and almost costless."),
    ),
    Block("Parts of a bicycle.", ("The chain slipped off.", "She oiled both pedals.")),
)


def prefix(description: str, n_blocks: int = len(BLOCKS)) -> str:
    """Write the last n_blocks blocks and the description; `continuation` goes behind it."""
    written = [_written(block) for block in BLOCKS[len(BLOCKS) - n_blocks :]]
    return "\n".join([*written, _heading(description) + "-"])


def continuation(text: str) -> str:
    """Write a context as the next item of the list that a prefix begins."""
    return f" {text.strip()}"


def _written(block: Block) -> str:
    return _heading(block.description) + "".join(f"- {said}\n" for said in block.sentences)


def _heading(description: str) -> str:
    return f"Description: {description}\nSentences:\n"

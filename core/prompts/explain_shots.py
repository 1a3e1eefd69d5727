"""The worked features that stand before a question, in our own prose.

    LASTING   a meaning spread over several words
    WARD      a part of a word
    RIGHT     a word in one of its senses
    BODY      words that say nothing by themselves: what the feature makes likelier decides

Written as evidence, so that they are laid out by the same functions as a real feature.
"""

from dataclasses import dataclass

from core.explain.evidence import Effect, Evidence, Shown


@dataclass(frozen=True, slots=True)
class Shot:
    """One worked feature and what there is to say of it."""

    evidence: Evidence
    explanation: str
    stages: str = ""  # the way to the explanation, for the staged question
    contrast: str = ""  # the explanation that also heeds the silent texts
    quotes: tuple[str, ...] = ()  # verbatim from the texts


def active(text: str, decile: int = 5) -> Shown:
    """Read a context: "turn| home|ward~9|." has four tokens, the third active with 9."""
    parts = [part.partition("~") for part in text.split("|")]
    pieces = tuple(piece for piece, _, _ in parts)
    return Shown(pieces, tuple(float(value or 0) for _, _, value in parts), decile)


def silent(text: str) -> Shown:
    """Make a context without any activation."""
    return Shown((text,), (0.0,), 0)


def effects(text: str) -> tuple[Effect, ...]:
    """Read effects: "ago 1.5| arm 2.0" are two tokens, the second with a space before it."""
    pairs = [part.rpartition(" ") for part in text.split("|")]
    return tuple(Effect(piece, float(value)) for piece, _, value in pairs)


def shot(
    examples: tuple[Shown, ...],
    explanation: str,
    *,
    quiet: tuple[Shown, ...] = (),
    promoted: str,
    suppressed: str,
    stages: str = "",
    contrast: str = "",
    quotes: tuple[str, ...] = (),
) -> Shot:
    """Make a worked feature whose strongest activation is 10."""
    evidence = Evidence(
        feature=0,
        hookpoint="",
        examples=examples,
        silent=quiet,
        max_activation=10.0,
        promoted=effects(promoted),
        suppressed=effects(suppressed),
    )
    return Shot(evidence, explanation, stages, contrast, quotes)


LASTING = shot(
    (
        active("The same family has kept the mill| for~5| generations~9|, and means to stay."),
        active("The clock in the hall stopped| ages~8| ago~6|; nobody has repaired it since."),
        active(
            "There has been a path along the cliff| for~3| as~4| long~8| as~6| anyone~7| can~5"
            "| remember~10|, used mostly by shepherds."
        ),
        active("By then the two towns had quarrelled| for~3| the| better~4| part~5| of| a"
               "| century~7| over the bridge."),
    ),
    "Phrases saying that something has lasted for a very long, loosely stated time.",
    quiet=(
        silent("The train was held at the border for twenty minutes."),
        silent("She ran the school from 1981 to 1984."),
    ),
    promoted=" without 0.8| unchanged 0.7| already 0.6",
    suppressed=" tomorrow -0.7| minutes -0.6",
    stages="""\
Items: “as long as anyone can remember”, “for generations”, “ages ago”, “for the better part of \
a century”
Shared: Each tells how long something has gone on. The stretch is very long and never exact. The \
wording differs, and so does the subject: a mill, a clock, a path, a quarrel.
Hypothesis: What counts is the meaning of a long, vague duration; it is strongest on the word \
that completes it.""",
    contrast="Phrases for a very long, loosely stated time, not exact durations or years.",
    quotes=(
        "has kept the mill for generations",
        "stopped ages ago; nobody has repaired it since",
        "for as long as anyone can remember",
    ),
)  # fmt: skip

WARD = shot(
    (
        active("At dusk the cattle turned home|ward~9| of their own accord."),
        active("Look up|wards~6| and you will see the old beams."),
        active("The smoke drifted sea|ward~8| and thinned over the water."),
        active("He took two steps back|ward~7| and sat down on the wall."),
    ),
    "The ending “-ward” or “-wards” of words that give a direction.",
    quiet=(
        silent("Visitors may enter the ward after two o'clock."),
        silent("There was an awkward silence when the reward was named."),
    ),
    promoted=" along 0.9| past 0.8| again 0.5",
    suppressed=" of -0.6| is -0.4",
    stages="""\
Items: “ward” in “homeward”, “ward” in “seaward”, “ward” in “backward”, “wards” in “upwards”
Shared: Only the end of the word is active, never its beginning. All four words say where \
something moves or looks; the texts have no topic in common.
Hypothesis: It is the ending “-ward” or “-wards”, in words of direction.""",
    contrast="The ending “-ward” or “-wards” of words that give a direction, not the letters "
    "“ward” elsewhere.",
    quotes=(
        "the cattle turned homeward",
        "The smoke drifted seaward",
        "Look upwards and you will see",
    ),
)

RIGHT = shot(
    (
        active("Take the second turning on the| right~8|, just past the chapel."),
        active("She was right to complain, he said, and pointed to the shelf on the| right~7|."),
        active("Keep| right~9| at the fork; the other branch ends at a gate."),
        active("His| right~5| hand was bandaged, so he signed with the other."),
    ),
    "The word “right” as a side or a direction, not in the sense of correct.",
    quiet=(
        silent("You were right about the weather after all."),
        silent("Every member has the right to speak."),
    ),
    promoted=" turn 1.1| hand 1.0| side 0.9",
    suppressed=" answer -0.8| to -0.5",
    stages="""\
Items: “right” in “Keep right”, in “the second turning on the right”, in “the shelf on the right”, \
in “His right hand”
Shared: Always the word “right”, and always a side. In the second example “She was right to \
complain” is silent, so the word alone is not enough.
Hypothesis: It is “right” as a side or a direction, weaker when it describes a part of the body.""",
    contrast="The word “right” as a side or a direction, not as correct or as something one is "
    "entitled to.",
    quotes=(
        "the second turning on the right",
        "Keep right at the fork",
        "She was right to complain, he said, and pointed to the shelf",
    ),
)

BODY = shot(
    (
        active("The swing came back and struck the boy squarely on| the~9"),
        active("She laughed and took the old man by| the~8"),
        active("The rope had left a red line across| his~7| left"),
        active("After the fall he complained of pain in| his~8| lower"),
    ),
    "“The” or a possessive word right before a part of the body is named, often after a touch or "
    "an injury.",
    promoted=" shoulder 2.1| arm 1.9| wrist 1.8| knee 1.6| chest 1.5",
    suppressed=" committee -0.9| idea -0.8| year -0.7",
    stages="""\
Items: “the” in “squarely on the”, “the” in “by the”, “his” in “pain in his”, “his” in “across his”
Shared: Words that say nothing by themselves, and most “the” in these texts are silent. \
Before each somebody is struck, touched or hurt. The likelier tokens are all parts of the body.
Hypothesis: It is active where a part of the body is about to be named; the tokens that it makes \
likelier decide, the marked words alone would not.""",
)

SHOTS = (LASTING, WARD, RIGHT)
WITH_EFFECTS = (LASTING, WARD, BODY)

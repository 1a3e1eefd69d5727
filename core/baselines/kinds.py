"""Which baselines there are, what each is in words, and what is published of them.

Neurons and random directions are those of arXiv 2410.13928, the re-drawn subject that of
2501.17727, exchanged explanations EleutherAI's (methods.md 6.5, 8). Ours: one table of them over
the same tokens.

A kind is a row of the table. `Asked` is what a person names; neurons are two rows. Knows nothing of
stores and models.
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from data.baselines import Redrawn
from data.errors import BadInput

Asked = Literal[
    "neurons", "random-sae", "re-randomised", "random-embeddings", "same-recipe", "shuffled",
    "always-yes",
]  # fmt: skip
ASKED: tuple[Asked, ...] = (
    "neurons", "random-sae", "re-randomised", "random-embeddings", "same-recipe", "shuffled",
    "always-yes",
)  # fmt: skip
EXTRA = ("random-embeddings", "same-recipe")  # only when asked for
TRAINED = ("re-randomised", *EXTRA)  # an SAE is trained for them
USUAL: tuple[Asked, ...] = tuple(name for name in ASKED if name not in EXTRA)
NULLS = ("shuffled", "always-yes")  # on the cache itself: no other cache is made
NEURONS = (32, 256)  # largest at a token, as in arXiv 2410.13928 (methods 8)
STEPS = 300  # of training an SAE, each on 2,048 tokens
OWN = "sae"  # the row of the SAE itself


class Kind(NamedTuple):
    """A baseline that is a cache of its own."""

    asked: Asked
    k: int | None = None  # neurons at a token
    steps: int = 0  # of training; 0 = nothing is trained
    seed: int = 0

    @property
    def name(self) -> str:
        """Its row, and the end of its cache's name.

        >>> Kind("re-randomised", steps=300).name, Kind("re-randomised").name
        ('re-randomised', 're-randomised-random-sae')
        """
        words: list[str] = [self.asked]
        if self.k is not None:
            words.append(str(self.k))
        if self.asked in TRAINED:
            words += _steps(self.steps)
        if self.seed:
            words.append(f"seed-{self.seed}")
        return "-".join(words)

    def subject(self, trained: str) -> str:
        """The name of the subject that it reads."""
        if self.asked in ("re-randomised", "random-embeddings"):
            return str(Redrawn(self.seed, trained, self.asked))
        return trained


def _steps(steps: int) -> list[str]:
    if not steps:
        return ["random-sae"]
    return [] if steps == STEPS else [f"{steps}-steps"]


def kinds_of(only: Sequence[str], *, steps: int, seed: int) -> list[Kind]:
    """The caches that the named baselines need, in the order of the table."""
    found: list[Kind] = []
    for name in ASKED:
        if name not in (only or USUAL) or name in NULLS:
            continue
        if name == "neurons":
            found += [Kind(name, k=k) for k in NEURONS]
        elif name == "random-sae":
            found.append(Kind(name, seed=seed))
        else:
            found.append(Kind(name, steps=steps, seed=seed))
    return found


def nulls_of(only: Sequence[str]) -> list[str]:
    """The null scores that the named baselines need."""
    return [name for name in NULLS if name in (only or USUAL)]


def check(only: Sequence[str], steps: int) -> None:
    """Refuse names that mean nothing."""
    for name in only:
        if name not in ASKED:
            raise BadInput(f"--only {name}: there is {', '.join(ASKED)}")
    if steps < 0:
        raise BadInput(f"--steps {steps}: give 0, for a random SAE, or more")
    if "same-recipe" in only and not steps:
        raise BadInput("--only same-recipe trains an SAE: give --steps 1 or more")


WORDS = {
    OWN: "the SAE",
    "neurons": "neurons",
    "random-sae": "random SAE",
    "re-randomised-random-sae": "random SAE on the re-randomised subject",
    "re-randomised": "SAE on the re-randomised subject",
    "random-embeddings-random-sae": "random SAE on the subject reading noise",
    "random-embeddings": "SAE on the subject reading noise",
    "same-recipe": "SAE trained here on the subject as it is",
    "shuffled": "explanations of other features",
    "always-yes": "a judge that says yes to everything",
}
MEANS = {
    OWN: "its own features and explanations",
    "neurons": "no dictionary: the largest inputs of the MLP's down projection, each a feature",
    "random-sae": "as many features and as many on at a token, in random directions",
    "re-randomised-random-sae": "all weights drawn anew with each parameter's own mean and "
    "deviation, read in random directions: nothing is trained",
    "re-randomised": "all weights drawn anew with each parameter's own mean and deviation; a TopK "
    "SAE of this size trained on it here",
    "random-embeddings-random-sae": "the trained subject, with other random numbers at every place "
    "instead of its token's embedding, read in random directions",
    "random-embeddings": "the trained subject, with other random numbers at every place instead of "
    "its token's embedding: no feature can know the text",
    "same-recipe": "a TopK SAE of this size trained here on the same tokens: what the recipe "
    "alone explains of the row above",
    "shuffled": "the SAE's contexts, judged with what was said of other features",
    "always-yes": "half by construction; anything else is a fault of the pipeline",
}
TAIL = re.compile(r"-(seed-\d+|\d+-steps|\d+)$")


def family(name: str) -> str:
    """What a row is at bottom, e.g. "neurons-32" -> "neurons"."""
    while found := TAIL.search(name):
        name = name[: found.start()]
    return name


def title(name: str) -> str:
    """A row in words, e.g. "neurons-32" -> "neurons, the 32 largest"."""
    base = family(name)
    words = WORDS.get(base, name)
    for tail in name.removeprefix(base).removeprefix("-").replace("-steps", " steps").split("-"):
        if tail.isdecimal() and base == "neurons":
            words += f", the {tail} largest"
        elif tail.endswith("steps"):
            words += f", {tail}"
    if seed := re.search(r"-seed-(\d+)$", name):
        words += f", seed {seed[1]}"
    return words


SHORT = {
    OWN: "the SAE", "random-sae": "random SAE", "re-randomised": "re-randomised",
    "re-randomised-random-sae": "re-randomised,<br>random SAE",
    "random-embeddings-random-sae": "noise,<br>random SAE", "random-embeddings": "noise read",
    "same-recipe": "same recipe",
    "shuffled": "shuffled", "always-yes": "always yes",
}  # fmt: skip


def short(name: str) -> str:
    """A row as the label of an axis; HTML's line breaks and nothing else of it."""
    base = family(name)
    tail = name.removeprefix(base).removeprefix("-").replace("-", " ")
    join = ", " if base == "neurons" else ",<br>"
    return join.join(filter(None, [SHORT.get(base, base), tail]))


def meaning(name: str) -> str:
    """What a row stands for, in a sentence."""
    return MEANS.get(family(name), "")


class Published(NamedTuple):
    """A figure from the literature, for people to compare; never computed with."""

    row: str  # kind
    fuzzing: str
    detection: str
    about: str
    source: str


PAPER = "arXiv 2410.13928, table A10"
PUBLISHED = (
    Published(OWN, ".76", ".74", "Gemma-2-9b residual, 131k; medians, quartiles about ±.10", PAPER),
    Published(OWN, ".81", ".83", "Llama-3.1-8b residual, 262k; medians", PAPER),
    Published("neurons-32", ".62", ".59", "Gemma-2-9b, top 32; medians", PAPER),
    Published("neurons-32", ".55", ".53", "Llama-3.1-8b, top 32; medians", PAPER),
    Published("neurons-256", ".59", ".57", "Gemma-2-9b, top 256; medians", PAPER),
    Published("neurons-256", ".54", ".53", "Llama-3.1-8b, top 256; medians", PAPER),
    Published("random-sae", ".55", ".54", "random top-k SAE; medians", PAPER),
    Published("shuffled", ".51", ".51", "medians; quartiles .45 to .57", PAPER),
    Published(OWN, ".79 AUROC", "–", "Pythia-6.9b, trained weights; AUROC, another metric",
              "arXiv 2501.17727"),
    Published("re-randomised", ".87 AUROC", "–", "Pythia-6.9b, random weights; AUROC, another "
              "metric", "arXiv 2501.17727"),
    Published("random-embeddings", ".50 AUROC", "–", "Pythia-6.9b, random embeddings; AUROC, "
              "another metric", "arXiv 2501.17727"),
)  # fmt: skip
READING = (
    "A high score does not show learned computation: features of a model whose weights were drawn "
    "anew can score as high (arXiv 2501.17727), since explanations and judges see the text, and "
    "words alone make many features easy to tell. What counts is how far the SAE's scores lie "
    "above the rows below it."
)


def reference(row: str, scorer: str) -> str:
    """The published figures of a row by one scorer, e.g. ".74, .83"; "" where there are none.

    The SAE's own AUROC is left to the list of all: balanced accuracies stand beside it.
    """
    if scorer not in ("fuzzing", "detection"):
        return ""
    said = [getattr(one, scorer) for one in published(row)]
    known = [figure for figure in said if figure != "–"]
    return ", ".join(f for f in known if row != OWN or not f.endswith("AUROC"))


def published(row: str) -> list[Published]:
    """What is published of a row."""
    return [one for one in PUBLISHED if one.row in (row, family(row))]

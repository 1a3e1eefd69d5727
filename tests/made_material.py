"""Material of a made cache: each feature fires on a word of its own; a judge can know the truth."""

import re

import numpy as np
from made_cache import BOS, MadeColumns, made_files, made_matrix

from core.examples import PRESETS, Contexts, Neighbour, draw, with_neighbours
from core.grammar import Literal, Rule, Rules, Words
from core.score.judge import GrammarJudge
from core.score.material import Claim, Material
from data.vocabulary import Vocabulary

HOOK = "layers.1"
N_WORDS = 80
VOCABULARY = Vocabulary([b"<bos>", *(f" w{i}".encode() for i in range(1, N_WORDS))])
WORDS = Words(VOCABULARY.strings, (BOS,))
LINE = re.compile(r"^Text \d+: (.*)$", re.MULTILINE)
MARKED = re.compile(r"<<(.*?)>>")


def made_corpus(n_sequences=500, features=range(1, 13)):
    """Contexts and columns: feature i fires on word i + 1."""
    matrix = made_matrix(n_sequences, words=N_WORDS)
    rng = np.random.default_rng(0)
    strength = (rng.gamma(2, 1, matrix.shape) + 0.1).astype(np.float32)
    dense = [np.where(matrix == word, strength, 0) for word in features]
    return Contexts.open(made_files(matrix)), MadeColumns(dense)


def made_material(corpus, feature=0, *, preset="gloss", neighbours=0):
    """One feature's material; with `neighbours` near features and contexts of theirs.

    preset: the name of one, or one of the test's own.
    """
    contexts, columns = corpus
    chosen = PRESETS[preset] if isinstance(preset, str) else preset
    examples = draw(contexts, columns, feature, chosen, hookpoint=HOOK)
    nearest = tuple(
        Neighbour(other, 0.9 - 0.05 * rank)
        for rank, other in enumerate([f for f in range(12) if f != feature][:neighbours])
    )
    if neighbours:
        examples = with_neighbours(
            contexts, columns, columns.slice(feature), examples, nearest, hookpoint=HOOK, size=100
        )
    return Material(
        contexts=contexts,
        vocabulary=VOCABULARY,
        activations=columns.slice(feature),
        examples=examples,
        preset=chosen,
        label=chosen.name,
        hookpoint=HOOK,
        max_activation=10.0,
        nearest=nearest,
        others={near.feature: columns.slice(near.feature) for near in nearest},
    )


STEADY = Vocabulary([b"<bos>", *(f" w{number}".encode() for number in range(1, 500))])


def steady_material(fires_on=7):
    """A feature that is 5 on " w7" and silent elsewhere, its words being STEADY."""
    matrix = made_matrix(n_sequences=300, words=60)
    contexts = Contexts.open(made_files(matrix))
    columns = MadeColumns([np.where(matrix == fires_on, 5.0, 0.0)])
    return Material(
        contexts=contexts,
        vocabulary=STEADY,
        activations=columns.slice(0),
        examples=draw(contexts, columns, 0, hookpoint=HOOK),
        preset=PRESETS["gloss"],
        label="gloss",
        hookpoint=HOOK,
        max_activation=5.0,
    )


def claim(word, number=1):
    """An explanation that names one word."""
    return Claim(number, f"the word w{word}", None)


def grammar_judge(word):
    """Rules that hold for one word."""
    return GrammarJudge(
        Rules((Rule((Literal("here", "token", (f" w{word}",)),), 1.0, 0.9),)), WORDS
    )


def listed(request):
    """The texts of a question, in their order."""
    return LINE.findall(request.question)


def marked_words(text):
    """The marked words of a text."""
    return " ".join(MARKED.findall(text)).split()

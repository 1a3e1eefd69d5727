"""What the token ids of a run stand for: its subject's tokenizer, or what its contexts tell.

The tokenizer is looked for by the subject's name, next to the run or inside it, and in the local
cache of the hub; never on the network. Without one, texts are taken from contexts whose values
stand in the cache: the ids under them spell them.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core.examples.contexts import spread
from core.examples.draw import ACTIVATING
from core.importing.gather import Contexts, Gathered
from data.activations import FeatureActivations
from data.errors import BadInput
from data.imports.delphi_run import DelphiRun
from data.imports.foreign import read_json
from data.vocabulary import Vocabulary

LAYERS = ("num_hidden_layers", "n_layer", "num_layers")
WIDTHS = ("hidden_size", "n_embd", "d_model")
TRIED = 64  # places compared with one context


class Spelling(NamedTuple):
    """A vocabulary and what its tokenizer says of itself."""

    vocabulary: Vocabulary
    bos_id: int | None
    eos_id: int | None
    source: str  # folder or hub id


class SubjectFigures(NamedTuple):
    """What a model's config.json says; None = not there."""

    architecture: str | None
    n_layers: int | None
    d_model: int | None
    vocabulary_size: int | None


def find_spelling(run: DelphiRun, subject: Path | None) -> Spelling | None:
    """The tokenizer of a run's subject; None where there is none on this machine.

    subject: a folder that the user names; nothing else is tried then.
    """
    if subject is not None:
        found = _loaded(str(subject)) if subject.is_dir() else None
        if found is None:
            raise BadInput(f"--subject {subject} is no folder of a model with a tokenizer")
        return found
    for place in _places(run):
        if found := _loaded(place):
            return found
    return None


def _places(run: DelphiRun) -> Iterator[str]:
    """Folders where the subject may be, then its name for the local cache of the hub.

    The name comes out of a foreign file, so only what lies beside the run is looked at.
    """
    name = run.subject
    if name is None or "\0" in name:
        return
    for home in (run.root.resolve().parent, run.root.resolve()):
        with suppress(OSError):  # a name that no file can have
            folder = (home / name).resolve()
            if folder.is_relative_to(home) and (folder / "config.json").is_file():
                yield str(folder)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        yield name


def _loaded(place: str) -> Spelling | None:
    from transformers import AutoTokenizer

    from core.foreign import quiet, reported

    try:
        with reported(f"the tokenizer in {place}"), quiet():
            tokenizer: Any = AutoTokenizer.from_pretrained(
                place, trust_remote_code=False, local_files_only=True
            )
    except BadInput:
        return None
    return Spelling(Vocabulary.from_tokenizer(tokenizer), tokenizer.bos_token_id,
                    tokenizer.eos_token_id, place)  # fmt: skip


def subject_figures(folder: Path | None) -> SubjectFigures:
    """Sizes of a subject from its folder, as far as they are there."""
    path = folder and folder / "config.json"
    if path is None or not path.is_file():
        return SubjectFigures(None, None, None, None)
    found = read_json(path, dict, limit=10_000_000)

    def number(*keys: str) -> int | None:
        values = [found[key] for key in keys if type(found.get(key)) is int]
        return values[0] if values and 0 < values[0] < 2**31 else None

    names = found.get("architectures")
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else None
    return SubjectFigures(name, number(*LAYERS), number(*WIDTHS), number("vocab_size"))


def recovered(
    gathered: Gathered,
    matrix: np.ndarray,
    activations: Callable[[str, int], FeatureActivations],
) -> Vocabulary:
    """Spell the ids of a token table by contexts whose values are found in it.

    An id that no context spells is shown by its number. matrix: int [sequences, positions].
    """
    heard: dict[int, Counter[str]] = {}
    flat, contexts = matrix.ravel(), gathered.contexts
    usable = ~contexts.joined & (contexts.peak > 0)
    for questions in gathered.questions:
        one = activations(*questions.address)
        asked = questions.context[questions.kind == ACTIVATING]
        for number in np.unique(asked[usable[asked]]).tolist():
            first = _place(contexts, number, one, matrix.shape)
            if first is None:
                continue
            texts = [contexts.vocabulary[i] for i in contexts.tokens(number)]
            for token, text in zip(flat[first : first + len(texts)].tolist(), texts, strict=True):
                heard.setdefault(token, Counter())[text] += 1
    known = {token: said.most_common(1)[0][0] for token, said in heard.items()}
    return Vocabulary(
        [known.get(token, f"⟨{token}⟩").encode("utf-8", "surrogatepass")
         for token in range(int(matrix.max(initial=0)) + 1)]
    )  # fmt: skip


def _place(
    contexts: Contexts, number: int, one: FeatureActivations, shape: tuple[int, ...]
) -> int | None:
    """Flat index at which a context's values stand, if there is exactly one such place."""
    values = contexts.values(number).astype(np.float16)
    if not values.any():
        return None
    at = int(values.argmax())
    first = one.token[one.activation.astype(np.float16) == values[at]].astype(np.int64) - at
    inside = (first >= 0) & (first % shape[1] + len(values) <= shape[1])
    first = first[inside][:TRIED]
    if not len(first):
        return None
    same = (spread(one, first, len(values)).astype(np.float16) == values).all(axis=1)
    return int(first[same][0]) if same.sum() == 1 else None


def share_spelled(vocabulary: Vocabulary, matrix: np.ndarray) -> float:
    """Share of the tokens whose text is known, 0..1."""
    numbered = np.array([text.startswith("⟨") for text in vocabulary.strings])
    return float(1 - numbered[matrix].mean())

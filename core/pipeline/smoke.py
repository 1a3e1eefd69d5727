"""Doubts about SAEs, before hours are spent: do they fit the place that they will be read at?

Tried on the first eight sequences (formats 1.5 e): as many features must fire at a token as the SAE
says, within a factor of three, and the reconstruction must be better than the mean. What does not
fit is refused in a line that names the usual causes; a name that does not agree, or sequences
without the BOS that it was trained with, are notes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.errors import WrongSae

if TYPE_CHECKING:
    from core.quality import Quality
    from core.sae import Sae
    from core.subject import Subject
    from core.tokenising import Corpus
    from data.cachefiles import CacheMeta

SEQUENCES = 8
FACTOR = 3  # between what fires and what should
UNTRAINED = ("random", "neurons")  # nothing is promised of them
CAUSES = (
    "usual causes: another layer, side or subject, missing normalisation, sequences without the "
    "BOS it was trained with"
)
SAID = ("expected_l0", "k", "l0", "target_l0")  # settings that say how many features fire
# What distributors add to a model's name; TransformerLens calls GPT-2 gpt2-small.
SAME = {"gpt2-small": "gpt2", "llama-3-8b": "meta-llama-3-8b", "mistral-7b": "mistral-7b-v0.1",
        "gemma-3-270m-pt": "gemma-3-270m"}  # fmt: skip


def require_plausible(
    subject: "Subject", saes: Mapping[str, "Sae"], meta: "CacheMeta", corpus: "Corpus"
) -> None:
    """Refuse SAEs that do not fit their hookpoint on the corpus's first sequences."""
    import torch

    from core.quality import Sample

    tried = {name: sae for name, sae in saes.items() if sae.kind not in UNTRAINED}
    ids = _first_sequences(subject, meta, corpus) if tried else None
    if ids is None:
        return
    sample = Sample.of_ids(subject, torch.from_numpy(ids), meta.special_ids)
    for hookpoint, sae in tried.items():
        found = sample.quality(hookpoint, sae.to(subject.device))
        wrong = "; ".join(_wrong(found, expected_l0(sae)))
        if wrong:
            raise WrongSae(
                f"the SAE {sae.origin.source} does not fit {hookpoint} of {subject.name}: on "
                f"{found.n_tokens:,} tokens {wrong}; {CAUSES}; --anyway caches it all the same"
            )


def _first_sequences(subject: "Subject", meta: "CacheMeta", corpus: "Corpus") -> np.ndarray | None:
    """Take the first sequences as they will be cached, int64 [sequence, position]."""
    from core.tokenising import sequences

    few = replace(meta, requested_tokens=SEQUENCES * meta.sequence_length)
    blocks: list[np.ndarray] = []
    for block in sequences(few, subject, corpus):
        blocks.append(np.asarray(block, np.int64))
        if sum(map(len, blocks)) >= SEQUENCES:
            break
    return np.concatenate(blocks)[:SEQUENCES] if blocks else None


def expected_l0(sae: "Sae") -> float | None:
    """Say how many features should fire at a token; None where nothing says so."""
    given: list[Any] = [getattr(sae, "k", None), *(sae.settings.get(name) for name in SAID)]
    parts = (sae.settings.get(name) for name in ("metadata", "trainer"))
    given += [part.get(name) for part in parts if isinstance(part, dict) for name in SAID]
    usable = (x for x in given if isinstance(x, int | float) and not isinstance(x, bool) and x > 0)
    return next(usable, None)


def _wrong(found: "Quality", expected: float | None) -> Iterator[str]:
    if found.n_tokens == 0:
        return
    if expected is not None and not expected / FACTOR <= found.l0 <= expected * FACTOR:
        yield f"{found.l0:.1f} features fire at a token, where it says {expected:g}"
    if found.fvu is not None and found.fvu >= 1:
        yield f"its reconstruction is no better than the mean (FVU {found.fvu:.2f})"


def doubts(sae: "Sae", subject: "Subject", meta: "CacheMeta") -> list[str]:
    """Note what its files say that does not agree with the subject, the place or the sequences."""
    from core.hookpoints import is_output_known
    from core.sae.checks import n_copies

    hook, notes = sae.origin.hook, []
    if hook and hook.model and _differ(hook.model, subject):
        notes.append(f"it was trained on {hook.model}, the subject is {subject.name}")
    if hook and hook.bos and meta.bos_id is None:
        notes.append("it was trained on sequences that begin with BOS, these do not")
    if sae.origin.elsewhere:
        notes.append(f"its files are for {sae.origin.elsewhere}, it is read where --hookpoint says")
    if not is_output_known(sae):
        notes.append("where it writes in this subject is not known: reconstruction not measured")
    copies = 0 if sae.kind in UNTRAINED else n_copies(sae)
    if copies:
        notes.append(f"{copies:,} of its features are exact copies of other ones")
    return notes


def _differ(named: str, subject: "Subject") -> bool:
    """Whether a model's name is another than the subject's; a folder may be called anything."""
    return not Path(subject.name).expanduser().exists() and _short(named) != _short(subject.name)


def _short(name: str) -> str:
    last = name.rstrip("/").rpartition("/")[2].lower()
    return SAME.get(last, last)

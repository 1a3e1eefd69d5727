"""Turns what the Hugging Face libraries raise into one line that names the file or model.

Their errors fill a screen, come in a dozen types, and hide the cause in the error before. Nothing
here knows what is being loaded.
"""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager

from data.errors import BadInput

# What damaged, foreign or unfinished files make the libraries raise, found by damaging some.
RAISED = (
    OSError, ValueError, ImportError, LookupError, TypeError, AttributeError, ArithmeticError,
    AssertionError, RuntimeError, NotImplementedError, MemoryError, EOFError,
    pickle.UnpicklingError,
)  # fmt: skip
LONGEST = 200  # characters of a foreign sentence
MOST_CAUSES = 8  # errors behind an error that are looked at


@contextmanager
def reported(what: str) -> Iterator[None]:
    """Report whatever a library raises while it loads `what`; our own errors pass."""
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    try:
        yield
    except BadInput:
        raise
    except (*RAISED, SafetensorError, StrictDataclassError) as error:
        raise BadInput(f"cannot load {what}: {explained(error)}") from error
    except Exception as error:
        if type(error) is not Exception:  # which is all that the tokenizers library raises
            raise
        raise BadInput(f"cannot load {what}: {explained(error)}") from error


def explained(error: Exception) -> str:
    """Say why loading failed, in our words where the cause is known."""
    if "trust_remote_code" in str(error):
        return "it needs Python code of its own, which is never run: give a model of transformers"
    if "ignore_mismatched_sizes" in str(error):
        return "its weights have other shapes than its configuration says: fetch it again"
    if "alidation error" in str(error):
        return f"its configuration is invalid: {last_line(error)}"
    causes: list[BaseException] = [error]
    while (before := causes[-1].__cause__ or causes[-1].__context__) and len(causes) < MOST_CAUSES:
        causes.append(before)
    for kind, words in _words():
        if any(isinstance(cause, kind) for cause in causes):
            return words
    return first_line(error)


def _words() -> list[tuple[type[BaseException], str]]:
    """Pair what is known to go wrong with what to do, the particular before the general."""
    import torch
    from huggingface_hub import errors as hub

    away = "it is not on this machine and the hub does not answer"
    return [
        (hub.RevisionNotFoundError,
         "it has no such revision: give a branch, tag or commit of its repository"),
        (hub.GatedRepoError,
         "its owner asks for consent: accept the terms on its page and set HF_TOKEN"),
        (hub.RepositoryNotFoundError,
         "the hub has no such repository, or it is private: check the id, or set HF_TOKEN"),
        (hub.LocalEntryNotFoundError, away),
        (hub.OfflineModeIsEnabled, away),
        (torch.OutOfMemoryError,
         "the GPU's memory is full: try --dtype bfloat16 or 8bit, or --device balanced"),
        (pickle.UnpicklingError,
         "it holds objects other than tensors, which are never unpickled"),
    ]  # fmt: skip


def first_line(error: BaseException) -> str:
    """Say the first sentence of a foreign error, which often fills a screen."""
    if isinstance(error, KeyError):
        return f"the entry {error} is missing"
    said = (_lines(error) or [type(error).__name__])[0].rstrip(":.")
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}..."


def last_line(error: BaseException) -> str:
    """Say the last sentence, where the first ones only say who complains."""
    return (_lines(error) or [type(error).__name__])[-1].rstrip(":.")


def _lines(error: BaseException) -> list[str]:
    return [line.strip() for line in str(error).splitlines() if line.strip()]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from drawing bars and tables while it loads."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()

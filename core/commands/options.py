"""Options that several commands share, and how their values are read."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data.errors import BadInput, NotFound

if TYPE_CHECKING:
    from data.catalogue import Catalogue

DEFAULT_STORE = Path("store")
MOST_SEED = 2**63 - 1  # what the catalogue holds
Store = Annotated[
    Path,
    typer.Option("--store", envvar="GLOSS_STORE", help="Where everything is kept.",
                 show_default="./store"),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for scripts.")]
Port = Annotated[
    int, typer.Option(help="Port of the dashboard; 0 = a free one near 8501.", min=0, max=65_535)
]
Hookpoints = Annotated[
    list[str] | None,
    typer.Option("--hookpoint", help="Module path of the subject; may be repeated.",
                 show_default="all"),
]  # fmt: skip
Workers = Annotated[
    int, typer.Option(help="Processes; 0 = as many as there are cores.", min=0, max=64)
]
CacheName = Annotated[str, typer.Argument(help="Name of the cache.")]
Features = Annotated[str, typer.Option(help="all, 0-99, 3,17, first:200, random:200.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what it would ask, count and cost; ask nothing.")
]


def open_store(store: Path) -> "Catalogue":
    """Open a store that is there; commands that only read do not make one."""
    from data.catalogue import Catalogue

    if not Catalogue.exists(store):
        raise NotFound(f"there is no store at {store}; gloss demo makes one, --store names another")
    return Catalogue(store)


def number(text: str) -> int:
    """Read a count, e.g. "200k" -> 200000, "10M" -> 10000000."""
    scale = {"k": 1_000, "m": 1_000_000, "g": 1_000_000_000}.get(text[-1:].lower(), 0)
    digits = text[:-1] if scale else text
    try:
        found = round(float(digits.replace("_", "").replace(",", "")) * (scale or 1))
    except (ValueError, OverflowError):
        raise BadInput(f"--tokens {text} is not a number; write 200000, 200k or 10M") from None
    if found <= 0:
        raise BadInput(f"--tokens {text} is not a positive number")
    return found


def known_seed(value: int) -> int:
    """Refuse a seed that the catalogue cannot hold."""
    if abs(value) > MOST_SEED:
        raise BadInput(f"--seed {value} is too large: give one of up to 18 digits")
    return value


def parts(text: str) -> tuple[str, ...]:
    """Split at commas, each part once, e.g. "a, b,a" -> ("a", "b")."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def is_typed(*flags: str) -> bool:
    """Whether one of the flags stands on the command line, not in a variable."""
    return any(word.split("=")[0] in {f"--{flag}" for flag in flags} for word in sys.argv[1:])


def typed() -> tuple[str, ...]:
    """The command as it was typed, without the store: what goes on with a run that stopped."""
    from data.imports.foreign import clean

    words = map(clean, sys.argv[1:])  # an argument may be bytes that are no text
    kept: list[str] = []
    skip = False
    for word in words:
        if not skip and word != "--store" and not word.startswith("--store="):
            kept.append(word)
        skip = word == "--store"
    return ("gloss", *kept)

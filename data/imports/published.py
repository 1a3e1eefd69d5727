"""Explanations that were published without the run that made them, and the blog's tables.

<hookpoint>_feature.json    {"<feature>": "<explanation>"}, as EleutherAI put them on the Hub
<name>.csv                  layer,feature,explanation,recall,fuzz,combined, as the blog had them
"""

import csv
import io
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from data.errors import BadInput
from data.imports.delphi_run import LAST_INDEX, Address, require_hookpoint
from data.imports.foreign import clean, read_bytes, read_json, shown

BULK = re.compile(r"\.?(?P<hook>.+?)_(?:feature|latent)s?\.json")
WIDTHS = {"4k": 4096, "16k": 16_384, "32k": 32_768, "65k": 65_536, "131k": 131_072,
          "262k": 262_144, "524k": 524_288, "1m": 2**20}  # fmt: skip
SUBJECTS = {"gemma": "google/gemma-2-9b", "llama": "meta-llama/Llama-3.1-8B"}
MODEL = "Meta-Llama-3.1-70B-Instruct-AWQ-INT4"  # that explained: the paper, not the files
COLUMNS = {"recall": "detection", "fuzz": "fuzzing"}  # of a table, and our names of the scorers
NOT_SCORED = {"", "-1", "-1.0", "N/A", "NA", "nan"}
MOST_ROWS = 10_000_000


class Table(NamedTuple):
    """A table of the blog."""

    texts: dict[Address, str]
    values: dict[str, dict[Address, float]]  # 0..1, by our name of the scorer


def read_bulk(path: Path) -> dict[int, str]:
    """Every explanation of a file by its feature; "" and the like are kept as written."""
    found: dict[int, str] = {}
    for key, text in read_json(path, dict).items():
        if not (key.isascii() and key.isdecimal() and len(key) < 10) or int(key) > LAST_INDEX:
            raise BadInput(f"{shown(path)}: '{clean(key)[:40]}' is no number of a feature")
        if not isinstance(text, str):
            raise BadInput(f"{shown(path)}: the explanation of feature {key} is no text")
        if int(key) in found:
            raise BadInput(f"{shown(path)} has two explanations of feature {int(key)}")
        found[int(key)] = clean(text)
    return found


def read_table(path: Path) -> Table:
    """A table of the blog; a score of -1 or N/A is none."""
    try:
        text = read_bytes(path).decode("utf-8-sig")
        rows = csv.DictReader(io.StringIO(text), strict=True)
        missing = {"layer", "feature", "explanation"} - set(rows.fieldnames or ())
        if missing:
            raise BadInput(f"{shown(path)} has no column '{min(missing)}': it is no such table")
        table = Table({}, {name: {} for name in COLUMNS.values()})
        for number, row in enumerate(rows, start=2):
            _take(table, row, f"{shown(path)}: line {number}")
    except UnicodeDecodeError as error:
        raise BadInput(f"{shown(path)} is not UTF-8 text: fetch it again") from error
    except csv.Error as error:
        raise BadInput(f"{shown(path)} is no CSV, or is cut off: fetch it again") from error
    return Table(table.texts, {name: found for name, found in table.values.items() if found})


def _take(table: Table, row: dict[str, str | None], where: str) -> None:
    """Take in a row."""
    layer, feature = ((row.get(name) or "").strip() for name in ("layer", "feature"))
    if not (feature.isascii() and feature.isdecimal() and len(feature) < 10):
        raise BadInput(f"{where} has no number of a feature")
    if not layer or not layer.isprintable() or len(layer) > 100 or int(feature) > LAST_INDEX:
        raise BadInput(f"{where} names no layer, or a feature that cannot be")
    hookpoint = f"layer.{layer}" if layer.isdecimal() else require_hookpoint(layer, where)
    address = Address(hookpoint, int(feature))
    if address in table.texts:
        raise BadInput(f"{where} is about {address}, which had a row already")
    table.texts[address] = clean(row.get("explanation") or "")
    for column, scorer in COLUMNS.items():
        value = (row.get(column) or "").strip()
        if value not in NOT_SCORED:
            table.values[scorer][address] = _share(value, f"{where} has a '{column}'")


def _share(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise BadInput(f"{where} that is no number") from error
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise BadInput(f"{where} outside 0..1")
    return value


def width_of(parts: Iterable[str]) -> int | None:
    """Features of the SAE that folders are named after, e.g. ("Gemma", "131k", "res")."""
    found = {WIDTHS[part.lower()] for part in parts if part.lower() in WIDTHS}
    return found.pop() if len(found) == 1 else None


def subject_of(parts: Iterable[str]) -> str | None:
    """The subject that folders are named after; which one it is stands in the paper."""
    found = {SUBJECTS[part.lower()] for part in parts if part.lower() in SUBJECTS}
    return found.pop() if len(found) == 1 else None

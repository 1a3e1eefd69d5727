"""Importing runs in tests, and asking the store what came of it."""

import json
from pathlib import Path

from core.importing.delphi import ImportRequest, import_delphi
from core.show import cache_lines, feature_lines
from data import caches
from data.catalogue import Catalogue
from data.imports.report import reports

SHARED = Path(__file__).resolve().parents[2] / "shared"


def bring(store: Path, path: Path, **how) -> Catalogue:
    list(import_delphi(store, ImportRequest(path, **how)))
    return Catalogue(store)


def shown(catalogue: Catalogue, name: str) -> list[dict]:
    return [json.loads(line) for line in cache_lines(catalogue, name, None, as_json=True)]


def feature_of(catalogue: Catalogue, name: str, address: str) -> dict:
    (line,) = feature_lines(catalogue, name, address, as_json=True)
    return json.loads(line)


def codes(catalogue: Catalogue, name: str) -> dict[str, int]:
    with catalogue.reading() as con:
        found = reports(con, caches.cache(catalogue, name).cache_id)
    return {one["code"]: one["n"] for one in found}


def rows_in(catalogue: Catalogue, *tables: str) -> dict[str, int]:
    with catalogue.reading() as con:
        return {name: con.value(f"select count(*) from {name}") for name in tables}

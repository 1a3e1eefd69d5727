"""The one door to DuckDB."""

from data.catalogue.connection import Connection, Row
from data.catalogue.opening import SOON
from data.catalogue.sealed import sealed, too_long
from data.catalogue.store import (
    FILE,
    SCHEMA,
    VERSION,
    Catalogue,
    Revision,
    as_json,
    schema_sha256,
)

__all__ = [
    "FILE",
    "SCHEMA",
    "SOON",
    "VERSION",
    "Catalogue",
    "Connection",
    "Revision",
    "Row",
    "as_json",
    "schema_sha256",
    "sealed",
    "too_long",
]

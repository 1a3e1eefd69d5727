"""Exports as the Data page offers them: their names, options, commands and stages.

Knows nothing of Streamlit. A page calls the same functions as `gloss export`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from data import exporting
from data.catalogue import Catalogue
from data.exports.folder import Exported, Format
from data.records import CacheRecord, Progress

NAMES: dict[Format, str] = {
    "parquet": "Parquet", "csv": "CSV", "neuronpedia": "Neuronpedia", "delphi": "delphi",
    "html": "HTML report",
}  # fmt: skip
SAYS: dict[Format, str] = {
    "parquet": "The catalogue's tables, a file each.",
    "csv": "The catalogue's tables, a file each.",
    "neuronpedia": "Features, contexts, explanations and scores in Neuronpedia's upload layout.",
    "delphi": "Activations, explanations and verdicts as a run directory of delphi.",
    "html": "A page a feature and a table of them, which open without a server.",
}
TABLES = ("parquet", "csv")
FEATURES = {"neuronpedia": "all", "html": ""}  # what is in the field at first


@dataclass(frozen=True, slots=True)
class Options:
    """What was chosen; "" and () = what the command does without it."""

    format: Format = "parquet"
    hookpoints: tuple[str, ...] = ()
    features: str = ""
    vectors: bool = False
    model_id: str = ""
    set_name: str = ""
    user_id: str = ""


def words(record: CacheRecord, options: Options) -> list[str]:
    """The command that does the same elsewhere, without the store."""
    flags = [
        *(word for name in options.hookpoints for word in ("--hookpoint", name)),
        *_flag("--features", options.features),
        *["--vectors"] * options.vectors,
        *_flag("--model-id", options.model_id),
        *_flag("--set", options.set_name),
        *_flag("--user-id", options.user_id),
    ]
    return ["gloss", "export", options.format, record.name, "--out", "FOLDER", *flags]


def _flag(name: str, value: str) -> list[str]:
    return [name, value] if value else []


def stage(
    catalogue: Catalogue, record: CacheRecord, options: Options, out: Path
) -> Iterator[Progress]:
    """Write the export."""
    if options.format == "neuronpedia":
        from core.exporting.neuronpedia import NeuronpediaRequest, export_neuronpedia
        from data.exports.neuronpedia import USER

        request = NeuronpediaRequest(
            record.name, out, options.hookpoints, options.features or "all", options.vectors,
            options.user_id or USER, options.model_id or None, options.set_name or None,
        )  # fmt: skip
        return export_neuronpedia(catalogue, request)
    if options.format == "delphi":
        from core.exporting.delphi import DelphiRequest, export_delphi

        return export_delphi(catalogue, DelphiRequest(record.name, out, options.hookpoints))
    if options.format == "html":
        from core.exporting.report import ReportRequest, export_report

        asked = ReportRequest(record.name, out, options.hookpoints, options.features or None)
        return export_report(catalogue, asked)
    return exporting.export(catalogue, record.name, out, options.format)


def format_named(name: str | None) -> Format:
    """The format of an address, Parquet where it names none."""
    return next((known for known in get_args(Format) if known == name), "parquet")


def said(found: Exported) -> str:
    """What lies in a folder, e.g. "120 features, 8,210 activations"."""
    if found.format in TABLES:
        return f"{sum(found.rows.values()):,} rows"
    if found.format == "html":
        pages, size = found.rows.get("pages", 0), found.rows.get("bytes", 0)
        return f"{pages:,} {'page' if pages == 1 else 'pages'}, {size / 1e6:,.1f} MB,"
    return ", ".join(f"{n:,} {part}" for part, n in found.rows.items())

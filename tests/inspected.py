"""A store to ask questions of in SQL, and asking it."""

from pathlib import Path

from stores import MadeStore, make_store

from data.inspecting import Answer, query


def quoted_store(folder: Path) -> MadeStore:
    """A made-up store in a folder with a quote in its name, with a file to steal."""
    made = make_store(folder / "it's a store", sequences=60)
    (made.folder / "secret.csv").write_text("a,b\n1,hidden\n")
    return made


def ask(made: MadeStore, sql: str, **limits) -> Answer:
    return query(made.catalogue, sql, **limits)

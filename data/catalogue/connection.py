"""One open connection: questions, and rows added in bulk."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb

from data.catalogue.heard import heard

if TYPE_CHECKING:  # a command that only looks needs neither
    import pandas as pd
    import pyarrow as pa

Row = dict[str, Any]


class Connection:
    """One open connection, for the length of a page or a transaction."""

    def __init__(self, raw: duckdb.DuckDBPyConnection) -> None:
        """Wrap a raw connection; `Catalogue.reading` and `Catalogue.writing` make these."""
        self._raw = raw
        self._after: list[Callable[[], None]] = []

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do this once the transaction is kept; never, when it is not."""
        self._after.append(action)

    def committed(self) -> None:
        """Do what was to be done after the commit."""
        for action in self._after:
            action()

    def run(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> None:
        """Execute a statement for its effect; parameters by place (?) or by name ($name)."""
        given = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
        heard(self._raw, lambda: self._raw.execute(sql, given))

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All result rows, each as a dictionary by column name."""
        found = self._all(sql, parameters)
        names = [column[0] for column in self._raw.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found]

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """The first result row, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first column of the first row, or None."""
        found = self._all(sql, parameters)
        return found[0][0] if found else None

    def frame(self, sql: str, parameters: Sequence[Any] = ()) -> "pd.DataFrame":
        """The result as a DataFrame."""
        return heard(self._raw, lambda: self._raw.execute(sql, list(parameters)).df())

    def ids(self, sequence: str, n: int) -> list[int]:
        """Take n consecutive numbers from a sequence, e.g. ids("item_ids", 3) -> [7, 8, 9]."""
        return [n for (n,) in self._all(f"select nextval('{sequence}') from range({n})")]

    def append(self, table: str, rows: "pa.Table") -> None:
        """Add rows, matched by column name; bulk loads through Arrow, which is the fast way."""
        if rows.num_rows:
            self._raw.register("incoming", rows)
            columns = ", ".join(rows.column_names)
            self.run(f"insert into {table} ({columns}) select {columns} from incoming")
            self._raw.unregister("incoming")

    def _all(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows: a result that is not read to its end would block the next statement."""
        return heard(self._raw, lambda: self._raw.execute(sql, list(parameters)).fetchall())

    def question(self, sql: str) -> duckdb.DuckDBPyRelation | None:
        """A question not yet answered, to look at its columns first.

        None where this is not exactly one statement, and one of the kind that only reads.
        """
        found = self._raw.extract_statements(sql)
        is_one = len(found) == 1 and found[0].type == duckdb.StatementType.SELECT
        return self._raw.sql(found[0]) if is_one else None

    @contextmanager
    def table(self, name: str, rows: "pa.Table") -> Iterator[None]:
        """Make an Arrow table visible to SQL under a name, for joins."""
        self._raw.register(name, rows)
        try:
            yield
        finally:
            self._raw.unregister(name)

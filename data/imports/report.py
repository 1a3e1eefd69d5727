"""What an import has to say besides the data: doubts, losses and conversions, counted.

A finding says how often, where it was seen first, what it means and what was done about it; the
codes stand in codes.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from data.catalogue import Connection, Row
from data.imports.codes import CODES, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of doubt."""

    severity: Severity
    code: str
    n: int  # how often
    example: str  # the first place it was seen at
    explanation: str


class Report:
    """Findings as they come up, counted by code and wording."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Finding] = {}

    def add(self, code: str, n: int = 1, example: str = "", explanation: str = "") -> None:
        """Count a finding n more times; nothing happens for 0."""
        if n <= 0:
            return
        severity, usual = CODES[code]
        words = explanation or usual
        known = self._found.get((code, words))
        total, first = (known.n, known.example) if known else (0, example)
        self._found[code, words] = Finding(severity, code, total + n, first, words)

    def __iter__(self) -> Iterator[Finding]:
        """The worst first, then in the order in which they came up."""
        order = ("error", "warning", "info")
        yield from sorted(self._found.values(), key=lambda found: order.index(found.severity))

    def codes(self) -> set[str]:
        """Everything that came up."""
        return {code for code, _ in self._found}


def report_rows(cache_id: int, run_id: int, report: Report) -> pa.Table:
    """Columns as in schema.sql."""
    found = list(report)
    return pa.table(
        {
            "cache_id": pa.array([cache_id] * len(found), pa.uint32()),
            "run_id": pa.array([run_id] * len(found), pa.uint64()),
            "severity": pa.array([one.severity for one in found], pa.string()),
            "code": pa.array([one.code for one in found], pa.string()),
            "n": pa.array([one.n for one in found], pa.uint64()),
            "example": pa.array([one.example for one in found], pa.string()),
            "explanation": pa.array([one.explanation for one in found], pa.string()),
        }
    )


REPORTS = """
select severity, code, n, example, explanation
from import_report
where cache_id = ?
order by case severity when 'error' then 0 when 'warning' then 1 else 2 end, rowid
"""
IMPORTS = """
select r.run_id, c.cache_id, c.name as cache, r.settings, r.status, r.finished_at
from run r
join cache c using (cache_id)
where r.stage = 'import'
order by r.run_id desc
"""


def reports(con: Connection, cache_id: int) -> list[Row]:
    """What the import of a cache had to say, the worst first."""
    return con.rows(REPORTS, [cache_id])


def imports(con: Connection) -> list[Row]:
    """Every import, newest first."""
    return con.rows(IMPORTS)

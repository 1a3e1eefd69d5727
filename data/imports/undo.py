"""Taking back an import that did not come to its end: its rows, then its folder."""

import shutil

from data.catalogue import Catalogue
from data.errors import BadInput

BY_EXPLANATION = ("verdict", "simulated", "generated", "score")
BY_HOOKPOINT = (
    "explanation", "item", "example", "example_interval", "feature", "feature_chart", "neighbour",
    "feature_summary", "decile_summary",
)  # fmt: skip
BY_CACHE = ("import_report", "run", "hookpoint", "cache")
OURS = "hookpoint_id in (select hookpoint_id from hookpoint where cache_id = ?)"


def forget(catalogue: Catalogue, cache_id: int) -> None:
    """Delete an unfinished cache with everything that is about it."""
    with catalogue.writing() as con:
        found = con.row("select name, status, folder from cache where cache_id = ?", [cache_id])
        if found is None:
            return
        if found["status"] == "done":
            raise BadInput(f"cache '{found['name']}' is finished and is not taken back")
        explained = f"select explanation_id from explanation where {OURS}"
        for table in BY_EXPLANATION:
            con.run(f"delete from {table} where explanation_id in ({explained})", [cache_id])
        for table in BY_HOOKPOINT:
            con.run(f"delete from {table} where {OURS}", [cache_id])
        for table in BY_CACHE:
            con.run(f"delete from {table} where cache_id = ?", [cache_id])
    shutil.rmtree(catalogue.store / found["folder"], ignore_errors=True)

"""The SQL behind the page of runs: a page of them, and everything about one."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from data.catalogue import Catalogue, Connection, Row
from data.run_figures import explainers_of
from data.runs import IS_LAST, RUN, mark_interrupted

PAGE = 50  # runs a page
STOPPED = ("interrupted", "cancelled", "failed")
AT_WORK = ("running", "queued")
EXAMPLES = 12  # features named for each reason


class Chosen(NamedTuple):
    """Which runs; "" = any."""

    stage: str = ""
    status: str = ""
    cache: str = ""


class Page(NamedTuple):
    """Some runs, newest first, of all that pass."""

    rows: list[Row]
    total: int
    number: int  # 1..


class Choices(NamedTuple):
    """What there is to choose from."""

    stages: list[str]
    statuses: list[str]
    caches: list[str]


def page(con: Connection, chosen: Chosen, number: int) -> Page:
    """One page of the runs that pass; a number beyond the last gives the last page."""
    passes, values = _passes(chosen)
    total = con.value(f"select count(*) from ({RUN} {passes})", values)
    number = max(1, min(number, -(-total // PAGE)))
    cut = f"order by r.run_id desc limit {PAGE} offset {(number - 1) * PAGE}"
    return Page(con.rows(f"{RUN} {passes} {cut}", values), total, number)


def _passes(chosen: Chosen) -> tuple[str, list[Any]]:
    columns = {"r.stage": chosen.stage, "r.status": chosen.status, "c.name": chosen.cache}
    asked = {name: value for name, value in columns.items() if value}
    words = " and ".join(f"{name} = ?" for name in asked)
    return (f"where {words}" if words else ""), list(asked.values())


def choices(con: Connection) -> Choices:
    """Stages, statuses and caches that occur among the runs."""
    columns = ("r.stage", "r.status", "c.name")
    found = [
        con.rows(f"select distinct {column} as word from run r left join cache c using (cache_id) "
                 f"where {column} is not null order by 1")
        for column in columns
    ]  # fmt: skip
    return Choices(*([row["word"] for row in rows] for rows in found))


def at_work(con: Connection) -> list[Row]:
    """Runs that work or wait to, as of the last commit."""
    return con.rows(f"{RUN} where r.status in {AT_WORK} order by r.run_id")


def live(catalogue: Catalogue) -> list[Row]:
    """Runs at work, read now; those whose process is gone are marked interrupted before."""
    mark_interrupted(catalogue)
    with catalogue.reading() as con:
        return at_work(con)


def stopped(con: Connection, most: int = 50) -> list[Row]:
    """Runs that ended before their work did and that no later run took over, newest first."""
    return con.rows(
        f"{RUN} where r.status in {STOPPED} and {IS_LAST} order by r.run_id desc limit {int(most)}"
    )


def unfinished_cancelled(con: Connection) -> list[Row]:
    """Runs that were asked to stop and that nobody has closed."""
    return con.rows(
        f"{RUN} where r.status = 'cancelled' and r.finished_at is null order by r.run_id"
    )


def standing(con: Connection) -> list[Row]:
    """What changes when a run begins or ends."""
    return con.rows(
        "select status, count(*) as n, max(run_id) as newest, count(finished_at) as closed "
        "from run group by status order by status"
    )


def goes_on(con: Connection, run_id: int) -> Row | None:
    """The newest later run that does the same as this one."""
    return con.row(
        f"{RUN} join run mine on mine.run_id = ? where r.settings_hash = mine.settings_hash "
        "and r.run_id > mine.run_id order by r.run_id desc limit 1",
        [run_id],
    )


def run(con: Connection, run_id: int) -> Row | None:
    """One run."""
    return con.row(f"{RUN} where r.run_id = ?", [run_id])


def alike(con: Connection, run_id: int, most: int = 200) -> list[Row]:
    """Other runs to hold against one: those of its stage and cache first, then the newest."""
    return con.rows(
        f"{RUN} join run mine on mine.run_id = ? where r.run_id <> mine.run_id "
        "order by (r.stage = mine.stage) desc, (r.cache_id = mine.cache_id) desc, r.run_id desc "
        f"limit {int(most)}",
        [run_id],
    )


class Reason(NamedTuple):
    """Why some features of a run have no explanation."""

    status: str  # failed, skipped
    error: str  # as one of them has it; numbers may differ
    n: int  # explanations
    cache: str
    hookpoint: str
    features: list[int]  # the first few


def reasons(con: Connection, run_id: int, most: int = 30) -> list[Reason]:
    """Explanations that failed or were skipped, by why; texts that differ in numbers are one."""
    found = con.rows(
        f"""
        select e.status, coalesce(min(e.error), 'no reason was noted') as error, count(*) as n,
               c.name as cache, h.name as hookpoint,
               list_slice(list(e.feature order by e.feature), 1, {EXAMPLES}) as features
        from explanation e
        join hookpoint h using (hookpoint_id)
        join cache c using (cache_id)
        where e.run_id = ? and e.status in ('failed', 'skipped')
        group by e.status, regexp_replace(e.error, '[0-9]+', '#', 'g'), c.name, h.name
        order by n desc, error
        limit {int(most)}
        """,
        [run_id],
    )
    return [Reason(**row) for row in found]


class Judged(NamedTuple):
    """What one scorer of a run came to."""

    scorer: str
    judge: str
    preset: str
    n_scores: int  # explanations scored
    n_judged: int  # usable verdicts
    n_failed: int  # verdicts asked for that have no usable reply
    n_undefined: int  # scores without a value


def judged(con: Connection, run_id: int) -> list[Judged]:
    """Scores of a run by scorer."""
    found = con.rows(
        """
        select m.name as scorer, m.judge, m.preset, count(*) as n_scores,
               sum(s.n_judged) as n_judged, sum(s.n_failed) as n_failed,
               count(*) filter (s.value is null) as n_undefined
        from score s
        join scorer m using (scorer_id)
        where s.run_id = ?
        group by all
        order by scorer, judge, preset
        """,
        [run_id],
    )
    return [Judged(**{**row, "n_judged": int(row["n_judged"] or 0),
                      "n_failed": int(row["n_failed"] or 0)}) for row in found]  # fmt: skip


def unanswered(con: Connection, run_id: int) -> list[Row]:
    """Features of a run with the most verdicts that have no usable reply."""
    return con.rows(
        f"""
        select c.name as cache, h.name as hookpoint, e.feature, sum(s.n_failed)::integer as n_failed
        from score s
        join explanation e using (explanation_id)
        join hookpoint h using (hookpoint_id)
        join cache c using (cache_id)
        where s.run_id = ? and s.n_failed > 0
        group by all
        order by n_failed desc, e.feature
        limit {EXAMPLES}
        """,
        [run_id],
    )


class Made(NamedTuple):
    """What a run left in the catalogue."""

    explanations: dict[str, int]  # by status
    scores: int
    explainers: list[int]  # explainer_id of what it wrote or scored
    null_scores: int
    reported: list[Row]  # of an import: severity, code, n, example, explanation


def made(con: Connection, run_id: int) -> Made:
    """Count what a run made."""
    written = con.rows(
        "select status, count(*) as n from explanation where run_id = ? group by 1 order by 1",
        [run_id],
    )
    return Made(
        explanations={row["status"]: row["n"] for row in written},
        scores=con.value("select count(*) from score where run_id = ?", [run_id]),
        explainers=list(explainers_of(con, run_id)),
        null_scores=con.value("select count(*) from null_score where run_id = ?", [run_id]),
        reported=con.rows(
            "select severity, code, n, example, explanation from import_report where run_id = ? "
            "order by array_position(['error', 'warning', 'info'], severity), n desc",
            [run_id],
        ),
    )


def newest_explainers(con: Connection, cache: str) -> Sequence[int]:
    """Explainers with explanations in a cache, newest explanation first."""
    found = con.rows(
        "select e.explainer_id from explanation e join hookpoint h using (hookpoint_id) "
        "join cache c using (cache_id) where c.name = ? group by 1 "
        "order by max(e.explanation_id) desc",
        [cache],
    )
    return [row["explainer_id"] for row in found]


def processes(con: Connection, pids: Sequence[int]) -> set[int]:
    """Which of some processes have a run."""
    found = con.rows("select distinct pid from run where list_contains(?, pid)", [list(pids)])
    return {row["pid"] for row in found}

"""`gloss compare`: which of two explainer settings is better, over all features scored by both."""

from typing import Annotated

import typer

from core.commands.options import DEFAULT_STORE, Json, Store, open_store
from core.commands.printing import say

SIDE = "CACHE:ID, or run:NUMBER"


def compare(
    a: Annotated[str, typer.Argument(help=f"The reference: {SIDE}.", show_default=False)],
    b: Annotated[list[str], typer.Argument(help=f"What is compared with it: {SIDE}; several may "
                                           "be named.", show_default=False)],
    scorer: Annotated[str, typer.Option("--score", help="detection, fuzzing, exact, ...")
                      ] = "detection",
    hookpoint: Annotated[str | None, typer.Option(help="Only this module path of the subject.",
                                                  show_default="all")] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Compare explainer settings over every feature scored under both.

    A side is one explainer with its settings in one cache: CACHE:ID as on
    the page Compare, or run:12 for the setting of run 12 (gloss status
    lists runs). Of a feature explained several times, the newest usable
    explanation counts. The difference is B minus A with a 95 % interval
    of 2,000 bootstrap resamples of features; p is of Wilcoxon's
    signed-rank test, adjusted where several are compared with A.

    --json gives one object a comparison: sides, n, left_out; wins, ties,
    losses of B; difference, interval, p; by_decile of a and b; and more.
    """
    from core.comparing import report

    for line in report.lines(open_store(store), [a, *b], scorer, hookpoint, as_json=as_json):
        say(line, as_json=as_json)

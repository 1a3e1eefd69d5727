"""The `gloss` command: arguments in, results on stdout, progress on stderr, one line an error.

Exit code 1 for anything that went wrong, 2 for wrong usage. Everything heavy is imported inside
the command that needs it, so that `gloss --help` and `gloss show` stay quick.
"""

import os
import signal
import sys

import typer

from core.commands import (
    baselines,
    collecting,
    comparing,
    diffing,
    explaining,
    exporting,
    filtering,
    importing,
    intervening,
    likeness,
    looking,
    making,
    scoring,
    sweeping,
)
from core.commands.printing import say
from core.environment import prepare
from data.errors import GlossError, Halt

app = typer.Typer(
    name="gloss",
    help="Say what the features of a sparse autoencoder mean, and measure how far to trust it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _stop(_signal: int, _frame: object) -> None:
    raise Halt


def main() -> None:
    """Run the command line."""
    prepare()
    for one in (signal.SIGINT, signal.SIGTERM):  # so that runs are closed and servers ended
        signal.signal(one, _stop)
    try:
        app()
    except GlossError as error:
        say(f"gloss: {error}", aside=True)
        sys.exit(1)
    except Halt:
        say("gloss: stopped; what was finished is kept, the same command goes on from there",
            aside=True)  # fmt: skip
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone
        sys.exit(1)


for command in (
    making.demo,
    making.cache,
    explaining.explain,
    scoring.score,
    scoring.translate,
    sweeping.sweep,
    comparing.compare,
    intervening.intervene,
    filtering.filters,
    likeness.similarity,
    baselines.baselines,
    baselines.coverage,
    looking.show,
    looking.status,
    looking.serve,
    looking.bench,
):
    app.command()(command)
app.add_typer(diffing.commands, name="diff")
app.add_typer(importing.commands, name="import")
app.add_typer(exporting.commands, name="export")
app.add_typer(collecting.commands, name="collection")


if __name__ == "__main__":
    main()

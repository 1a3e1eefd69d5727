"""The `gloss` command: arguments in, results on stdout, progress on stderr, one line an error.

Exit code 1 for anything that went wrong, 2 for wrong usage. Everything heavy is imported inside
the command that needs it, so that `gloss --help` and `gloss show` stay quick.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from core.environment import prepare
from data.errors import BadInput, GlossError

app = typer.Typer(
    name="gloss",
    help="Say what the features of a sparse autoencoder mean, and measure how far to trust it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Store = Annotated[
    Path,
    typer.Option("--store", envvar="GLOSS_STORE", help="Where everything is kept.",
                 show_default="./store"),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for scripts.")]
Port = Annotated[
    int, typer.Option(help="Port of the dashboard; 0 = a free one near 8501.", min=0, max=65_535)
]
Hookpoints = Annotated[
    list[str] | None,
    typer.Option("--hookpoint", help="Module path of the subject; may be repeated.",
                 show_default="all"),
]  # fmt: skip
Workers = Annotated[
    int, typer.Option(help="Processes; 0 = as many as there are cores.", min=0, max=64)
]
DEFAULT_STORE = Path("store")


class Stopped(BaseException):
    """Ctrl+C or kill; no KeyboardInterrupt, which the command-line library would swallow."""


def _stop(_signal: int, _frame: object) -> None:
    raise Stopped


def main() -> None:
    """Run the command line."""
    prepare()
    for one in (signal.SIGINT, signal.SIGTERM):  # so that runs are closed and servers ended
        signal.signal(one, _stop)
    try:
        app()
    except GlossError as error:
        print(f"gloss: {error}", file=sys.stderr)
        sys.exit(1)
    except Stopped:
        print("gloss: stopped; what was finished is kept, the same command goes on from there",
              file=sys.stderr)  # fmt: skip
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone
        sys.exit(1)


@app.command()
def demo(
    store: Store = DEFAULT_STORE,
    serve: Annotated[bool, typer.Option(help="Open the dashboard; else run all and exit.")] = True,
    port: Port = 0,
    workers: Workers = 0,
    retrain: Annotated[
        Path | None,
        typer.Option(help="Train the bundled subject and SAEs again, into this folder, and exit."),
    ] = None,
    minutes: Annotated[float, typer.Option(help="Training time for --retrain.")] = 41,
) -> None:
    """Run the whole pipeline on the bundled subject; the dashboard opens as soon as it can."""
    from core import demonstration
    from core.progress import draw

    if retrain is not None:
        from core.demo.train import retrain as train

        draw(train(retrain, minutes))
        return
    demonstration.run(store, serve=serve, port=port, workers=workers)


@app.command()
def cache(
    subject: Annotated[str, typer.Argument(help="Folder or hub id of a causal language model.")],
    sae: Annotated[list[str], typer.Option(help="Folder or repository; may be repeated.")],
    corpus: Annotated[str, typer.Option(help="A file, a folder, or python-docs.")],
    store: Store = DEFAULT_STORE,
    name: Annotated[str | None, typer.Option(help="Name of the cache.",
                                             show_default="the subject's name")] = None,
    tokens: Annotated[str, typer.Option(help="How many tokens, e.g. 200k or 10M.")] = "1M",
    hookpoint: Hookpoints = None,
    sequence_length: Annotated[int | None, typer.Option(help="Tokens run at once.",
                                                        show_default="256")] = None,
    batch: Annotated[int, typer.Option(help="Sequences run at once.")] = 16,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    revision: Annotated[str | None, typer.Option(help="Revision of a hub model.")] = None,
    seed: Annotated[int, typer.Option(help="Of splits and draws.")] = 0,
) -> None:  # fmt: skip
    """Cache a subject's SAE activations over a corpus."""
    from core.pipeline.caching import CacheRequest, cache_stage
    from core.progress import draw
    from data.catalogue import Catalogue

    request = CacheRequest(
        subject=subject,
        saes=tuple(sae),
        corpus=corpus,
        name=name or _name_of(subject),
        n_tokens=number(tokens),
        hookpoints=tuple(hookpoint or ()),
        sequence_length=sequence_length,
        batch_size=batch,
        dtype=dtype,
        device=device,
        revision=revision,
        seed=seed,
    )
    draw(cache_stage(Catalogue(store), request))
    print(f"{request.name} is cached in {store}; next: gloss explain {request.name}")


@app.command()
def explain(
    cache: Annotated[str, typer.Argument(help="Name of the cache.")],
    store: Store = DEFAULT_STORE,
    features: Annotated[str, typer.Option(help="all, 0-99, 3,17, first:200, random:200.")] = "all",
    hookpoint: Hookpoints = None,
    explainer: Annotated[Literal["grammar"], typer.Option(help="Who explains.")] = "grammar",
    families: Annotated[Literal["token", "form", "context"], typer.Option(
        help="What rules may ask: the token, also its form, also what stands before it.",
    )] = "context",
    rules: Annotated[int, typer.Option(help="Most rules in an explanation.", min=1, max=8)] = 8,
    literals: Annotated[int, typer.Option(help="Most conditions in a rule.", min=1, max=3)] = 3,
    objective: Annotated[Literal["f1", "f0.5", "f2", "mdl"], typer.Option(
        help="What the rules maximise.")] = "f1",
    examples: Annotated[int | None, typer.Option(help="Learn from this many contexts.",
                                                 show_default="all train tokens")] = None,
    sampling: Annotated[Literal["quantiles", "random", "top", "mix"], typer.Option(
        help="How those contexts are chosen.")] = "quantiles",
    threshold: Annotated[float, typer.Option(
        help="Active means above this share of the feature's maximum.", min=0, max=0.95)] = 0,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    workers: Workers = 0,
) -> None:  # fmt: skip
    """Write explanations of features and check them exactly over the corpus."""
    from core.grammar.settings import Settings
    from core.pipeline.explaining import ExplainRequest, explain_stage
    from core.progress import draw
    from data.catalogue import Catalogue

    settings = Settings(families=families, max_rules=rules, max_literals=literals,
                        objective=objective, examples=examples, sampling=sampling,
                        threshold=threshold)  # fmt: skip
    request = ExplainRequest(cache, tuple(hookpoint or ()), features, settings, seed, workers)
    done = draw(explain_stage(Catalogue(store), request))
    print(f"next: gloss score {cache}, or gloss serve" if done else
          "nothing to do: the chosen features have this explanation")  # fmt: skip


@app.command()
def score(
    cache: Annotated[str, typer.Argument(help="Name of the cache.")],
    store: Store = DEFAULT_STORE,
    scorers: Annotated[str, typer.Option(help="Comma-separated: detection, fuzzing."),
                       ] = "detection,fuzzing",
    features: Annotated[str, typer.Option(help="all, 0-99, 3,17, first:200, random:200.")] = "all",
    hookpoint: Hookpoints = None,
    run: Annotated[int | None, typer.Option(help="Only explanations of this run.",
                                            show_default="all")] = None,
    judge: Annotated[Literal["grammar"], typer.Option(help="Who judges.")] = "grammar",
    preset: Annotated[Literal["gloss", "paper", "blog", "delphi", "quick"], typer.Option(
        help="Sizes and definitions.")] = "gloss",
    kinds: Annotated[str, typer.Option(
        help="Harder non-activating contexts, reported apart: token, neighbour.")] = "",
    workers: Workers = 0,
) -> None:  # fmt: skip
    """Judge explanations on contexts that their explainer has not seen."""
    from core.pipeline.judging import ScoreRequest
    from core.pipeline.scoring import score_stage
    from core.progress import draw
    from data.catalogue import Catalogue

    request = ScoreRequest(
        cache=cache,
        hookpoints=tuple(hookpoint or ()),
        features=features,
        scorers=_parts(scorers),
        run_id=run,
        preset=preset,
        kinds=_parts(kinds),
        workers=workers,
    )
    done = draw(score_stage(Catalogue(store), request))
    print(f"next: gloss show {cache}, or gloss serve" if done else
          "nothing to do: the chosen explanations have these scores")  # fmt: skip


@app.command()
def show(
    cache: Annotated[str, typer.Argument(help="Name of the cache.")],
    feature: Annotated[str | None, typer.Argument(help="HOOKPOINT/INDEX, or INDEX.")] = None,
    store: Store = DEFAULT_STORE,
    hookpoint: Hookpoints = None,
    as_json: Json = False,
) -> None:
    """Say what is known of a cache or of one feature."""
    from core import show as shown

    catalogue = open_store(store)
    if feature is None:
        lines = shown.cache_lines(catalogue, cache, hookpoint, as_json=as_json)
    else:
        lines = shown.feature_lines(catalogue, cache, _address(feature, hookpoint),
                                    as_json=as_json)  # fmt: skip
    for line in lines:
        print(line)


@app.command()
def status(store: Store = DEFAULT_STORE, as_json: Json = False) -> None:
    """List caches and runs, and what is half done."""
    from core import status as state

    for line in state.lines(open_store(store), as_json=as_json):
        print(line)


@app.command()
def serve(store: Store = DEFAULT_STORE, port: Port = 0) -> None:
    """Open the dashboard."""
    from core.serving import Server

    if store.exists() and not store.is_dir():
        raise BadInput(f"--store {store} is a file; name a folder")
    with Server(store, port) as server:
        print(f"Gloss is at {server.address} (Ctrl+C ends it)", file=sys.stderr)
        server.wait()


@app.command()
def bench(
    work: Annotated[list[str] | None, typer.Argument(
        help="caching, loading, examples, grammar, blog or all.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")
                       ] = None,
    quick: Annotated[bool, typer.Option(help="Smaller sizes, for a first look.")] = False,
) -> None:  # fmt: skip
    """Measure our own speed and memory beside their limits, in one process."""
    from core.bench import run as bench_run

    met = True
    rows = []
    for figure in bench_run(work or ["all"], quick=quick):
        rows.append(figure._asdict())
        met = met and figure.met is not False
        print(figure)
    if as_json is not None:
        as_json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if not met:
        raise typer.Exit(1)


def _parts(text: str) -> tuple[str, ...]:
    """Split at commas, each part once, e.g. "a, b,a" -> ("a", "b")."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _address(feature: str, hookpoints: list[str] | None) -> str:
    """HOOKPOINT/INDEX from a feature and --hookpoint."""
    if not hookpoints:
        return feature
    if len(hookpoints) > 1 or "/" in feature:
        raise BadInput(f"feature {feature} needs one hookpoint: write HOOKPOINT/INDEX")
    return f"{hookpoints[0]}/{feature}"


def open_store(store: Path):
    """Open a store that is there; commands that only read do not make one."""
    from data.catalogue import Catalogue
    from data.errors import NotFound

    if not Catalogue.exists(store):
        raise NotFound(f"there is no store at {store}; gloss demo makes one, --store names another")
    return Catalogue(store)


def number(text: str) -> int:
    """Read a count, e.g. "200k" -> 200000, "10M" -> 10000000."""
    scale = {"k": 1_000, "m": 1_000_000, "g": 1_000_000_000}.get(text[-1:].lower(), 0)
    digits = text[:-1] if scale else text
    try:
        found = round(float(digits.replace("_", "").replace(",", "")) * (scale or 1))
    except (ValueError, OverflowError):
        raise BadInput(f"--tokens {text} is not a number; write 200000, 200k or 10M") from None
    if found <= 0:
        raise BadInput(f"--tokens {text} is not a positive number")
    return found


def _name_of(subject: str) -> str:
    """A cache's default name: the last part of the subject's path or hub id."""
    return Path(subject.rstrip("/")).name or "cache"


if __name__ == "__main__":
    main()

"""`gloss demo` and `gloss cache`: what everything else is about."""

from pathlib import Path
from typing import Annotated

import typer

from core.commands.options import DEFAULT_STORE, Hookpoints, Port, Store, Workers, number, typed


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


def cache(
    subject: Annotated[str, typer.Argument(help="Folder or hub id of a causal language model.")],
    sae: Annotated[list[str], typer.Option(
        help="Folder or repository, or random:FEATURES:K; may be repeated.")],
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
        command=typed(),
    )
    draw(cache_stage(Catalogue(store), request))
    print(f"{request.name} is cached in {store}; next: gloss explain {request.name}")


def _name_of(subject: str) -> str:
    """A cache's default name: the last part of the subject's path or hub id."""
    return Path(subject.rstrip("/")).name or "cache"

"""`gloss demo` and `gloss cache`: what everything else is about."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from core.commands.options import (
    DEFAULT_STORE,
    Hookpoints,
    Port,
    Store,
    Workers,
    is_typed,
    known_seed,
    number,
    typed,
)
from core.commands.printing import say

Bos = Literal["first", "none"]
Packing = Literal["pack", "one-per-document"]


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
    judge_model: Annotated[
        Path | None,
        typer.Option(help="Train a judge for gloss intervene, into this folder, and exit."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Training time for --judge-model.")] = 300,
    seed: Annotated[
        int, typer.Option(help="Of the judge; 0 is the subject's.", min=0, callback=known_seed)
    ] = 1,
) -> None:
    """Run the whole pipeline on the bundled subject; the dashboard opens as soon as it can."""
    from core import demonstration
    from core.progress import draw

    if retrain is not None:
        from core.demo.train import retrain as train

        draw(train(retrain, minutes))
        return
    if judge_model is not None:
        from core.demo.judge import train_judge

        draw(train_judge(judge_model, seconds, seed))
        say(f"the judge is in {judge_model}; next: gloss intervene CACHE --judge-model "
            f"{judge_model}")  # fmt: skip
        return
    demonstration.run(store, serve=serve, port=port, workers=workers)


def _listed(is_asked: bool) -> None:
    """Print the table of known SAEs instead of making a cache."""
    if is_asked:
        from core.releases import lines

        as_json = is_typed("json")
        for line in lines(as_json=as_json):
            say(line, as_json=as_json)
        raise typer.Exit


def cache(
    subject: Annotated[str, typer.Argument(
        help="Folder, GGUF file or hub id of a causal language model.")],
    sae: Annotated[list[str], typer.Option(
        help="Folder, repository, a name of --list-saes, random:FEATURES:K or neurons:K; may be "
        "repeated.")],
    corpus: Annotated[str, typer.Option(
        help="A file, a folder, python-docs, or hf:REPO[:config][:split][:column][@revision].")],
    store: Store = DEFAULT_STORE,
    name: Annotated[str | None, typer.Option(help="Name of the cache.",
                                             show_default="the subject's name")] = None,
    tokens: Annotated[str, typer.Option(help="How many tokens, e.g. 200k or 10M.")] = "1M",
    hookpoint: Hookpoints = None,
    sequence_length: Annotated[int | None, typer.Option(help="Tokens run at once.",
                                                        show_default="256")] = None,
    column: Annotated[str | None, typer.Option(
        help="Column of the corpus with the text, nested as a.b.", show_default="text, content ...",
    )] = None,
    split_at: Annotated[str | None, typer.Option(
        help="Split text files at blank-lines, or at lines that are just this.")] = None,
    shuffle_seed: Annotated[int | None, typer.Option(
        help="Permute the documents of the corpus by this seed.")] = None,
    bos: Annotated[Bos | None, typer.Option(
        help="Begin every sequence with BOS, or none.", show_default="first")] = None,
    packing: Annotated[Packing | None, typer.Option(
        help="Join documents, or give each a sequence.", show_default="pack")] = None,
    batch: Annotated[int, typer.Option(help="Sequences run at once.")] = 16,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16, float16, 8bit.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or balanced.")] = "auto",
    remote: Annotated[bool, typer.Option(
        "--remote", help="Run the subject on NDIF, with the key in NDIF_API_KEY.")] = False,
    revision: Annotated[str | None, typer.Option(help="Revision of a hub model.")] = None,
    seed: Annotated[int, typer.Option(
        help="Of splits and draws.", callback=known_seed)] = 0,
    anyway: Annotated[bool, typer.Option(
        "--anyway", help="Cache even where an SAE does not fit its hookpoint, or is for another.",
    )] = False,
    _list_saes: Annotated[bool, typer.Option(
        "--list-saes", is_eager=True, callback=_listed,
        help="Print the published SAEs that have a short name, and exit.")] = False,
    _json: Annotated[bool, typer.Option(
        "--json", help="With --list-saes: one JSON object a line.")] = False,
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
        column=column,
        split_at=split_at,
        shuffle_seed=shuffle_seed,
        bos=bos,
        packing=packing,
        batch_size=batch,
        dtype=dtype,
        device=device,
        runs_on="ndif" if remote else "here",
        revision=revision,
        seed=seed,
        anyway=anyway,
        command=typed(),
    )
    draw(cache_stage(Catalogue(store), request))
    say(f"{request.name} is cached in {store}; next: gloss explain {request.name}")


def _name_of(subject: str) -> str:
    """A cache's default name: the last part of the subject's path or hub id."""
    name = Path(subject.rstrip("/")).name
    return name.removesuffix(".gguf") or "cache"

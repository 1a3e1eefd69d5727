"""`gloss diff`: two subjects through the same SAEs on the same tokens."""

from typing import Annotated, Literal

import typer

from core.commands.options import (
    DEFAULT_STORE,
    Hookpoints,
    Json,
    Store,
    known_seed,
    open_store,
    typed,
)
from core.commands.printing import say
from core.diffing.settings import DiffSettings, NoiseSettings, PairSettings
from core.flags import Group, with_flags
from core.llm.settings import EndpointSettings

commands = typer.Typer(
    help="Compare two subjects through the same SAEs.", no_args_is_help=True, add_completion=False
)
First = Annotated[str, typer.Argument(help="Cache of the first subject, the reference.")]
Second = Annotated[str, typer.Argument(help="Cache of the second one: gloss diff cache makes it.")]
Beside = Annotated[str | None, typer.Option(
    "--with", help="Cache of a second subject.", show_default="none")]  # fmt: skip
Place = Annotated[str | None, typer.Option(
    "--hookpoint", help="Module path of the subject.", show_default="the only one")]  # fmt: skip
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or balanced.")]
Top = Annotated[int, typer.Option(help="Features printed a hookpoint.", min=1)]


@commands.callback()
def _theme() -> None:
    """Compare two subjects through the same SAEs."""


@commands.command()
def cache(
    cache: First,
    subject: Annotated[str, typer.Argument(
        help="Folder, GGUF file or hub id of the second subject, e.g. one tuned from the first.")],
    store: Store = DEFAULT_STORE,
    name: Annotated[str | None, typer.Option(
        help="Name of the new cache.", show_default="the subject's name")] = None,
    hookpoint: Hookpoints = None,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16, float16, 8bit.")] = "auto",
    device: Device = "auto",
    remote: Annotated[bool, typer.Option(
        "--remote", help="Run the subject on NDIF, with the key in NDIF_API_KEY.")] = False,
    revision: Annotated[str | None, typer.Option(help="Revision of a hub model.")] = None,
) -> None:  # fmt: skip
    """Cache a second subject over the very tokens of a cache, through its SAEs.

    Nothing is tokenised again, so that sequence i is the same in both.
    The reconstruction error of both subjects is printed: an SAE of the
    first may fit the second one badly.
    """
    from core.pipeline.second_subject import SecondRequest, named_after, second_stage
    from core.progress import draw

    called = name or named_after(subject)
    request = SecondRequest(cache, subject, called, tuple(hookpoint or ()), dtype, device, revision,
                            "ndif" if remote else "here", typed())  # fmt: skip
    draw(second_stage(open_store(store), request))
    say(f"{called} is cached beside {cache}; next: gloss diff features {cache} {called}")


@commands.command()
@with_flags(settings=Group(DiffSettings, "How features are chosen"))
def features(
    cache: First,
    second: Second,
    settings: DiffSettings,
    store: Store = DEFAULT_STORE,
    hookpoint: Hookpoints = None,
    by: Annotated[Literal["mean", "rate"], typer.Option(
        help="Listed by mean activation or by firing rate.")] = "mean",
    order: Annotated[Literal["p", "difference", "auroc", "up", "down", "feature"], typer.Option(
        help="Surest first, largest difference, AUROC farthest from one half, most gained, most "
        "lost, or by number.")] = "p",
    top: Top = 20,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Find the features that differ: chosen on half of the sequences, confirmed on the others.

    Differences are second minus first, paired by sequence; p by random
    signs, adjusted for the number of features (Benjamini-Hochberg). The
    effects and their 95 % intervals are of the held-out half alone.

    --json gives one object a feature, all of them, in that order.
    """
    from core.diffing.report import feature_lines
    from core.pipeline.diffing import DiffRequest, diff_stage
    from core.progress import draw
    from data.diffs import Wanted

    catalogue = open_store(store)
    request = DiffRequest(cache, second, tuple(hookpoint or ()), settings, typed())
    draw(diff_stage(catalogue, request))
    for line in feature_lines(catalogue, request, Wanted(by, order, size=top), as_json=as_json):
        say(line, as_json=as_json)


@commands.command()
@with_flags(settings=Group(PairSettings, "How a text counts"))
def pairs(
    cache: First,
    file: Annotated[str, typer.Argument(
        help='JSON lines {"a": "...", "b": "..."}: a prompt with a fact, and without it.')],
    settings: PairSettings,
    second: Beside = None,
    store: Store = DEFAULT_STORE,
    hookpoint: Hookpoints = None,
    device: Device = "auto",
    top: Top = 20,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Find the features that react to what pairs of prompts differ in, in one subject or two.

    Differences are text a minus text b, paired; with two subjects also
    the second's reaction minus the first's.

    --json gives one object a feature and side (1 first subject, 2 second,
    3 second minus first), surest first.
    """
    from core.diffing.report import pair_lines
    from core.pipeline.contrasting import PairsRequest, pairs_stage
    from core.progress import draw

    catalogue = open_store(store)
    request = PairsRequest(cache, file, second, tuple(hookpoint or ()), settings, device, typed())
    draw(pairs_stage(catalogue, request))
    for line in pair_lines(catalogue, request, top, as_json=as_json):
        say(line, as_json=as_json)


@commands.command()
@with_flags("strengths", settings=Group(NoiseSettings, "What is added"))
def noise(
    cache: First,
    settings: NoiseSettings,
    second: Beside = None,
    strengths: Annotated[str | None, typer.Option(
        help="Comma-separated, in units of the mean length of the subject's vectors there.",
        show_default="0,0.1,0.2,0.4,0.8,1.6,3.2")] = None,
    target: Annotated[str, typer.Option(
        help="A continuation whose log-probability is read.", show_default="none")] = "",
    prompts_file: Annotated[str | None, typer.Option(
        "--prompts-file", help="A prompt a line.", show_default="sequences of the cache")] = None,
    store: Store = DEFAULT_STORE,
    hookpoint: Place = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:  # fmt: skip
    """Add noise, or a feature's direction, at a layer over a grid of strengths.

    KL(clean || changed) of the next token after each prompt, in nats,
    mean over prompts with its 95 % interval, for each subject, beside
    random directions of the same length as control.

    --json gives one object a point, with the numbers of every prompt.
    """
    from core.diffing.report import noise_lines
    from core.pipeline.noising import NoiseRequest, noise_stage, with_strengths
    from core.progress import draw

    catalogue = open_store(store)
    if strengths is not None:
        settings = with_strengths(settings, strengths)
    request = NoiseRequest(cache, second, hookpoint, settings, target, prompts_file, device,
                           typed())  # fmt: skip
    draw(noise_stage(catalogue, request))
    for line in noise_lines(catalogue, request, as_json=as_json):
        say(line, as_json=as_json)


@commands.command()
@with_flags(endpoint=Group(EndpointSettings, "Endpoint of the language model"))
def game(
    cache: First,
    second: Second,
    endpoint: EndpointSettings,
    store: Store = DEFAULT_STORE,
    hookpoint: Place = None,
    about: Annotated[str, typer.Option(
        help="What the second subject was trained for, told to the player.")] = "",
    seed: Annotated[int, typer.Option(
        help="Of questions and their order.", min=0, callback=known_seed)] = 0,
    comparison: Annotated[int | None, typer.Option(
        help="Number of the comparison that the features are of, as gloss diff features says it.",
        show_default="the newest")] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Guess which of two unlabelled subjects is the second one, from features that differ.

    With --model that model answers every question in both orders. Without
    it nobody is asked and the answers so far are counted; a person plays
    on the page Two models.
    """
    from core.diffing.report import tally_lines
    from core.pipeline.guessing import GameRequest, game_stage
    from core.progress import draw

    catalogue = open_store(store)
    request = GameRequest(cache, second, hookpoint, endpoint, about, seed, comparison, typed())
    if endpoint.model:
        draw(game_stage(catalogue, request))
    for line in tally_lines(catalogue, request, as_json=as_json):
        say(line, as_json=as_json)

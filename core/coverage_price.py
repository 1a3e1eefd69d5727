"""What a whole dictionary would cost: tokens a call, measured or planned, times calls and prices.

Published prices are those of methods.md 9; counting calls from measured tokens is ours. Calls
follow from a preset's sizes (one explanation, its contexts five a call). Tokens of a call are
those that endpoints counted for calls of this store, by what was asked and the number and length of
contexts, with what had to be asked again; where there are none, those of the real prompts of a few
features, counted by estimate. Every figure says which. Prices: models of prices.toml, and two that
the literature states.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, NamedTuple

from core.examples import PRESETS, Preset
from core.explain.settings import ExplainerSettings
from core.llm.planning import Dollars, PlanningClient
from core.llm.prices import Price, read_table
from core.llm.settings import EndpointSettings
from core.pipeline.pricing import planner
from core.pipeline.scorers import Means
from core.pipeline.scoring import open_bench
from core.pipeline.sweep_plan import Trial
from core.pipeline.sweeping import SweepRequest, open_sweep
from data import coverage
from data.catalogue import Catalogue
from data.errors import BadInput, GlossError
from data.records import CacheRecord

WHAT = ("explanation", "detection", "fuzzing")
ONE_CALL = ("plain", "activations", "logits")  # explainers that ask once
SAMPLE = 6  # features planned for each preset
NOBODY = "any model"  # stands for a model in a plan


class Tokens(NamedTuple):
    """Tokens of one call, with its part of what had to be asked again."""

    input: float
    low: float  # output, the shortest plausible answer; as measured where it was
    high: float  # output, the longest
    source: str  # for people
    is_measured: bool
    calls: int = 0  # measured ones


@dataclass(frozen=True, slots=True)
class Quoted:
    """A price and where it is from."""

    name: str
    price: Price
    source: str


PER = 1e-6
LITERATURE = (
    Quoted("Claude 3.5 Sonnet", Price(3 * PER, 15 * PER),
           "arXiv 2410.13928, table 1, of 2024: what its dollars and tokens imply"),
    Quoted("Llama-3.1-70B", Price(0.34 * PER, 0.34 * PER),
           "arXiv 2410.13928, table 1, of 2024: what its dollars and tokens imply"),
)  # fmt: skip
# EleutherAI's post of July 2024: tokens a call, and "$1,300 for 1.5M features".
BLOG_FEATURES = 1_500_000
BLOG_DOLLARS = 1_300.0
BLOG_CALLS = {"explanation": (963, 30), "five items": (778, 12)}  # tokens in and out
BLOG_TOKENS = sum(map(sum, BLOG_CALLS.values()))  # of one explanation and one five-item call
BLOG_PRICE = BLOG_DOLLARS / BLOG_FEATURES / BLOG_TOKENS  # dollars a token, either way


def calls(preset: Preset) -> dict[str, int]:
    """Calls for a feature with contexts for the full protocol.

    gloss: 1 explanation, (100 + 100) / 5 = 40 for detection, (100 + 50 + 50) / 5 = 40 for fuzzing.
    """
    counts = {"detection": preset.detection, "fuzzing": preset.fuzzing}
    return {"explanation": 1} | {
        name: ceil((one.activating + one.random + one.wrong_mark) / preset.batch)
        for name, one in counts.items()
    }


@dataclass(frozen=True, slots=True)
class PresetPrice:
    """What a feature and the dictionary take at one preset."""

    preset: str
    calls: Mapping[str, int]  # a feature
    tokens: Mapping[str, Tokens]  # a call

    def dollars(self, price: Price, explained: int, scored: int) -> Dollars:
        """Of so many explanations, and so many features scored by detection and fuzzing."""
        low = high = 0.0
        for what in WHAT:
            n = (explained if what == "explanation" else scored) * self.calls[what]
            one = self.tokens[what]
            low += n * price.cost(one.input, one.low)
            high += n * price.cost(one.input, one.high)
        return Dollars(low, high)

    @property
    def source(self) -> str:
        """Where the tokens a call are from, in words."""
        by: dict[str, list[str]] = {}
        for what in WHAT:
            by.setdefault(self.tokens[what].source, []).append(what)
        return "; ".join(f"{', '.join(names)}: {source}" for source, names in by.items())


@dataclass(frozen=True, slots=True)
class Priced:
    """Prices of one dictionary."""

    cache: str
    hookpoints: tuple[str, ...]  # () = all
    explained: int  # features with contexts enough for an explanation
    scored: int  # with contexts enough for a score
    presets: tuple[PresetPrice, ...]
    quoted: tuple[Quoted, ...]
    problem: str = ""  # why some preset has no price

    def objects(self) -> Iterator[dict[str, Any]]:
        """One object for each preset and model, then the headline."""
        for one in self.presets:
            for quote in self.quoted:
                cost = one.dollars(quote.price, self.explained, self.scored)
                yield {
                    "cache": self.cache, "hookpoints": list(self.hookpoints) or None,
                    "preset": one.preset, "model": quote.name,
                    "price_source": quote.source, "usd_per_token": list(quote.price),
                    "explanations": self.explained, "scored": self.scored,
                    "calls": dict(one.calls), "cost_usd": list(cost),
                    "tokens": {what: t._asdict() for what, t in one.tokens.items()},
                }  # fmt: skip
        yield {"headline": headline(), "problem": self.problem or None}

    def lines(self) -> Iterator[str]:
        """For people."""
        part = ", ".join(self.hookpoints) or "the whole"
        yield (f"{part} of {self.cache}: {self.explained:,} explanations, {self.scored:,} "
               "features scored by detection and fuzzing")  # fmt: skip
        for one in self.presets:
            n = sum(one.calls.values())
            yield f"  {one.preset}: {n:,} calls a feature ({one.source})"
            for quote in self.quoted:
                cost = one.dollars(quote.price, self.explained, self.scored)
                yield f"    {quote.name}: {cost} ({quote.source})"
        if self.problem:
            yield f"  no price where nothing was measured: {self.problem}"
        yield from headline_lines()


def price(
    catalogue: Catalogue, record: CacheRecord, explained: int, scored: int,
    hookpoints: Sequence[str] = (),
) -> Priced:  # fmt: skip
    """Price a dictionary, or some of its hookpoints, at every preset; names in full, () = all."""
    every = [one.name for one in record.hookpoints]
    chosen = [name for name in every if name in hookpoints] or every
    with catalogue.reading() as con:
        found = coverage.calls(con, ONE_CALL)
    measured = {name: _measured(found, preset) for name, preset in PRESETS.items()}
    presets, problem = [], ""
    for name, preset in PRESETS.items():
        plan: Mapping[str, Tokens] = {}
        if len(measured[name]) < len(WHAT):
            try:
                plan = _planned(catalogue, record, chosen[0], preset)
            except GlossError as error:  # what was measured is priced all the same
                problem = str(error)
        tokens = {**plan, **measured[name]}
        if len(tokens) == len(WHAT):
            presets.append(PresetPrice(name, calls(preset), tokens))
    part = () if chosen == every else tuple(chosen)
    return Priced(record.name, part, explained, scored, tuple(presets), _quoted(catalogue),
                  problem)  # fmt: skip


def _quoted(catalogue: Catalogue) -> tuple[Quoted, ...]:
    table = catalogue.store / "prices.toml"
    own = [
        Quoted(model if address is None else f"{model} at {address}", price, "prices.toml")
        for model, entries in read_table(table).items()
        for address, price in entries
    ]
    return (*own, *LITERATURE)


def _measured(found: Sequence[Mapping[str, Any]], preset: Preset) -> dict[str, Tokens]:
    """Tokens a call as endpoints counted them, over all models; of prompts of the same make.

    What had to be asked again was paid, too: its tokens are shared among the calls of which a
    preset counts, so that a feature costs here what it did.
    """
    tokens: dict[str, Tokens] = {}
    for what in WHAT:
        rows = [row for row in found if row["what"] == what and _is_like(row, preset)]
        n, meant = sum(row["calls"] for row in rows), sum(_meant(row, preset) for row in rows)
        if n and meant:
            totals = (sum(row[key] for row in rows) for key in ("input_tokens", "output_tokens"))
            each_in, each_out = (total / meant for total in totals)
            names = ", ".join(dict.fromkeys(row["model"] for row in rows))
            again = f", {n - meant:,} of them asked again" * (n > meant)
            said = f"measured, {n:,} calls of {names}{again}"
            tokens[what] = Tokens(each_in, each_out, each_out, said, True, n)
    return tokens


def _meant(row: Mapping[str, Any], preset: Preset) -> int:
    """Calls of some explanations or scores had no answer been asked for twice."""
    return row["n"] * (1 if row["items"] is None else ceil(row["items"] / preset.batch))


def _is_like(row: Mapping[str, Any], preset: Preset) -> bool:
    """Whether prompts are of the make of a preset's: contexts as many, as long, as many a call."""
    if row["preset"] is None:
        return row["examples"] == preset.train
    other = PRESETS.get(row["preset"].partition("+")[0])
    return other is not None and (
        (other.context_length, other.batch) == (preset.context_length, preset.batch)
    )


class _Offline(Trial):
    """Plans without asking any endpoint for a price."""

    def _client(self, endpoint: EndpointSettings) -> PlanningClient:
        if endpoint.model not in self._clients:
            self._clients[endpoint.model] = planner(self.catalogue, endpoint,
                                                    price_of=lambda *_: None)  # fmt: skip
        return self._clients[endpoint.model]


def _planned(
    catalogue: Catalogue, record: CacheRecord, hookpoint: str, preset: Preset
) -> Mapping[str, Tokens]:
    """Tokens a call of the real prompts of a few features of one hookpoint."""
    endpoint = EndpointSettings(NOBODY, "vllm")
    settings = replace(ExplainerSettings(), examples=preset.train)
    request = SweepRequest(
        record.name, (settings,), (hookpoint,), f"random:{SAMPLE}", endpoint,
        Means(judge=NOBODY, endpoint=endpoint), ("detection", "fuzzing"), preset.name,
    )  # fmt: skip
    at = open_sweep(catalogue, request)._replace(bench=open_bench(catalogue, record, preset.name))
    trial = _Offline(catalogue, request, at)
    ((place, features),) = at.chosen
    for feature in features:
        trial.explain_and_judge(settings, place, feature)
    shares = {name: share for plan in trial.taken(1.0) for name, share in plan.purposes.items()}
    if any(what not in shares or not shares[what].calls for what in WHAT):
        raise BadInput(f"none of {len(features)} features of cache '{record.name}' has contexts "
                       "enough for a prompt of every kind")  # fmt: skip
    said = f"planned, the prompts of {len(features)} features, ±10 %"
    return {
        what: Tokens(share.input_tokens / share.calls, share.output_low / share.calls,
                     share.output_high / share.calls, said, False)
        for what in WHAT for share in [shares[what]]
    }  # fmt: skip


def headline() -> dict[str, Any]:
    """The blog's $1,300 for 1.5 million features: what it pays for, and what all of it costs.

    At the price that it implies, with its own tokens a call: one explanation and one five-item
    call are 1,783 tokens; preset gloss asks 80 such calls, 64,193 tokens.
    """
    explanation, items = (sum(pair) for pair in BLOG_CALLS.values())
    full = {
        name: BLOG_FEATURES * BLOG_PRICE
        * (explanation + items * (calls(preset)["detection"] + calls(preset)["fuzzing"]))
        for name, preset in PRESETS.items()
    }  # fmt: skip
    return {
        "source": "EleutherAI, July 2024", "features": BLOG_FEATURES, "stated_usd": BLOG_DOLLARS,
        "pays_for": "one explanation and one five-item call a feature",
        "usd_per_million_tokens": BLOG_PRICE / PER, "full_usd": full,
    }  # fmt: skip


def headline_lines() -> Iterator[str]:
    """The headline for people."""
    found = headline()
    yield (f"“${BLOG_DOLLARS:,.0f} for {BLOG_FEATURES / 1e6:g} million features” "
           f"({found['source']}) pays {found['pays_for']}, {BLOG_TOKENS:,} tokens at "
           f"${found['usd_per_million_tokens']:.2f} a million")  # fmt: skip
    full = ", ".join(f"{name} ${cost:,.0f}" for name, cost in found["full_usd"].items())
    yield f"  explained and scored in full at that price and its own tokens a call: {full}"

"""Names in, scorers with their tools out: who answers what.

Scorers come in groups that run in one place: the grammar over processes, a language model over
threads that wait for it, encoders and local models one feature after another.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from core.encoder import Encoder, EndpointEncoder, named, packaged
from core.explain.translate import TranslatedExact
from core.grammar import Rules, parse
from core.llm.client import EndpointClient, open_client
from core.llm.requests import Client
from core.llm.settings import EndpointSettings
from core.pipeline.planned import NoSubject, PlannedSets
from core.pipeline.workbench import Workbench
from core.score import named_tokens, output_side
from core.score.asking import JudgeSettings
from core.score.classify import detection_scorer, fuzzing_scorer
from core.score.discrimination import discrimination_scorer, grammar_discrimination_scorer
from core.score.embedding import EmbeddingScorer
from core.score.generation import GenerationScorer, Prober
from core.score.intruder import grammar_intruder_scorer, intruder_scorer
from core.score.judge import GrammarJudge
from core.score.language import LanguageJudge
from core.score.material import Claim, Material, Scorer
from core.score.neighbour import neighbour_scorer
from core.score.output_side import OutputSideScorer, counting_judge, model_judge
from core.score.sensitivity import SensitivityScorer
from core.score.simulation import SimulationScorer
from core.score.simulators import GrammarSimulator, JsonSimulator, LogprobSimulator
from core.score.steered_sets import SetWriter, Trial, read_trial
from core.score.surprisal import Reader, SurprisalScorer
from data import caches, items
from data.catalogue import Catalogue
from data.errors import BadInput
from data.ledger import Journal

if TYPE_CHECKING:  # it needs torch
    from core.probe import Probe

GRAMMAR = "grammar"
JUDGED = ("detection", "fuzzing", "intruder", "simulation", "neighbour", "discrimination")
MODEL_ONLY = ("generation", "sensitivity")
COUNTED = ("output-side",)  # a language model judges, or without one a count of named tokens
JUDGELESS = ("embedding", "surprisal")
SCORERS = (*JUDGED, *MODEL_ONLY, *COUNTED, *JUDGELESS)
IN_FLIGHT = 8  # features judged at once by a language model: each sends dozens of calls
TRANSLATED = "translated"  # inside the stage; a score of it is an exact one

Controls = Callable[[Material], Sequence[str]]  # explanations of other features
Place = Literal["processes", "threads"]


@dataclass(frozen=True, slots=True)
class Means:
    """Who answers, and with what; part of a request."""

    judge: str = GRAMMAR  # or a model's id
    endpoint: EndpointSettings | None = None  # of the model
    encoder: str = ""  # "" = the packaged one; a name or folder; endpoint:MODEL
    reader: str = ""  # model for surprisal; "" = the subject
    simulation: Literal["json", "logprobs"] = "json"

    @property
    def judge_settings(self) -> JudgeSettings:
        """How a language model is asked."""
        wish = self.endpoint.logprobs if self.endpoint else "auto"
        return JudgeSettings(probabilities=wish != "off")


class Group(NamedTuple):
    """Scorers that run in one place."""

    names: tuple[str, ...]
    place: Place


def groups(names: Sequence[str], means: Means) -> list[Group]:
    """Sort scorers by where they run."""
    has_model = means.judge != GRAMMAR
    apart = JUDGELESS if has_model else (*JUDGELESS, *COUNTED)
    asked = tuple(n for n in names if n not in apart)
    alone = [n for n in MODEL_ONLY if n in asked]
    if alone and not has_model:
        raise BadInput(f"{alone[0]} needs a language model: give --judge MODEL")
    found = [Group(asked, "threads" if has_model else "processes")] if asked else []
    return found + [Group((name,), "threads") for name in names if name in apart]


def asks_model(names: Sequence[str], means: Means) -> bool:
    """Whether a group of scorers asks a language model."""
    return means.judge != GRAMMAR and names[0] not in JUDGELESS


def asks_grammar(names: Sequence[str], means: Means) -> bool:
    """Whether a group of scorers can answer for rules only."""
    return means.judge == GRAMMAR and names[0] not in (*JUDGELESS, *COUNTED)


def judge_name(name: str, means: Means) -> str:
    """Who answers for a scorer that has a judge."""
    return named_tokens.NAME if name in COUNTED and means.judge == GRAMMAR else means.judge


def scorer_settings(name: str, means: Means, label: str) -> dict[str, Any]:
    """What makes two scores of one scorer and judge comparable, JSON-ready."""
    settings: dict[str, Any] = {"preset": TRANSLATED if name == TRANSLATED else label}
    if means.judge != GRAMMAR and name == "simulation":
        settings["mode"] = means.simulation
    return settings


def stored_name(name: str) -> str:
    """What a scorer's scores are called: a translation is checked as rules are."""
    return "exact" if name == TRANSLATED else name


def grammar_scorer(name: str, bench: Workbench) -> Scorer:
    """Make a scorer whose judge is the grammar."""

    def rules(claim: Claim) -> Rules:
        if claim.rule is None:
            raise BadInput(f"explanation {claim.explanation_id} has no rules for the grammar")
        return parse(claim.rule)

    def judge(claim: Claim) -> GrammarJudge:
        return GrammarJudge(rules(claim), bench.corpus.words)

    def simulator(claim: Claim) -> GrammarSimulator:
        return GrammarSimulator(rules(claim), bench.corpus.words)

    makers: dict[str, Callable[[], Scorer]] = {
        "detection": lambda: detection_scorer(GRAMMAR, judge),
        "fuzzing": lambda: fuzzing_scorer(GRAMMAR, judge),
        "neighbour": lambda: neighbour_scorer(GRAMMAR, judge),
        "intruder": lambda: grammar_intruder_scorer(judge),
        "discrimination": lambda: grammar_discrimination_scorer(judge),
        "simulation": lambda: SimulationScorer(simulator, GRAMMAR),
    }
    return makers[name]()


def model_scorer(
    name: str, bench: Workbench, client: Client, means: Means,
    probe: Callable[[], Prober], controls: Callable[[], Controls],
) -> Scorer:  # fmt: skip
    """Make a scorer whose judge, or whose writer, is a language model."""
    settings = means.judge_settings
    files = bench.files

    def judge(claim: Claim) -> LanguageJudge:
        return LanguageJudge(client, claim.text, files.vocabulary, files.meta.special_ids, settings)

    def simulator(claim: Claim) -> JsonSimulator | LogprobSimulator:
        if means.simulation == "logprobs":
            return LogprobSimulator(client, claim.text)
        return JsonSimulator(client, claim.text, settings)

    makers: dict[str, Callable[[], Scorer]] = {
        "detection": lambda: detection_scorer(client.model, judge),
        "fuzzing": lambda: fuzzing_scorer(client.model, judge),
        "neighbour": lambda: neighbour_scorer(client.model, judge),
        "intruder": lambda: intruder_scorer(client, settings),
        "discrimination": lambda: discrimination_scorer(client, settings),
        "simulation": lambda: SimulationScorer(simulator, client.model),
        "generation": lambda: GenerationScorer(client, probe(), controls(), settings),
        "sensitivity": lambda: SensitivityScorer(client, probe(), settings),
        TRANSLATED: lambda: TranslatedExact(client, bench.corpus),
    }
    return makers[name]()


@dataclass
class Tools:
    """Everything that scorers outside of worker processes are made from; opened when needed."""

    catalogue: Catalogue
    bench: Workbench
    means: Means
    client: Client | None  # the judge; None = no language model
    stack: ExitStack
    planned: bool = False  # nothing is asked and nothing stored: a dry run

    @property
    def journal(self) -> Journal | None:
        """Replies to be stored with what was read from them."""
        return self.client if isinstance(self.client, EndpointClient) else None

    def threads(self, name: str) -> int:
        """Features that a scorer works on at once: many where it waits for a network."""
        return 1 if name in JUDGELESS or self.client is None else IN_FLIGHT

    @property
    def probe(self) -> Prober:
        """The subject and its SAEs, for texts that were written."""
        return NoSubject() if self.planned else self.steerable

    @cached_property
    def steerable(self) -> "Probe":
        """The subject and its SAEs, loaded."""
        from core.probe import open_probe

        return open_probe(self.catalogue, self.bench.record)

    @cached_property
    def sets(self) -> SetWriter:
        """Who writes texts while features are held at values."""
        if self.planned:
            return PlannedSets(self.bench)
        from core.clamped.texts import ClampedWriter

        return ClampedWriter(self.steerable, self.bench.record.seed)

    @cached_property
    def encoder(self) -> Encoder:
        """The sentence encoder."""
        wanted = self.means.encoder
        if not wanted:
            return packaged()
        if not wanted.startswith("endpoint:"):
            return named(wanted)
        model = wanted.removeprefix("endpoint:")
        endpoint = replace(self.means.endpoint or EndpointSettings(), model=model)
        judge = self.client if isinstance(self.client, EndpointClient) else None
        client = self.stack.enter_context(open_client(self.catalogue, endpoint, beside=judge))
        return EndpointEncoder(client.embed, model)

    @cached_property
    def reader(self) -> Reader:
        """The local language model of surprisal."""
        from core.causal import Causal

        return Causal.load(self.reader_name)

    @property
    def reader_name(self) -> str:
        """What a score calls the model: as it was typed, a hub id or a folder."""
        return self.means.reader or self.bench.record.subject

    def judge_of(self, name: str) -> str:
        """Who answers for a scorer."""
        if name == "embedding":
            return self.encoder.name
        return self.reader_name if name == "surprisal" else judge_name(name, self.means)

    def scorer(self, name: str, controls: Callable[[], Controls]) -> Scorer:
        """Make a scorer by its name; controls: asked for where texts are generated."""
        if name == "embedding":
            return EmbeddingScorer(self.encoder)
        if name == "surprisal":
            return SurprisalScorer(self.reader)
        if name in COUNTED:
            return self._output_side()
        if self.client is None:
            return grammar_scorer(name, self.bench)
        return model_scorer(name, self.bench, self.client, self.means, lambda: self.probe, controls)

    def _output_side(self) -> Scorer:
        settings = self.means.judge_settings
        pick = model_judge(self.client, settings) if self.client else counting_judge
        judge = self.client.model if self.client else named_tokens.NAME
        record, bench = self.bench.record, self.bench

        def others(material: Material) -> Sequence[int]:
            return bench.live(caches.hookpoint(record, material.hookpoint)).tolist()

        def known(material: Material) -> list[Trial]:
            where = caches.hookpoint(record, material.hookpoint).hookpoint_id
            with self.catalogue.reading() as con:
                stored = items.shown(con, where, material.feature, output_side.NAME, material.label)
            return [read_trial(one, material.feature) for one in stored]

        lock = Lock()  # features in other threads wait while the subject is loaded

        def writer() -> SetWriter:
            with lock:
                return self.sets

        return OutputSideScorer(judge, pick, writer, others, known)


@contextmanager
def opened(catalogue: Catalogue, bench: Workbench, means: Means) -> Iterator[Tools]:
    """Open the judge's client, if there is one."""
    with ExitStack() as stack:
        client: EndpointClient | None = None
        if means.judge != GRAMMAR:
            endpoint = replace(means.endpoint or EndpointSettings(), model=means.judge)
            client = stack.enter_context(open_client(catalogue, endpoint))
        yield Tools(catalogue, bench, means, client, stack)

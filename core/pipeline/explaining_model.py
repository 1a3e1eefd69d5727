"""Explaining with a language model: features over threads, all replies through one client."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from core.explain import EXPLAINERS, explainer_for
from core.explain.explaining import Tools
from core.explain.settings import ExplainerSettings
from core.llm.client import EndpointClient, open_client
from core.llm.requests import Client, Reply, Request, spent
from core.pipeline.crowd import in_groups
from core.pipeline.evidence import Gatherer, Wanted
from core.pipeline.explaining_grammar import UNEXPLAINED
from core.pipeline.output_tokens import OutputSource, cached_tokens, planned_tokens
from core.pipeline.trial import SelectionTrial
from core.pipeline.workbench import Workbench
from core.score.language import LanguageJudge
from data import ledger
from data.catalogue import Catalogue
from data.records import HookpointRecord

if TYPE_CHECKING:
    from core.pipeline.explaining import ExplainRequest

NOTHING: dict[str, Any] = {"text": None, "error": None, "example_tokens": None}


def described(settings: ExplainerSettings, judge: str = "") -> dict[str, Any]:
    """What an explainer is known by; judge: another model that chooses in a debate."""
    return settings.recorded() | ({"judge": judge} if judge else {})


@dataclass(frozen=True)
class ModelMaker:
    """Explains with a language model, several features at a time."""

    catalogue: Catalogue
    client: Client
    judge: Client  # of a debate
    settings: ExplainerSettings
    seed: int
    threads: int
    journal: ledger.Journal | None = None  # None = nothing is stored: a dry run
    retries: bool = False  # failures are asked again, as another attempt
    opened: list[OutputSource] = field(default_factory=list, compare=False)  # none or one

    @property
    def name(self) -> str:
        """The explainer."""
        return self.settings.explainer

    @property
    def model(self) -> str:
        """The model's name."""
        return self.client.model

    @property
    def note(self) -> str:
        """How the calls go, and what the endpoint does not take."""
        return traffic_note(self.client)

    @property
    def described(self) -> dict[str, Any]:
        """The settings that matter for this explainer."""
        return described(self.settings, self.judge.model if self.judge is not self.client else "")

    def made(
        self, bench: Workbench, hookpoint: HookpointRecord, features: Sequence[int]
    ) -> Iterator[list[ledger.NewExplanation]]:
        """Explain in groups of about a second, as features get ready."""
        gatherer = self.gatherer(bench, hookpoint, features)
        attempts = self._attempts(hookpoint) if self.retries else {}

        def one(feature: int) -> ledger.NewExplanation:
            return self.explained(gatherer, feature, attempts.get(feature, 0))

        yield from in_groups(one, features, self.threads)

    def gatherer(
        self, bench: Workbench, hookpoint: HookpointRecord, features: Sequence[int]
    ) -> Gatherer:
        """Get ready to gather the evidence of features; in a dry run nothing is measured for it."""
        if not self.settings.measures_output:
            tokens = cached_tokens(self.catalogue, bench, hookpoint, features)
        elif self.journal is None:
            tokens = planned_tokens(self.settings)
        else:
            tokens = self._source(bench).of(hookpoint, features)
        return Gatherer(bench, hookpoint, tokens)

    def _source(self, bench: Workbench) -> OutputSource:
        """One for all hookpoints: subject and SAEs are loaded once."""
        if not self.opened:
            self.opened.append(OutputSource(self.catalogue, bench, self.settings))
        return self.opened[0]

    def _attempts(self, hookpoint: HookpointRecord) -> dict[int, int]:
        method = ledger.method_id(
            self.catalogue, "explainer", self.name, self.model, self.described
        )
        return ledger.attempts(self.catalogue, hookpoint.hookpoint_id, method, self.seed)

    def explained(
        self, gatherer: Gatherer, feature: int, attempt: int = 0
    ) -> ledger.NewExplanation:
        """Explain one feature, or say why not."""
        start = perf_counter()
        bench, hookpoint = gatherer.bench, gatherer.hookpoint
        found = bench.slice(hookpoint, feature)
        reason = bench.reason(hookpoint, feature, found)
        if reason in UNEXPLAINED:
            return self._row(feature, start, attempt, "skipped", error=UNEXPLAINED[reason])
        needs = EXPLAINERS[self.name].needs
        wanted = Wanted(
            self.settings.sampling, self.settings.examples, needs.silent,
            "fit" if needs.trial else "train",
        )  # fmt: skip
        gathered = gatherer.gather(feature, wanted)
        written = explainer_for(self.settings).explain(
            gathered.evidence, self._tools(gatherer, feature, wanted, attempt)
        )
        chosen = written.detail.get("chosen")
        if chosen:  # a candidate that was shown other contexts
            gathered = gatherer.gather(feature, wanted._replace(attempt=int(str(chosen))))
        return self._row(
            feature, start, attempt, "done" if written.text is not None else "failed",
            text=written.text,
            error=written.error,
            example_tokens=gathered.first_token,
            prompt=as_sent(written.request),
            reply=written.reply,
            calls=tuple(o.key for o in written.outcomes if isinstance(o, Reply)),
            detail=written.detail or None,
            usage=spent(written.outcomes).usage,
        )  # fmt: skip

    def _tools(self, gatherer: Gatherer, feature: int, wanted: Wanted, attempt: int) -> Tools:
        files = gatherer.bench.files

        def judge_for(text: str) -> LanguageJudge:
            return LanguageJudge(self.client, text, files.vocabulary, files.meta.special_ids)

        return Tools(
            client=self.client,
            judge=self.judge,
            trial=SelectionTrial(gatherer, feature, judge_for),
            redraw=lambda n: gatherer.gather(feature, wanted._replace(attempt=n)).evidence,
            seed=self.seed,
            attempt=attempt,
        )

    def _row(
        self, feature: int, start: float, attempt: int, status: str, **known: Any
    ) -> ledger.NewExplanation:
        return ledger.NewExplanation(
            feature=feature, status=status, seconds=perf_counter() - start, seed=self.seed,
            attempt=attempt, exact=None, rule=None,
            **NOTHING | known,
        )  # fmt: skip


def traffic_note(client: Client | None) -> str:
    """How a client's calls go, and what its endpoint does not take; "" where nothing is asked."""
    if not isinstance(client, EndpointClient):
        return ""
    return "; ".join([str(client.traffic), *client.notes])


def as_sent(request: Request | None) -> str | None:
    """Write a conversation as text, each turn under its role."""
    if request is None:
        return None
    return "\n\n".join(f"[{turn.role}]\n{turn.content}" for turn in request.messages)


@contextmanager
def model_maker(catalogue: Catalogue, request: "ExplainRequest") -> Iterator[ModelMaker]:
    """Open the client, and the debate's judge where another model is asked for."""
    settings, endpoint = request.settings, request.endpoint
    assert isinstance(settings, ExplainerSettings)
    assert endpoint is not None
    with open_client(catalogue, endpoint.require_model()) as client, ExitStack() as opened:
        judge: Client = client
        if request.judge and request.judge != endpoint.model:
            other = replace(endpoint, model=request.judge)
            judge = opened.enter_context(open_client(catalogue, other, beside=client))
        yield ModelMaker(
            catalogue, client, judge, settings, request.seed,
            threads=endpoint.concurrency + endpoint.concurrency // 2,
            journal=client,
            retries=request.retry_failed,
        )  # fmt: skip

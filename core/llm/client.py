"""A client of one endpoint: what is in the store is not asked again, what is answered is stored.

    with open_client(catalogue, settings) as client:
        outcomes = client.ask(requests)      from any thread
        client.fold(con)                     in the transaction that stores what came of them

A slot is free as soon as its answer has arrived; the caller gets the answer once it is on the disk.
Identical requests in flight at the same time are asked once.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Protocol

from core.llm.budget import Budget
from core.llm.calls import Batch, Traffic
from core.llm.dispatch import KEPT, Arrival, Dispatcher
from core.llm.endpoint import Endpoint
from core.llm.failures import Later, Refused, Unanswered
from core.llm.keeping import as_reply, to_keep
from core.llm.pace import Pace, Patience
from core.llm.place import extra_of, identity, preset_of
from core.llm.prices import Price, quote
from core.llm.requests import Outcome, Request
from core.llm.settings import EndpointSettings
from core.llm.wire import Answer
from data.catalogue import Catalogue, Connection
from data.errors import BadInput, EndpointRefused, EndpointTrouble, Stopped, StoreTrouble
from data.replies import ReplyStore

PRICES = "prices.toml"  # in the store
LISTING = 10.0  # seconds for an endpoint's list of models


class Answering(Protocol):
    """What a client needs of an endpoint; core/llm/endpoint.py is the real one."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What it turned out not to take, a sentence each."""
        ...

    def check(self) -> None:
        """Complain before anything is sent, of a missing key."""
        ...

    def send(self, request: Request) -> Answer:
        """Ask once; Later or Refused where there is no answer."""
        ...

    def vectors(self, texts: Sequence[str]) -> list[list[float] | None]:
        """Embed texts once."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...


class EndpointClient:
    """Implements the Client protocol over HTTP."""

    def __init__(
        self,
        endpoint: Answering,
        replies: ReplyStore,
        settings: EndpointSettings,
        *,
        price: Price | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Get ready; nothing is sent."""
        self.model = settings.model
        self._address, self._identity = preset_of(settings).base_url, identity(settings)
        self._more = extra_of(settings)
        self._endpoint, self._replies = endpoint, replies
        self._patience = patience or Patience()
        self._calls = Dispatcher(
            f"{self.model} at {self._address}",
            endpoint.send,
            self._keep,
            concurrency=settings.concurrency,
            timeout=settings.timeout,
            budget=_budget(settings, price),
            patience=self._patience,
        )
        self._known, self._counting = 0, Lock()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the endpoint turned out not to take, a sentence each."""
        return self._endpoint.notes

    @property
    def traffic(self) -> Traffic:
        """How it is going; `str` makes a line of it."""
        return self._calls.traffic(self._known)

    @property
    def replies(self) -> ReplyStore:
        """Where replies are kept; another client of the same store may share it."""
        return self._replies

    def ask(self, requests: Sequence[Request]) -> list[Outcome]:
        """Answer all requests, in their order; those known are not asked again."""
        keys = [request.sha256(self._address, self._identity) for request in requests]
        outcomes = self._from_store(keys)
        wanted = {k: r for k, r in zip(keys, requests, strict=True) if k not in outcomes}
        if wanted:
            self._endpoint.check()
            batch = Batch()
            late = self._calls.submit(wanted, batch, self._replies.holds)
            outcomes |= self._from_store(late)
            self._wait(batch)
            outcomes |= batch.outcomes
        return [outcomes[key] for key in keys]

    def embed(self, texts: Sequence[str]) -> list[list[float] | None]:
        """Embed texts by one call, tried again as often as others; vectors are not stored."""
        self._endpoint.check()
        pace = Pace(1, self._patience)
        for attempt in range(1, self._patience.attempts + 1):
            try:
                return self._endpoint.vectors(texts)
            except Later as later:
                if attempt == self._patience.attempts:
                    raise EndpointTrouble(self._sentence("does not embed", later)) from later
                asked = min(later.pause or 0.0, self._patience.pause)
                self._calls.pause(max(asked, pace.backoff(attempt)))
            except Refused as refused:
                raise EndpointRefused(self._sentence("refuses to embed", refused)) from refused
        raise AssertionError("the last attempt answers or raises")

    def fold(self, con: Connection) -> None:
        """Put the replies so far into the catalogue, inside an open writing transaction.

        Then `data.replies.reply_ids(con, keys)` knows them. Safe to call at any time.
        """
        self._replies.fold(con)

    def stop(self) -> None:
        """End at once: everybody who waits gets Stopped; calls in flight are abandoned."""
        self._calls.end(Stopped(f"stopped: {KEPT}"))

    def close(self) -> None:
        """End, and hang up."""
        self._calls.close()
        self._endpoint.close()

    def _from_store(self, keys: Sequence[str]) -> dict[str, Outcome]:
        found = self._replies.known(list(dict.fromkeys(keys))) if keys else {}
        with self._counting:
            self._known += len(found)
        return {key: as_reply(kept, known=True) for key, kept in found.items()}

    def _wait(self, batch: Batch) -> None:
        """Wait for a batch; what has arrived by the end of everything is stored first."""
        try:
            self._calls.wait(batch)
        except (KeyboardInterrupt, SystemExit):
            self.stop()
            raise
        if batch.left:
            self._replies.flush()
        if batch.left:
            self._calls.check()

    def _keep(self, arrival: Arrival) -> None:
        """Store an answer, and hand it on when it is on the disk."""
        call = arrival.call
        reply = to_keep(
            call.key, call.request, arrival.answer, address=self._address, model=self.model,
            more=self._more, cost=arrival.cost, seconds=arrival.seconds,
        )  # fmt: skip

        def stored(trouble: StoreTrouble | None) -> None:
            if trouble is None:
                self._calls.finish(as_reply(reply.answer, known=False))
            else:
                self._calls.end(trouble)

        self._replies.keep(reply, stored)

    def _sentence(self, what: str, reason: Unanswered) -> str:
        return f"{self.model} at {self._address} {what}: {reason}; {KEPT}"


def _budget(settings: EndpointSettings, price: Price | None) -> Budget:
    if settings.budget is not None and price is None:
        raise BadInput(
            f"no price of {settings.model} is known, so no budget can be kept: add it to {PRICES} "
            "in the store, or leave the budget out"
        )
    return Budget(settings.budget, price, settings.reasoning)


@contextmanager
def open_client(
    catalogue: Catalogue,
    settings: EndpointSettings,
    *,
    beside: EndpointClient | None = None,
    price: Price | None = None,
    patience: Patience | None = None,
) -> Iterator[EndpointClient]:
    """Open a client of one model, and fold what it has stored when it is done.

    beside: another client of the same store, whose `fold` then is for both; price: where it is
    known already. An error inside, Ctrl+C too, stops what is in flight at once, and leaves what is
    not folded in the journal.
    """
    settings.require_model()
    price = price or price_at(catalogue, settings)
    endpoint = Endpoint(settings)
    replies = beside.replies if beside else ReplyStore(catalogue)
    client = EndpointClient(endpoint, replies, settings, price=price, patience=patience)
    try:
        yield client
    except BaseException:
        client.stop()
        client.close()
        if not beside:
            with suppress(StoreTrouble):  # the first error is the one to tell
                replies.leave()
        raise
    client.close()
    if not beside:
        replies.close()


def price_at(catalogue: Catalogue, settings: EndpointSettings) -> Price | None:
    """Find what a model's tokens cost: from the store's table, else as the endpoint lists it."""
    preset, table = preset_of(settings), catalogue.store / PRICES
    stated = quote(settings.model, table, (), base_url=preset.base_url).price
    if stated is not None or preset.name not in ("", "openrouter"):  # the others list no prices
        return stated
    return quote(settings.model, table, _listed(settings), base_url=preset.base_url).price


def _listed(settings: EndpointSettings) -> list[Mapping[str, object]]:
    """Ask for the list of models; [] where it cannot be had, as the calls will say why."""
    endpoint = Endpoint(settings, timeout=LISTING)
    try:
        return endpoint.models()
    except (Unanswered, BadInput):
        return []
    finally:
        endpoint.close()

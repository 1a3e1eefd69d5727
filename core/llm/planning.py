"""What a run would ask and cost, found by running it with a client that asks nobody.

The stages run through their own code; every request gets a plausible answer (plausible.py) and is
counted. Follow-ups are in the plan as far as those answers lead to them: repairs of bad answers and
retries, which real models cause and plausible answers do not, are left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from threading import Lock
from typing import NamedTuple

from core.llm.plausible import answer, logprobs, shortest
from core.llm.prices import Price
from core.llm.requests import Outcome, Reply, Request
from core.llm.tokens import Counter
from data.percents import percent

ESTIMATE = 0.1  # relative error that an estimated count is given with

Known = Callable[[Sequence[Request]], set[str]]  # sha256 of those that the store has replies to


class Dollars(NamedTuple):
    """A range of costs."""

    low: float
    high: float

    def __str__(self) -> str:
        low, high = (_money(amount) for amount in self)
        return low if low == high else f"{low} to {high}"


@dataclass(frozen=True, slots=True)
class Share:
    """What requests for one purpose take."""

    calls: int = 0  # that would be made
    known: int = 0  # requests already answered: nothing is asked, nothing paid
    input_tokens: int = 0
    output_low: int = 0  # tokens: the shortest plausible answers
    output_high: int = 0  # tokens: every answer up to its limit

    def __add__(self, other: "Share") -> "Share":
        pairs = ((getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        return Share(*(one + more for one, more in pairs))

    def scaled(self, factor: float) -> "Share":
        """Multiply everything."""
        return Share(*(round(factor * getattr(self, one.name)) for one in fields(self)))

    def dollars(self, price: Price | None, error: float) -> Dollars | None:
        """Price it; error is the relative one of the input tokens. None = no price is known."""
        if price is None:
            return None
        return Dollars(
            price.cost(self.input_tokens * (1 - error), self.output_low),
            price.cost(self.input_tokens * (1 + error), self.output_high),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would ask and cost."""

    model: str
    counter: str  # how tokens were counted, for people
    exact: bool  # whether the input tokens are what the endpoint will count
    price: Price | None  # None = unknown
    purposes: Mapping[str, Share] = field(default_factory=dict)  # in the order they came up
    factor: float = 1.0  # run / what was planned; above 1 = scaled up from a sample
    prices: str = "<store>/prices.toml"  # where a price may be written

    @property
    def total(self) -> Share:
        """All purposes together."""
        return sum(self.purposes.values(), Share())

    @property
    def error(self) -> float:
        """Relative error of the input tokens."""
        return 0.0 if self.exact else ESTIMATE

    @property
    def dollars(self) -> Dollars | None:
        """What the run would cost; None = no price is known."""
        return self.total.dollars(self.price, self.error)

    def plus(self, other: "Plan", name: str) -> "Plan":
        """Add what another plan for the same model takes, as a purpose of its own."""
        return replace(self, purposes={**self.purposes, name: other.total})

    def scaled(self, factor: float) -> "Plan":
        """Take this for a sample of a run that is `factor` times as large."""
        purposes = {name: share.scaled(factor) for name, share in self.purposes.items()}
        return replace(self, purposes=purposes, factor=self.factor * factor)

    def lines(self) -> list[str]:
        """Write for people: the whole, then a line for each purpose."""
        total, dollars = self.total, self.dollars
        said = [f"{self.model}: {total.calls:,} calls{_free(total)}"]
        how = self.counter if self.exact else f"{self.counter}, ±{percent(ESTIMATE)}"
        said.append(f"input: {total.input_tokens:,} tokens ({how})")
        said.append(f"output: {_range(total)} tokens (shortest answers to longest)")
        unknown = f"price unknown: add the model to {self.prices}"
        said.append(unknown if dollars is None else f"cost: {dollars}")
        if self.factor != 1:
            said.append(f"scaled up by {self.factor:,.4g} from a sample of the features")
        return said + [self._line(name, share) for name, share in self.purposes.items()]

    def _line(self, name: str, share: Share) -> str:
        cost = share.dollars(self.price, self.error)
        tokens = f"{share.input_tokens:,} in, {_range(share)} out"
        end = "" if cost is None else f", {cost}"
        return f"  {name}: {share.calls:,} calls{_free(share)}, {tokens}{end}"

    def as_dict(self) -> dict[str, object]:
        """Write for scripts; dollars are null where no price is known."""
        return {
            "model": self.model,
            "counter": self.counter,
            "exact": self.exact,
            "error": self.error,
            "factor": self.factor,
            "usd_per_token": None if self.price is None else list(self.price),
            **self._record(self.total),
            "purposes": {name: self._record(share) for name, share in self.purposes.items()},
        }

    def _record(self, share: Share) -> dict[str, object]:
        cost = share.dollars(self.price, self.error)
        return {
            "calls": share.calls,
            "known": share.known,
            "input_tokens": share.input_tokens,
            "output_tokens": [share.output_low, share.output_high],
            "cost_usd": None if cost is None else list(cost),
        }


class PlanningClient:
    """Implements Client for a dry run: answers everything, asks nobody, stores nothing."""

    def __init__(
        self,
        model: str,
        address: str,
        counter: Counter,
        *,
        price: Price | None = None,
        prices: str = "<store>/prices.toml",
        known: Known | None = None,
        reasoning: int = 0,
        identity: str | None = None,
    ) -> None:
        """Get ready to plan for one model of one endpoint.

        reasoning: tokens that the model may think before each answer, beyond its limit; identity:
        what stands for the model in the hashes of requests, where that is more than its name.
        """
        self.model = model
        self._identity = identity or model
        self._reasoning = reasoning
        self._address, self._counter, self._known = address, counter, known
        self._plan = Plan(model, counter.name, counter.exact, price, prices=prices)
        self._shares: dict[str, Share] = {}
        self._planned: set[bytes] = set()  # requests that are stored by the time they come again
        self._lock = Lock()

    def ask(self, requests: Sequence[Request]) -> list[Outcome]:
        """Answer all requests and count them; those known, or asked before, cost nothing."""
        if not requests:
            return []
        known = self._known(requests) if self._known else set()
        return [self._one(request, known) for request in requests]

    def plan(self) -> Plan:
        """Add up what was asked so far."""
        with self._lock:
            return replace(self._plan, purposes=dict(self._shares))

    def _one(self, request: Request, known: set[str]) -> Reply:
        key = request.sha256(self._address, self._identity)
        text = answer(request, key)
        free = key in known or not self._first(bytes.fromhex(key))
        share = Share(known=1) if free else self._share(request, text)
        with self._lock:
            name = request.purpose or "other"
            self._shares[name] = self._shares.get(name, Share()) + share
        said = logprobs(request, text)
        return Reply(key, text, "stop", said, None, None, None, 0.0, known=free)

    def _first(self, key: bytes) -> bool:
        """Note a request; False if it was noted before."""
        with self._lock:
            before = len(self._planned)
            self._planned.add(key)
            return len(self._planned) > before

    def _share(self, request: Request, text: str) -> Share:
        low = min(self._counter.count_text(shortest(text)), request.max_tokens)
        longest = request.max_tokens + self._reasoning
        return Share(1, 0, self._counter.count(request), low, longest)


def _free(share: Share) -> str:
    return f" and {share.known:,} already answered, free" if share.known else ""


def _range(share: Share) -> str:
    low, high = f"{share.output_low:,}", f"{share.output_high:,}"
    return low if low == high else f"{low} to {high}"


def _money(amount: float) -> str:
    """Write dollars with as many digits as say something, e.g. $12.30, $0.0042."""
    return f"${amount:,.2f}" if amount >= 0.1 or amount == 0 else f"${amount:.2g}"

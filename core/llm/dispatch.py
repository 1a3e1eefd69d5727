"""Many calls at once to one endpoint, each sent until it is answered or has failed for good.

The one place with threads around the network. Calls wait in a heap by the time at which they are
due; a worker takes the next one when the pace and the budget allow, sends it, and hands the answer
on. A call that has to be sent again goes back into the heap, so waiting takes no slot. One error
ends everything for everybody: a stop, a refusal, an endpoint that does not answer, a budget.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from itertools import count
from threading import Condition, Thread
from typing import NamedTuple

from core.llm.budget import Budget
from core.llm.calls import Batch, Call, Traffic
from core.llm.failures import FOR_ALL, Later, Refused
from core.llm.pace import Pace, Patience
from core.llm.requests import CallFailed, Outcome, Request
from core.llm.wire import Answer
from data.errors import BudgetReached, EndpointRefused, EndpointTrouble, GlossError, Stopped

KEPT = "what was finished is kept; the same command goes on"
NEVER = 3  # calls given up before an endpoint that never answered is
IN_ROW = 3  # times the concurrency: calls given up in a row before an endpoint that did answer is
UNFIT = frozenset({403, 404})  # no answer yet and this: the wrong model, address or account
GRACE = 0.5  # seconds that calls in flight get at the end
RECENT = 10.0  # seconds over which the rate is measured


class Arrival(NamedTuple):
    """An answer, as it came in."""

    call: Call
    answer: Answer
    cost: float | None  # dollars, None = unknown
    seconds: float  # from sending to the last byte


class Dispatcher:
    """Sends calls from worker threads; safe to use from many threads."""

    def __init__(
        self,
        name: str,
        send: Callable[[Request], Answer],
        arrived: Callable[[Arrival], None],
        *,
        concurrency: int,
        timeout: float,
        budget: Budget,
        patience: Patience,
    ) -> None:
        """Get ready; threads start with the first call.

        name: of model and endpoint, for messages; arrived: called from a worker for every answer,
        and answered by `finish`.
        """
        self._name, self._send, self._arrived = name, send, arrived
        self._concurrency, self._timeout = concurrency, timeout
        self._patience, self.budget = patience, budget
        self._pace = Pace(concurrency, patience)
        self._changed = Condition()  # guards everything below
        self._calls: dict[str, Call] = {}  # without an outcome
        self._queue: list[tuple[float, int, Call]] = []  # heap of those to be sent: due, number
        self._numbers = count()
        self._flying: set[Call] = set()
        self._threads: list[Thread] = []
        self._stuck = 0  # threads whose call was given up on
        self._ending: GlossError | None = None
        self._answered = self._retries = self._failed = self._failed_in_row = 0
        self._held: list[CallFailed] = []  # given up since the last answer
        self._recent: deque[float] = deque(maxlen=10_000)  # times of answers

    def submit(
        self, wanted: Mapping[str, Request], batch: Batch, stored: Callable[[str], bool]
    ) -> list[str]:
        """Send what is not on its way yet; gives those that were stored in the meantime."""
        late = []
        with self._changed:
            self._check()
            for key, request in wanted.items():
                call = self._calls.get(key)
                if call is None and stored(key):
                    late.append(key)
                    continue
                if call is None:
                    call = self._calls[key] = Call(key, request)
                    self._put(call, time.monotonic())
                call.batches.append(batch)
                batch.left += 1
            self._hire()
            self._changed.notify(len(wanted))
        return late

    def wait(self, batch: Batch) -> None:
        """Wait until a batch is complete, or nothing more will come."""
        while not batch.done.wait(self._patience.trickle if batch.left else 0) and batch.left:
            self._give_up_stuck()

    def finish(self, outcome: Outcome) -> None:
        """Give a call its outcome."""
        with self._changed:
            call = self._calls.pop(outcome.key, None)
            for batch in call.batches if call else ():
                batch.add(outcome)

    def end(self, error: GlossError) -> None:
        """Stop sending; everybody who waits gets this error, unless there was one before."""
        with self._changed:
            if self._ending is None:
                self._ending = error
            for call in self._calls.values():
                for batch in call.batches:
                    batch.done.set()
            self._changed.notify_all()

    def check(self) -> None:
        """Raise the error that ended everything, if something did."""
        with self._changed:
            self._check()

    def pause(self, seconds: float) -> None:
        """Wait, unless everything ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._ending is not None, seconds)
            self._check()

    def close(self) -> None:
        """End, giving calls in flight a moment to land."""
        self.end(Stopped("the client is closed"))
        with self._changed:
            self._changed.wait_for(lambda: not self._flying, GRACE)
            idle = [thread for thread in self._threads if not self._flying]
        for thread in idle:
            thread.join(GRACE)

    def traffic(self, known: int) -> Traffic:
        """Count what is going on; `known` requests were answered from the store."""
        with self._changed:
            now = time.monotonic()
            lately = [moment for moment in self._recent if moment > now - RECENT]
            span = max(now - lately[0], 0.1) if lately else 1.0
            return Traffic(
                in_flight=len(self._flying),
                waiting=len(self._queue),
                answered=self._answered,
                known=known,
                retries=self._retries,
                failed=self._failed,
                rate=len(lately) / span,
                spent_usd=self.budget.spent,
                pause=max(0.0, self._pace.until - now),
            )

    # Below, "with the lock" means that self._changed is held.

    def _check(self) -> None:
        if self._ending is not None:
            raise type(self._ending)(*self._ending.args)

    def _put(self, call: Call, due: float) -> None:
        """Have a call sent at some time; with the lock."""
        heappush(self._queue, (due, next(self._numbers), call))

    def _hire(self) -> None:
        """Start as many workers as there is work for; with the lock."""
        wanted = min(self._concurrency, len(self._flying) + len(self._queue)) + self._stuck
        while len(self._threads) < wanted:
            thread = Thread(target=self._work, name="gloss-call", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        """Send one call after the other until the end."""
        try:
            while (call := self._next()) is not None:
                self._attempt(call, call.sent_at)
        finally:  # no effect after an end; else this thread broke, and nobody may wait for it
            self.end(
                EndpointTrouble(f"a thread that asks {self._name} broke: report the traceback")
            )

    def _next(self) -> Call | None:
        """Wait for a call that may be sent; None at the end."""
        with self._changed:
            while self._ending is None:
                now = time.monotonic()
                wait = self._wait_for_head(now)
                if wait == 0:
                    call = heappop(self._queue)[2]
                    call.sent_at = now
                    call.reserved = self.budget.worst(call.request)
                    self.budget.reserve(call.reserved)
                    self._flying.add(call)
                    return call
                self._changed.wait(wait)
        return None

    def _wait_for_head(self, now: float) -> float | None:
        """Seconds until a call may be sent; None = until something changes; with the lock."""
        if not self._queue or len(self._flying) >= self._pace.limit:
            return None
        due, _, call = self._queue[0]
        due = max(due, self._pace.until)
        if due > now:
            return due - now
        if self.budget.allows(self.budget.worst(call.request)):
            return 0
        if not self._flying:  # nothing will give back what it has set aside
            spent = f"${self.budget.spent:.4g} of ${self.budget.dollars:.4g} is spent"
            self.end(BudgetReached(f"{spent}, the next call could pass the budget: {KEPT}, "
                                   "with as much again"))  # fmt: skip
            return 0.001  # the end is seen at once
        return None

    def _attempt(self, call: Call, sent_at: float) -> None:
        """Send a call once; `sent_at` tells this attempt from later ones."""
        try:
            answer = self._send(call.request)
        except Later as later:
            with self._changed:
                if self._landed(call, sent_at):
                    self._again(call, later)
        except Refused as refused:
            with self._changed:
                if self._landed(call, sent_at):
                    self._refused(call, refused)
        except GlossError as error:
            self.end(error)
        else:
            self._take(call, answer, sent_at)

    def _take(self, call: Call, answer: Answer, sent_at: float) -> None:
        """Free the slot, then hand an answer on."""
        now = time.monotonic()
        with self._changed:
            if not self._landed(call, sent_at):
                return
            cost = self.budget.cost(answer)
            self.budget.settle(call.reserved, cost)
            self._pace.answered()
            self._answered += 1
            self._failed_in_row = 0
            self._recent.append(now)
            self._release()
        self._arrived(Arrival(call, answer, cost, now - sent_at))

    def _landed(self, call: Call, sent_at: float) -> bool:
        """Take a call out of the air; False where it was given up meanwhile; with the lock."""
        if call not in self._flying or call.sent_at != sent_at:
            self._stuck -= 1
            return False
        self._flying.discard(call)
        self._changed.notify(1)
        return True

    def _again(self, call: Call, later: Later) -> None:
        """Send a call again in a while, or give it up; with the lock."""
        now = time.monotonic()
        self.budget.settle(call.reserved, None if later.billed else 0.0)
        if later.crowded:
            self._pace.crowded(now, call.sent_at, later.pause)
            call.waits += 1
            over = call.waits >= self._patience.waits
            due = now
        else:
            call.attempts += 1
            patience = self._patience
            over = call.attempts >= (patience.attempts if self._answered else patience.early)
            due = now + max(
                self._pace.backoff(call.attempts), min(later.pause or 0, patience.pause)
            )
        if over:
            self._fail(call, str(later), EndpointTrouble(self._sentence("does not answer", later)))
        elif self._ending is None:
            self._retries += 1
            self._put(call, due)
            self._changed.notify(1)

    def _refused(self, call: Call, refused: Refused) -> None:
        """Give a call up, and everything where no other would fare better; with the lock."""
        self.budget.settle(call.reserved, 0.0)
        error = EndpointRefused(self._sentence("refuses", refused))
        if refused.status in FOR_ALL or (refused.status in UNFIT and not self._answered):
            self.end(error)
        else:
            self._fail(call, str(refused), error, is_there=True)  # who refuses is there

    def _release(self) -> None:
        """Hand out held failures: the endpoint is alive, so they are theirs; with the lock."""
        held, self._held = self._held, []
        for outcome in held:
            self.finish(outcome)

    def _fail(self, call: Call, reason: str, error: GlossError, *, is_there: bool = False) -> None:
        """Give a call up; `error` ends everything where that has become a habit; with the lock."""
        self._failed += 1
        self._failed_in_row += 1
        never = not self._answered and self._failed >= NEVER
        if never or self._failed_in_row >= max(NEVER, IN_ROW * self._concurrency):
            self.end(error)
        elif is_there:
            self._release()
            self.finish(CallFailed(call.key, reason))
        else:
            # Held until another call shows that the endpoint is there: an outage is no answer, and
            # what it took with it is to be asked again.
            self._held.append(CallFailed(call.key, reason))
            if not self._flying and not self._queue:
                if self._answered:
                    self._release()
                else:
                    self.end(error)

    def _sentence(self, what: str, reason: Exception) -> str:
        return f"{self._name} {what}: {reason}; {KEPT}"

    def _give_up_stuck(self) -> None:
        """Send calls again whose answer trickles in without end; their threads stay behind."""
        with self._changed:
            oldest = time.monotonic() - self._timeout - self._patience.trickle
            stuck: Sequence[Call] = [call for call in self._flying if call.sent_at < oldest]
            for call in stuck:
                self._flying.discard(call)
                self._stuck += 1
                self._again(
                    call, Later(f"no end of the answer in {self._timeout:g} s", billed=True)
                )
            self._hire()

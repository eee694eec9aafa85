"""The engine: threads of its own translate batches and answer the event loop's futures.

    event loop                       each of the engine's threads
    translate() -> Scheduler.add     expire, next_batch -> Translator.translate -> finish
                <- futures settled by one call_soon_threadsafe a batch

Where the decoder may be called by several threads at once, as many batches run as there are cores, each decoded by the
one thread that took it, and one more for short requests that find all cores busy (`app.engine.queue`): while one
thread reads what it found, others decode, so that no core is idle. Long batches have threads of their own,
which give way to all others. Else, as with PyTorch, which uses all cores for one batch, one thread runs all batches.

While a batch is translated, the next one gathers; there is no fixed window (see `app.engine.desk`). A batch that fails
is halved until the sentence that the model cannot take is alone, so that its neighbours get their answers.

`replace` gives new requests to another version; earlier ones are answered by the version that they met.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from app.engine.decoder import Decoder, Failed, Outcome, summary
from app.engine.desk import Desk, Done, Role
from app.engine.limits import EngineLimits
from app.engine.queue import QueueFull, Scheduler
from app.engine.tickets import RETRY_SHARE, Batch, Priority, Sentence, Ticket, Unit
from app.engine.worker import give_way, settle, settle_all
from app.errors import DeadlineExceeded, NotReady, Overloaded, PairUnavailable, ShuttingDown, told
from app.metrics import Metrics
from app.timers import Timers
from model.config import SearchConfig

if TYPE_CHECKING:
    from model.translator import Translator

log = logging.getLogger("traghetto.engine")

State = Literal["loading", "ready", "failed", "draining"]
MAX_RETRY_AFTER_S = 60


Loader = Callable[[], Mapping[str, "Translator"]]
"""Builds the translators, by their pair. Runs in the engine's thread, which owns them from then on."""


class Engine:
    """Batches sentences across requests. `start`, `translate`, `cancel` and `stop` belong to the event loop."""

    def __init__(self, load: Loader, limits: EngineLimits, metrics: Metrics) -> None:
        self._load = load
        self._limits = limits
        self._metrics = metrics
        self._scheduler = Scheduler(limits.batch_tokens, limits.batch_sentences, limits.queue_tokens)
        self._desk = Desk(self._scheduler, self._tidy)
        self._threads = [threading.Thread(target=self._load_and_work, name="engine", daemon=True)]
        self._timers = Timers()
        self._decoder = Decoder(limits.batch_tokens, limits.max_beam, metrics)
        self.state: State = "loading"
        self.failure: str | None = None

    def start(self, on_failure: Callable[[], None] | None = None) -> None:
        """Load and warm up in the background; if that fails, or the thread dies, `on_failure` is called on the loop."""
        self._loop = asyncio.get_running_loop()
        self._loaded = asyncio.Event()
        self._on_failure = on_failure
        self._threads[0].start()

    @property
    def versions(self) -> dict[str, str]:
        """Loaded version of each pair."""
        return dict(self._decoder.versions)

    @property
    def last_success(self) -> float:
        """When a batch last succeeded, on the monotonic clock."""
        return self._decoder.last_success

    @property
    def alive(self) -> bool:
        """Whether all threads run."""
        return all(thread.is_alive() for thread in self._threads)

    async def wait_ready(self, timeout_s: float | None) -> None:
        """Return when the models are warm.

        Raises:
            NotReady: they are not, after `timeout_s` (None: however long loading takes) or for good.
            ShuttingDown: the engine takes no more work.
        """
        if self.state == "loading":
            try:
                async with asyncio.timeout(timeout_s):
                    await self._loaded.wait()
            except TimeoutError:
                raise NotReady("The models are still loading.") from None
        if self.state == "failed":
            raise NotReady(self.failure or "The engine has stopped.")
        if self.state == "draining":
            raise ShuttingDown

    def count_tokens(self, pair: str, texts: Sequence[str]) -> list[int]:
        """Source tokens of each text; from any thread, once ready.

        Raises:
            PairUnavailable: no model for `pair`.
        """
        translators = self._decoder.translators
        translator = translators.get(pair)
        if translator is None:
            raise PairUnavailable(pair, tuple(translators))
        return translator.count_tokens(texts)

    def max_tokens(self, pair: str) -> int:
        """Source tokens that the network of `pair` reads at once."""
        return self._decoder.translators[pair].max_source_tokens

    async def translate(
        self,
        sentences: Sequence[Sentence],
        search: SearchConfig,
        timeout_s: float,
        priority: Priority = Priority.INTERACTIVE,
    ) -> list[Outcome]:
        """Translate the sentences of one request; one outcome each, in order. Cancelling the caller cancels the work.

        Raises:
            Overloaded: the queue is full.
            DeadlineExceeded: not done after `timeout_s`.
            TranslationFailed: the model failed on one of the sentences.
            ShuttingDown, NotReady: the engine takes no work.
        """
        if not sentences:
            return []
        now = time.monotonic()
        future: asyncio.Future[list[Outcome]] = self._loop.create_future()
        ticket = Ticket(
            sentences, search, now + timeout_s, priority, retry_by=now + RETRY_SHARE * timeout_s, owner=future
        )
        self._submit(ticket, now)
        timer = self._timers.call_later(timeout_s, lambda: settle(future, DeadlineExceeded(timeout_s)))
        try:
            return await future
        finally:
            timer.cancel()
            if not ticket.closed:
                self.cancel(ticket)

    def _submit(self, ticket: Ticket, now: float) -> None:
        with self._desk.lock:
            self._refuse_unless_ready()
            ticket.versions = self._decoder.versions
            try:
                self._scheduler.add(ticket, now)
            except QueueFull:
                raise Overloaded(self._retry_after_s()) from None
            self._desk.wake()

    def _retry_after_s(self) -> int:
        """What the queue should take at the measured speed."""
        speed = self._decoder.cost_per_s * self._scheduler.capacity.slots
        return max(1, min(MAX_RETRY_AFTER_S, math.ceil(self._scheduler.waiting_cost / speed))) if speed else 1

    def replace(self, translator: Translator) -> None:
        """Give all requests from now on to `translator`, and own it; from any thread but the event loop's.

        It is warmed up here and now. What it replaces is let go when its last request is answered.

        Raises:
            NotReady, ShuttingDown: it would not fit into a batch, or the engine takes no work.
        """
        self._refuse_unless_ready()
        self._decoder.prepare(translator)
        with self._desk.lock:
            self._refuse_unless_ready()
            self._decoder.switch(translator)
            self._decoder.release(self._scheduler.needs)
        log.info("%s: version %s translates from now on", translator.pair, translator.version)

    def _refuse_unless_ready(self) -> None:
        if self.state != "ready":
            raise ShuttingDown if self.state == "draining" else NotReady(self.failure or "The models are loading.")

    def cancel(self, ticket: Ticket) -> None:
        """Take a request out of the queue."""
        with self._desk.lock:
            self._scheduler.cancel(ticket)

    async def stop(self, timeout_s: float) -> None:
        """Take nothing more, finish what waits within `timeout_s`, then answer the rest with `ShuttingDown`."""
        with self._desk.lock:
            if self.state != "failed":
                self.state = "draining"
        self._desk.close()
        self._loaded.set()
        await asyncio.to_thread(self._join, time.monotonic() + timeout_s)
        self._abandon(ShuttingDown())

    def _join(self, ends: float) -> None:
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    # From here on: the engine's threads.

    def _load_and_work(self) -> None:
        try:
            self._decoder.adopt(self._load())
        except BaseException as error:
            log.critical("The models could not be loaded: %s", error, exc_info=log.isEnabledFor(logging.DEBUG))
            self._fail(f"The models could not be loaded: {told(error)}")
            return
        roles = [*[Role.LONG] * (self._limits.at_once - 1), *[Role.QUICK] * (self._limits.at_once + 1)]
        others = [threading.Thread(target=self._work, args=(role,), name="engine", daemon=True) for role in roles]
        with self._desk.lock:
            if self.state == "loading":
                self.state = "ready"
                self._threads += others
                for thread in others:
                    thread.start()
        self._on_loop(self._loaded.set)
        self._work(Role.FIRST)

    def _work(self, role: Role) -> None:
        if role is not Role.QUICK and self._decoder.is_shared:
            give_way()
        done = None
        try:
            while (batch := self._desk.take(role, done)) is not None:
                done = Done(batch, self._process(batch))
                del batch
        except BaseException:
            log.critical("The engine stopped on an internal error", exc_info=True)
            self._fail("The engine stopped on an internal error.")

    def _tidy(self, now: float) -> None:
        """What is to be done before each batch."""
        scheduler = self._scheduler
        late = scheduler.expire(now)
        self._answer([(ticket, DeadlineExceeded(ticket.deadline - ticket.submitted)) for ticket in late])
        self._finish(scheduler.settle(now))
        self._decoder.release(scheduler.needs)
        scheduler.capacity = self._limits.capacity(shared=self._decoder.is_shared)
        self._metrics.waiting_tokens.set(scheduler.waiting_tokens)
        self._metrics.waiting_sentences.set(scheduler.waiting_units)

    def _process(self, batch: Batch) -> float:
        """Translate `batch` and answer whom it completes; the seconds that it took."""
        started = time.monotonic()
        if not batch.group.again:
            for unit in batch.units:
                self._metrics.queue_seconds.observe(started - unit.waiters[0][0].submitted)
        results = self._decoder.run(batch)
        seconds = time.monotonic() - started
        pairs = zip(batch.units, results, strict=True)
        with self._desk.lock:
            complete = [ticket for unit, result in pairs for ticket in self._take(unit, result)]
            self._desk.wake()
        self._finish(complete)
        return seconds

    def _take(self, unit: Unit, result: Outcome | Failed) -> list[Ticket]:
        """Let a faulty draft wait for a second search; else the tickets that `result` completes."""
        if isinstance(result, Failed) and unit.draft is not None:
            return self._scheduler.finish(unit, unit.draft)
        again = isinstance(result, Outcome) and result.translation.faulty and unit.draft is None
        if again and self._scheduler.again(unit, result):
            return []
        return self._scheduler.finish(unit, result)

    def _finish(self, complete: list[Ticket]) -> None:
        self._answer([(ticket, summary(ticket.results)) for ticket in complete])

    def _answer(self, answers: list[tuple[Ticket, list[Outcome] | Exception]]) -> None:
        if answers:
            self._on_loop(settle_all, [(ticket.owner, answer) for ticket, answer in answers])

    def _abandon(self, error: Exception) -> None:
        with self._desk.lock:
            tickets = self._scheduler.clear()
        self._answer([(ticket, error) for ticket in tickets])

    def _fail(self, reason: str) -> None:
        with self._desk.lock:
            self.state, self.failure = "failed", reason
        self._desk.close()
        self._on_loop(self._loaded.set)
        self._abandon(NotReady(reason))
        if self._on_failure is not None:
            self._on_loop(self._on_failure)

    def _on_loop(self, callback: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:  # the loop is closed: nobody waits
            log.debug("An answer came after the event loop had closed")

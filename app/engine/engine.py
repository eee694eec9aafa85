"""The engine: one thread owns the translators and answers the event loop's futures.

    event loop                       engine thread
    translate() -> Scheduler.add     expire, next_batch -> Translator.translate -> finish
                <- futures settled by one call_soon_threadsafe a batch

While a batch is being translated, the next one gathers; there is no fixed window (see `app.engine.linger`). A batch
that fails is halved until the sentence that the model cannot take is alone, so that its neighbours get their answers;
the thread lives on.

`replace` gives new requests to another version; earlier ones are answered by the version that they met.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from app.engine.decoder import Decoder, Failed, Outcome, summary
from app.engine.linger import linger
from app.engine.queue import QueueFull, Scheduler
from app.engine.tickets import RETRY_SHARE, Batch, Priority, Sentence, Ticket, Unit
from app.engine.worker import settle
from app.errors import DeadlineExceeded, NotReady, Overloaded, PairUnavailable, ShuttingDown, told
from app.metrics import Metrics
from model.config import SearchConfig

if TYPE_CHECKING:
    from model.translator import Translator

log = logging.getLogger("traghetto.engine")

State = Literal["loading", "ready", "failed", "draining"]
MAX_RETRY_AFTER_S = 60


@dataclass(frozen=True)
class EngineLimits:
    """Bounds of the engine; `app.settings` describes each."""

    batch_tokens: int
    batch_sentences: int
    queue_tokens: int
    max_beam: int


Loader = Callable[[], Mapping[str, "Translator"]]
"""Builds the translators, by their pair. Runs in the engine's thread, which owns them from then on."""


class Engine:
    """Batches sentences across requests. `start`, `translate`, `cancel` and `stop` belong to the event loop."""

    def __init__(self, load: Loader, limits: EngineLimits, metrics: Metrics) -> None:
        self._load = load
        self._limits = limits
        self._metrics = metrics
        self._scheduler = Scheduler(limits.batch_tokens, limits.batch_sentences, limits.queue_tokens)
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._decoder = Decoder(limits.batch_tokens, limits.max_beam, metrics)
        self.state: State = "loading"
        self.failure: str | None = None

    def start(self, on_failure: Callable[[], None] | None = None) -> None:
        """Load and warm up in the background; if that fails, or the thread dies, `on_failure` is called on the loop."""
        self._loop = asyncio.get_running_loop()
        self._loaded = asyncio.Event()
        self._on_failure = on_failure
        self._thread.start()

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
        """Whether the thread runs."""
        return self._thread.is_alive()

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
        """Source tokens that the network of `pair`, which is served, reads at once."""
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
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            raise DeadlineExceeded(timeout_s) from None
        finally:
            if not ticket.closed:
                self.cancel(ticket)

    def _submit(self, ticket: Ticket, now: float) -> None:
        with self._wake:
            self._refuse_unless_ready()
            ticket.versions = self._decoder.versions
            try:
                self._scheduler.add(ticket, now)
            except QueueFull:
                raise Overloaded(self._retry_after_s()) from None
            self._wake.notify()

    def _retry_after_s(self) -> int:
        """What the queue should take at the measured speed."""
        speed = self._decoder.cost_per_s
        return max(1, min(MAX_RETRY_AFTER_S, math.ceil(self._scheduler.waiting_cost / speed))) if speed else 1

    def replace(self, translator: Translator) -> None:
        """Give all requests from now on to `translator`, and own it; from any thread but the event loop's.

        It is warmed up here and now. What it replaces is let go when its last request is answered.

        Raises:
            NotReady, ShuttingDown: it would not fit into a batch, or the engine takes no work.
        """
        self._refuse_unless_ready()
        self._decoder.prepare(translator)
        with self._wake:
            self._refuse_unless_ready()
            self._decoder.switch(translator)
            self._wake.notify()
        log.info("%s: version %s translates from now on", translator.pair, translator.version)

    def _refuse_unless_ready(self) -> None:
        if self.state != "ready":
            raise ShuttingDown if self.state == "draining" else NotReady(self.failure or "The models are loading.")

    def cancel(self, ticket: Ticket) -> None:
        """Take a request out of the queue."""
        with self._wake:
            self._scheduler.cancel(ticket)

    async def stop(self, timeout_s: float) -> None:
        """Take nothing more, finish what waits within `timeout_s`, then answer the rest with `ShuttingDown`."""
        with self._wake:
            if self.state != "failed":
                self.state = "draining"
            self._wake.notify()
        self._loaded.set()
        await asyncio.to_thread(self._thread.join, timeout_s)
        self._abandon(ShuttingDown())

    # From here on: the engine's thread.

    def _run(self) -> None:
        try:
            self._decoder.adopt(self._load())
        except BaseException as error:
            log.critical("The models could not be loaded: %s", error, exc_info=log.isEnabledFor(logging.DEBUG))
            self._fail(f"The models could not be loaded: {told(error)}")
            return
        with self._wake:
            if self.state == "loading":
                self.state = "ready"
        self._on_loop(self._loaded.set)
        try:
            while (batch := self._next()) is not None:
                self._process(batch)
                linger(self._scheduler, len(batch.units), self._decoder.last_seconds, lambda: self.state == "ready")
        except BaseException:
            log.critical("The engine stopped on an internal error", exc_info=True)
            self._fail("The engine stopped on an internal error.")

    def _next(self) -> Batch | None:
        """Wait for a batch; None when the engine shall end."""
        with self._wake:
            while True:
                now = time.monotonic()
                self._answer(
                    [
                        (ticket, DeadlineExceeded(ticket.deadline - ticket.submitted))
                        for ticket in self._scheduler.expire(now)
                    ]
                )
                self._finish(self._scheduler.settle(now))
                self._decoder.release(self._scheduler.needs)
                batch = self._scheduler.next_batch()
                self._metrics.waiting_tokens.set(self._scheduler.waiting_tokens)
                self._metrics.waiting_sentences.set(self._scheduler.waiting_units)
                if batch is not None or self.state != "ready":
                    return batch
                self._wake.wait()

    def _process(self, batch: Batch) -> None:
        started = time.monotonic()
        if not batch.group.again:
            for unit in batch.units:
                self._metrics.queue_seconds.observe(started - unit.waiters[0][0].submitted)
        results = self._decoder.run(batch)
        with self._wake:
            complete = [
                ticket for unit, result in zip(batch.units, results, strict=True) for ticket in self._take(unit, result)
            ]
        self._finish(complete)

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
            self._on_loop(_settle_all, [(ticket.owner, answer) for ticket, answer in answers])

    def _abandon(self, error: Exception) -> None:
        with self._wake:
            tickets = self._scheduler.clear()
        self._answer([(ticket, error) for ticket in tickets])

    def _fail(self, reason: str) -> None:
        with self._wake:
            self.state, self.failure = "failed", reason
        self._on_loop(self._loaded.set)
        self._abandon(NotReady(reason))
        if self._on_failure is not None:
            self._on_loop(self._on_failure)

    def _on_loop(self, callback: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:  # the loop is closed: nobody waits
            log.debug("An answer came after the event loop had closed")


def _settle_all(answers: list[tuple[asyncio.Future[list[Outcome]], list[Outcome] | Exception]]) -> None:
    for future, answer in answers:
        settle(future, answer)

"""One request, whatever dialect it came in: checked, prepared, translated by the engine, put together."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from app.access.client import Client
from app.access.usage import Reserved, Usage
from app.engine.decoder import Outcome
from app.engine.engine import Engine
from app.engine.worker import Worker, give_way
from app.errors import DeadlineExceeded, Overloaded
from app.metrics import Metrics
from app.settings import Settings
from app.timers import Timers
from app.traces import Traces
from app.translating.detection import Detect, Detection
from app.translating.limits import TranslationRequest, check, check_texts
from app.translating.preparing import Prepared, Preparer
from app.translating.result import TranslatedText, assemble
from model.config import SearchConfig

SLIGHT_CHARS = 300
"""Plain text of a known language that is not longer is prepared at once, on the event loop: in less time than it takes
to hand it to another thread and back."""
SHORT_CHARS = 2000
"""Longer requests are prepared by a thread of their own, so that short ones need not wait for them."""
MAX_ASKED = 64
"""Requests that may wait for a guess of their language."""
MEMORY_WAIT_S = 3.0
"""How long after the start requests wait for memory to be loaded; from then on they are translated without."""


class Watching(NamedTuple):
    """Who is told of what is translated."""

    usage: Usage
    metrics: Metrics
    traces: Traces


class TranslationService:
    """Translates requests. `start` and `stop` belong to the application's lifespan."""

    def __init__(
        self, settings: Settings, engine: Engine, preparer: Preparer, detect: Detect, watching: Watching
    ) -> None:
        self._settings = settings
        self._usage, self._metrics, self._traces = watching
        self._engine = engine
        self._memory_ready: asyncio.Event | None = None
        self._timers = Timers()
        self._preparer = preparer
        self._short = Worker("prepare-short", preparer.prepare, preparer.warm_up)
        self._long = Worker("prepare-long", preparer.prepare, give_way)
        self._detector: Worker[Sequence[str], list[Detection]] = Worker(
            "detect", lambda texts: [detect(text) for text in texts], give_way
        )
        self._asked = 0
        """Requests that wait for a guess."""

    def start(self, memory_ready: asyncio.Event | None = None) -> None:
        """Start the threads that split, detect and count. The first requests wait a little for `memory_ready`."""
        self._memory_ready = memory_ready
        self._memory_by = time.monotonic() + MEMORY_WAIT_S
        self._short.start()
        self._long.start()
        self._detector.start()

    def stop(self) -> None:
        """End the threads."""
        self._short.stop()
        self._long.stop()
        self._detector.stop()

    async def translate(
        self, request: TranslationRequest, client: Client | None, timeout_s: float | None = None
    ) -> list[TranslatedText]:
        """One result for each text, in order; within `timeout_s`, by default the deadline of the settings. It counts as
        used by `client`; by nobody if that is None.

        Raises:
            InvalidRequest: a limit was passed, or a text holds what no text can.
            TooManyRequests, QuotaExceeded: `client` may not have so much translated now.
            PairUnavailable, NotReady, ShuttingDown, Overloaded, DeadlineExceeded, TranslationFailed: see `app.errors`.
        """
        check(request, self._settings)
        if client is None:
            return await self._translated(request, timeout_s or self._settings.deadline_s)
        reserved = await self._usage.reserve(client, sum(map(len, request.texts)))
        try:
            found = await self._translated(request, timeout_s or self._settings.deadline_s)
            self._usage.spent(reserved)
        finally:
            self._usage.released(reserved)
        return found

    async def _translated(self, request: TranslationRequest, deadline_s: float) -> list[TranslatedText]:
        ends = time.monotonic() + deadline_s
        if self._engine.state != "ready":
            await self._engine.wait_ready(deadline_s)
        if self._memory_ready is not None and request.memory:
            await self._wait_for(self._memory_ready, ends)
        try:
            with self._traces.part("prepare", texts=len(request.texts), characters=sum(map(len, request.texts))):
                prepared = await self._prepared(request, ends)
            outcomes = iter(await self._outcomes(request, prepared, ends))
        except (TimeoutError, DeadlineExceeded):  # the parts know only what was left of the time
            raise DeadlineExceeded(deadline_s) from None
        return [assemble(text, request.target, outcomes) for text in prepared]

    async def detect(self, texts: Sequence[str], client: Client, field: str, *, many: bool) -> list[Detection]:
        """The language of each text; `field` and `many` as in `TranslationRequest`. It counts as used by `client`, as
        much as a translation.

        Raises:
            InvalidRequest: a limit was passed, or a text holds what no text can.
            TooManyRequests, QuotaExceeded: as `translate`.
            Overloaded, DeadlineExceeded: see `app.errors`.
        """
        check_texts(TranslationRequest(texts, "auto", "en", field=field, many=many), self._settings)
        if self._asked >= MAX_ASKED:
            raise Overloaded(1)
        self._asked += 1
        try:
            return await self._detected(texts, await self._usage.reserve(client, sum(map(len, texts))))
        finally:
            self._asked -= 1

    async def _detected(self, texts: Sequence[str], reserved: Reserved) -> list[Detection]:
        try:
            async with self._timers.timeout(self._settings.deadline_s):
                found = await self._detector.run(texts)
            self._usage.spent(reserved)
        except TimeoutError:
            raise DeadlineExceeded(self._settings.deadline_s) from None
        finally:
            self._usage.released(reserved)
        return found

    async def _wait_for(self, memory_ready: asyncio.Event, ends: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(ends, self._memory_by) - time.monotonic())):
                await memory_ready.wait()
        if memory_ready.is_set() or time.monotonic() >= self._memory_by:
            self._memory_ready = None

    async def _prepared(self, request: TranslationRequest, ends: float) -> list[Prepared]:
        chars = sum(map(len, request.texts))
        if chars <= SLIGHT_CHARS and request.source != "auto" and request.format == "text":
            return self._preparer.prepare(request)
        worker = self._short if chars <= SHORT_CHARS else self._long
        async with self._timers.timeout(ends - time.monotonic()):
            return await worker.run(request)

    async def _outcomes(self, request: TranslationRequest, prepared: Sequence[Prepared], ends: float) -> list[Outcome]:
        sentences = [sentence for text in prepared for sentence in text.sentences]
        beam = request.beam or self._settings.default_beam
        branches = request.prefix is not None and request.alternatives > 0
        search = _search(max(beam, request.alternatives + 1), request.alternatives + 1, branches)
        asked = time.monotonic()
        outcomes = await self._engine.translate(sentences, search, max(0.0, ends - asked), request.priority)
        for sentence, outcome in zip(sentences, outcomes, strict=True):
            for warning in outcome.translation.warnings:
                self._metrics.warned(sentence.pair, warning)
        if self._traces.are_on and outcomes:
            began, versions = min(outcome.began for outcome in outcomes), {outcome.version for outcome in outcomes}
            self._traces.past("wait", asked, max(asked, began))
            self._traces.past(
                "decode", max(asked, began), time.monotonic(), sentences=len(sentences), beam=search.beam,
                tokens=sum(sentence.tokens for sentence in sentences), versions=sorted(versions),
            )  # fmt: skip
        return outcomes


@lru_cache(maxsize=64)
def _search(beam: int, n_best: int, branches: bool) -> SearchConfig:
    return SearchConfig(beam=beam, n_best=n_best, branches=branches)

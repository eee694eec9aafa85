"""One request, whatever dialect it came in: languages, memory, sentences, the engine, and back to whole texts."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

from app.engine.decoder import Outcome
from app.engine.engine import Engine
from app.engine.queue import Sentence
from app.engine.worker import Worker
from app.errors import DeadlineExceeded
from app.memory.store import Hit, Memory
from app.settings import Settings
from app.translating.limits import TranslationRequest, check
from app.translating.result import Detection, TranslatedSentence, TranslatedText
from model.config import SearchConfig

SHORT_CHARS = 2000
"""Longer requests are prepared by a thread of their own, so that short ones need not wait for them."""
MEMORY_WAIT_S = 3.0
"""How long after the start requests wait for memory to be loaded; from then on they are translated without."""
OTHER = {"it": "en", "en": "it"}


class Segment(Protocol):
    """A sentence, and what stands between it and the next."""

    @property
    def text(self) -> str: ...
    @property
    def separator_after(self) -> str: ...


Splitter = Callable[[str, str], Sequence[Segment]]
"""Text and language to segments."""
Detector = Callable[[str], Detection]


class Part(NamedTuple):
    """A segment, of a text that is not split."""

    text: str
    separator_after: str


@dataclass(frozen=True, slots=True)
class PreparedText:
    """One text, ready to be translated."""

    source: str
    detection: Detection | None
    segments: Sequence[Segment]
    hits: Sequence[Hit | None]
    """For each segment, what memory answers."""
    sentences: Sequence[Sentence]
    """One for each segment that the model shall translate."""


class TranslationService:
    """Translates requests. `start` and `stop` belong to the application's lifespan."""

    def __init__(self, settings: Settings, engine: Engine, split: Splitter, detect: Detector, memory: Memory) -> None:
        self._settings = settings
        self._engine = engine
        self._memory = memory
        self._memory_ready: asyncio.Event | None = None
        self._split = split
        self._detect = detect
        self._short = Worker("prepare-short", self._prepare, self._warm_up)
        self._long = Worker("prepare-long", self._prepare)

    def start(self, memory_ready: asyncio.Event | None = None) -> None:
        """Start the threads that split, detect and count. The first requests wait a little for `memory_ready`."""
        self._memory_ready = memory_ready
        self._memory_by = time.monotonic() + MEMORY_WAIT_S
        self._short.start()
        self._long.start()

    def stop(self) -> None:
        """End the threads."""
        self._short.stop()
        self._long.stop()

    async def translate(self, request: TranslationRequest, timeout_s: float | None = None) -> list[TranslatedText]:
        """One result for each text, in order; within `timeout_s`, by default the deadline of the settings.

        Raises:
            InvalidRequest: a limit was passed, or a text holds what no text can.
            PairUnavailable, NotReady, ShuttingDown, Overloaded, DeadlineExceeded, TranslationFailed: see `app.errors`.
        """
        check(request, self._settings)
        deadline_s = timeout_s or self._settings.deadline_s
        ends = time.monotonic() + deadline_s
        if self._engine.state != "ready":
            await self._engine.wait_ready(deadline_s)
        if self._memory_ready is not None and request.memory:
            await self._wait_for(self._memory_ready, ends)
        try:
            prepared = await self._prepared(request, ends)
            outcomes = iter(await self._outcomes(request, prepared, ends))
        except (TimeoutError, DeadlineExceeded):  # the parts know only what was left of the time
            raise DeadlineExceeded(deadline_s) from None
        return [_assemble(text, request.target, outcomes) for text in prepared]

    async def _wait_for(self, memory_ready: asyncio.Event, ends: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(ends, self._memory_by) - time.monotonic())):
                await memory_ready.wait()
        if memory_ready.is_set() or time.monotonic() >= self._memory_by:
            self._memory_ready = None

    async def _prepared(self, request: TranslationRequest, ends: float) -> list[PreparedText]:
        worker = self._short if sum(map(len, request.texts)) <= SHORT_CHARS else self._long
        async with asyncio.timeout(max(0.0, ends - time.monotonic())):
            return await worker.run(request)

    async def _outcomes(
        self, request: TranslationRequest, prepared: Sequence[PreparedText], ends: float
    ) -> list[Outcome]:
        sentences = [sentence for text in prepared for sentence in text.sentences]
        beam = request.beam or self._settings.default_beam
        search = _search(max(beam, request.alternatives + 1), request.alternatives + 1)
        remaining_s = max(0.0, ends - time.monotonic())
        return await self._engine.translate(sentences, search, remaining_s, request.priority)

    def _warm_up(self) -> None:
        """Let the libraries load now and not at the first request."""
        self._detect("Questo è un testo.")
        for text, language in (("Uno. Due.", "it"), ("One. Two.", "en")):
            self._split(text, language)

    def _prepare(self, request: TranslationRequest) -> list[PreparedText]:
        """In a worker's thread."""
        return [self._prepare_text(text, request) for text in request.texts]

    def _prepare_text(self, text: str, request: TranslationRequest) -> PreparedText:
        detection, source = None, request.source
        if source == "auto":
            detection = self._detect(text)
            source = detection.language if detection.language in OTHER else OTHER[request.target]
        if source == request.target:  # found out by `auto`: the text is in the wanted language already
            segments = self._split(text, source)
            return PreparedText(source, detection, segments, [None] * len(segments), ())
        pair = f"{source}-{request.target}"
        segments, hits = self._recall(text, pair) if request.memory else _no_hits(self._split(text, source))
        texts = [segment.text for segment, hit in zip(segments, hits, strict=True) if segment.text and hit is None]
        counts = self._engine.count_tokens(pair, texts)
        sentences = [Sentence(pair, *item) for item in zip(texts, counts, strict=True)]
        return PreparedText(source, detection, segments, hits, sentences)

    def _recall(self, text: str, pair: str) -> tuple[Sequence[Segment], Sequence[Hit | None]]:
        """The segments of `text` and what memory answers: for the whole of it if it can, else for each of them."""
        body = text.strip()
        whole = self._memory.find(pair, body) if body else None
        if whole is None:
            segments = self._split(text, pair[:2])
            asked = ("", body)
            return segments, [None if part.text in asked else self._memory.find(pair, part.text) for part in segments]
        start = text.index(body)
        parts = [Part("", text[:start]), Part(body, text[start + len(body) :])]
        return (parts, [None, whole]) if start else (parts[1:], [whole])


def _no_hits(segments: Sequence[Segment]) -> tuple[Sequence[Segment], Sequence[Hit | None]]:
    return segments, [None] * len(segments)


@lru_cache(maxsize=64)
def _search(beam: int, n_best: int) -> SearchConfig:
    return SearchConfig(beam=beam, n_best=n_best)


def _assemble(text: PreparedText, target: str, outcomes: Iterator[Outcome]) -> TranslatedText:
    same = text.source == target
    sentences = [
        TranslatedSentence(
            segment.text,
            segment.separator_after,
            next(outcomes) if segment.text and hit is None and not same else None,
            hit,
        )
        for segment, hit in zip(text.segments, text.hits, strict=True)
    ]
    return TranslatedText(text.source, target, text.detection, sentences)

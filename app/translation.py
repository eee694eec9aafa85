"""One request, whatever dialect it came in: limits, languages, sentences, the engine, and back to whole texts."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from app.engine.decoder import Outcome
from app.engine.engine import Engine
from app.engine.protocol import Translation
from app.engine.queue import Priority, Sentence
from app.engine.worker import Worker
from app.errors import DeadlineExceeded, FieldError, InvalidRequest
from app.settings import Settings
from model.config import SearchConfig

FORBIDDEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
"""Control characters that are not white space, and lone surrogates: no text has them, and databases refuse them."""
SHORT_CHARS = 2000
"""Longer requests are prepared by a thread of their own, so that short ones need not wait for them."""
OTHER = {"it": "en", "en": "it"}


class Segment(Protocol):
    """A sentence, and what stands between it and the next."""

    @property
    def text(self) -> str: ...
    @property
    def separator_after(self) -> str: ...


class Detection(Protocol):
    """A guess of the language."""

    @property
    def language(self) -> str | None: ...
    @property
    def confidence(self) -> float: ...


Splitter = Callable[[str, str], Sequence[Segment]]
"""Text and language to segments."""
Detector = Callable[[str], Detection]


@dataclass(frozen=True, slots=True)
class TranslationRequest:
    """What every dialect's body becomes."""

    texts: Sequence[str]
    source: str
    """`it`, `en` or `auto`."""
    target: str
    beam: int | None = None
    alternatives: int = 0
    field: str = "text"
    """What the dialect calls the texts; for error messages."""
    many: bool = True
    """Whether the client sent a list; for error messages."""
    priority: Priority = Priority.INTERACTIVE


@dataclass(frozen=True, slots=True)
class PreparedText:
    """One text, ready to be translated."""

    source: str
    detection: Detection | None
    segments: Sequence[Segment]
    sentences: Sequence[Sentence]
    """One for each segment that has text."""


@dataclass(frozen=True, slots=True)
class TranslatedSentence:
    """One sentence, its translation, and what followed it in the text."""

    source_text: str
    separator_after: str
    outcome: Outcome | None
    """None where there was nothing to translate."""


@dataclass(frozen=True, slots=True)
class TranslatedText:
    """One text of the request, translated."""

    source: str
    target: str
    detection: Detection | None
    sentences: Sequence[TranslatedSentence]

    @property
    def text(self) -> str:
        """The whole translation, with the separators of the source."""
        return self._join(0)

    @property
    def score(self) -> float | None:
        """Mean log-probability per token over the sentences, weighted by their words; None without sentences."""
        return self._mean_score(0)

    @property
    def truncated(self) -> bool:
        """Whether any sentence was cut by the search."""
        return any(part.outcome is not None and part.outcome.translation.truncated for part in self.sentences)

    @property
    def version(self) -> str | None:
        """The model version; a text that met a swap names both."""
        versions = {part.outcome.version for part in self.sentences if part.outcome is not None}
        return "+".join(sorted(versions)) or None

    def alternatives(self, count: int) -> Iterator[tuple[str, float | None]]:
        """Up to `count` other translations: the i-th joins the i-th hypothesis of each sentence that has one."""
        seen = {self.text}
        for rank in range(1, count + 1):
            text = self._join(rank)
            if text not in seen:
                seen.add(text)
                yield text, self._mean_score(rank)

    def _join(self, rank: int) -> str:
        return "".join(
            (part.source_text if part.outcome is None else _ranked(part.outcome, rank).text) + part.separator_after
            for part in self.sentences
        )

    def _mean_score(self, rank: int) -> float | None:
        total = weights = 0.0
        for part in self.sentences:
            if part.outcome is not None:
                translation = _ranked(part.outcome, rank)
                weight = max(1, len(translation.words))
                total += weight * translation.score
                weights += weight
        return total / weights if weights and math.isfinite(total) else None


def _ranked(outcome: Outcome, rank: int) -> Translation:
    """The best translation for rank 0, else that alternative; the best where there are not so many."""
    alternatives = outcome.translation.alternatives
    return alternatives[rank - 1] if 0 < rank <= len(alternatives) else outcome.translation


class TranslationService:
    """Translates requests. `start` and `stop` belong to the application's lifespan."""

    def __init__(self, settings: Settings, engine: Engine, split: Splitter, detect: Detector) -> None:
        self._settings = settings
        self._engine = engine
        self._split = split
        self._detect = detect
        self._short = Worker("prepare-short", self._prepare, self._warm_up)
        self._long = Worker("prepare-long", self._prepare)

    def start(self) -> None:
        """Start the threads that split, detect and count."""
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
        try:
            prepared = await self._prepared(request, ends)
            outcomes = iter(await self._outcomes(request, prepared, ends))
        except (TimeoutError, DeadlineExceeded):  # the parts know only what was left of the time
            raise DeadlineExceeded(deadline_s) from None
        return [_assemble(text, request.target, outcomes) for text in prepared]

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
        segments = self._split(text, source)
        if source == request.target:  # found out by `auto`: the text is in the wanted language already
            return PreparedText(source, detection, segments, ())
        texts = [segment.text for segment in segments if segment.text]
        pair = f"{source}-{request.target}"
        counts = self._engine.count_tokens(pair, texts)
        return PreparedText(
            source, detection, segments, [Sentence(pair, *item) for item in zip(texts, counts, strict=True)]
        )


@lru_cache(maxsize=64)
def _search(beam: int, n_best: int) -> SearchConfig:
    return SearchConfig(beam=beam, n_best=n_best)


def _assemble(text: PreparedText, target: str, outcomes: Iterator[Outcome]) -> TranslatedText:
    same = text.source == target
    sentences = [
        TranslatedSentence(segment.text, segment.separator_after, next(outcomes) if segment.text and not same else None)
        for segment in text.segments
    ]
    return TranslatedText(text.source, target, text.detection, sentences)


def check(request: TranslationRequest, settings: Settings) -> None:
    """Raise `InvalidRequest` with every limit that `request` passes."""
    errors = [*_check_options(request, settings), *_check_texts(request, settings)]
    if errors:
        raise InvalidRequest(errors)


def _check_options(request: TranslationRequest, settings: Settings) -> Iterator[FieldError]:
    if request.source == request.target:
        yield FieldError("target", f"is the same as source ({request.source})")
    if request.beam is not None and request.beam > settings.max_beam:
        yield FieldError("beam", f"is {request.beam}; at most {settings.max_beam} is allowed", settings.max_beam)
    if request.alternatives > settings.max_alternatives:
        limit = settings.max_alternatives
        yield FieldError("alternatives", f"is {request.alternatives}; at most {limit} are allowed", limit)


def _check_texts(request: TranslationRequest, settings: Settings) -> Iterator[FieldError]:
    count = len(request.texts)
    if count == 0:
        yield FieldError(request.field, "is an empty list; at least one text is needed")
    if count > settings.max_texts:
        yield FieldError(
            request.field, f"has {count} texts; at most {settings.max_texts} are allowed", settings.max_texts
        )
        return
    total = 0
    for index, text in enumerate(request.texts):
        total += len(text)
        problem = _check_text(text, settings.max_chars)
        if problem is not None:
            yield FieldError(f"{request.field}[{index}]" if request.many else request.field, *problem)
    if total > settings.max_request_chars and count > 1:
        limit = settings.max_request_chars
        yield FieldError(request.field, f"has {total} characters in all; at most {limit} are allowed", limit)


def _check_text(text: str, max_chars: int) -> tuple[str, int | None] | None:
    if len(text) > max_chars:
        return f"has {len(text)} characters; at most {max_chars} are allowed", max_chars
    found = FORBIDDEN.search(text)
    if found is None:
        return None
    name = "lone surrogate" if "\ud800" <= found.group() <= "\udfff" else "control character"
    return f"holds the {name} U+{ord(found.group()):04X} at character {found.start() + 1}", None

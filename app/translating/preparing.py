"""A request's texts before the engine: their language, what memory answers, which sentences are left for the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app.engine.tickets import Sentence
from app.languages import OTHER
from app.memory.store import Hit, Memory
from app.translating.detection import Detect, Detection
from app.translating.limits import TranslationRequest
from model.text.plan import Plan, plan_text, plan_whole
from model.text.segments import Segment

TokenCounter = Callable[[str, Sequence[str]], list[int]]
"""Pair and sentences to the source tokens of each."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One text, ready to be translated."""

    source: str
    detection: Detection | None
    plan: Plan
    hits: Sequence[Hit | None]
    """For each segment of the plan, what memory answers."""
    sentences: Sequence[Sentence]
    """What is left for the model, in order."""

    def awaiting(self) -> Iterator[tuple[Segment, Hit | None, bool]]:
        """Each segment, what memory answers for it, and whether the next of `sentences` is it."""
        for segment, hit in zip(self.plan.segments, self.hits, strict=True):
            yield segment, hit, bool(self.sentences and segment.text and hit is None)


class Preparer:
    """Plans the texts of requests. Belongs to no thread; none of it is for the event loop."""

    def __init__(self, detect: Detect, memory: Memory, count_tokens: TokenCounter) -> None:
        self._detect, self._memory, self._count_tokens = detect, memory, count_tokens

    def warm_up(self) -> None:
        """Let the libraries load now and not at the first request."""
        self._detect("Questo è un testo.")
        for text, language in (("Uno. Due.", "it"), ("One. Two.", "en")):
            plan_text(text, language)

    def prepare(self, request: TranslationRequest) -> list[Prepared]:
        """The texts of `request`, in order.

        Raises:
            PairUnavailable: there is no model for the direction.
        """
        return [self._prepare(text, request) for text in request.texts]

    def _prepare(self, text: str, request: TranslationRequest) -> Prepared:
        detection, source = None, request.source
        if source == "auto":
            detection = self._detect(text)
            source = detection.language if detection.language in OTHER else OTHER[request.target]
        if source == request.target:  # found out by `auto`: the text is in the wanted language already
            plan = plan_text(text, source, request.split)
            return Prepared(source, detection, plan, [None] * len(plan.segments), ())
        pair = f"{source}-{request.target}"
        plan, hits = self._recalled(text, pair, request)
        texts = [segment.text for segment, hit in zip(plan.segments, hits, strict=True) if segment.text and hit is None]
        counts = self._count_tokens(pair, texts)
        sentences = [Sentence(pair, *item) for item in zip(texts, counts, strict=True)]
        return Prepared(source, detection, plan, hits, sentences)

    def _recalled(self, text: str, pair: str, request: TranslationRequest) -> tuple[Plan, Sequence[Hit | None]]:
        """The plan of `text` and what memory answers: for the whole of it if it can, else for each sentence."""
        if not request.memory:
            plan = plan_text(text, pair[:2], request.split)
            return plan, [None] * len(plan.segments)
        body = text.strip()
        hit = self._memory.find(pair, body) if body else None
        if hit is not None:
            plan = plan_whole(text)
            return plan, [hit if segment.text else None for segment in plan.segments]
        plan, asked = plan_text(text, pair[:2], request.split), ("", body)
        return plan, [None if part.text in asked else self._memory.find(pair, part.text) for part in plan.segments]

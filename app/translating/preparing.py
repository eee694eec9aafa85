"""A request's texts before the engine: their language, what memory answers, which sentences are left for the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from app.engine.tickets import Sentence
from app.errors import FieldError, InvalidRequest
from app.languages import OTHER
from app.memory.store import Hit, Memory
from app.translating.detection import Detect, Detection
from app.translating.limits import TranslationRequest
from model.markup.formats import plan_as
from model.text.plan import Plan, plan_text, plan_whole
from model.text.segments import Segment

TokenCounter = Callable[[str, Sequence[str]], list[int]]
"""Pair and sentences to the source tokens of each."""
TokenLimit = Callable[[str], int]
"""Pair to the source tokens that its network reads at once."""


SHORT_WORDS = 4
"""A sentence of fewer hardly shows its language: then the wanted one is evidence, and what stands around it."""
SURE = 0.91
"""The confidence from which even a short sentence is believed to be in the language that is wanted."""


class Prepared(NamedTuple):
    """One text, ready to be translated."""

    source: str | None
    """None: it is in neither language."""
    detection: Detection | None
    plan: Plan
    hits: Sequence[Hit | None]
    """For each segment of the plan, what memory answers."""
    asks: Sequence[bool]
    """For each, whether the model is asked."""
    sentences: Sequence[Sentence]
    """What the model is asked, in order."""

    def awaiting(self) -> Iterator[tuple[Segment, Hit | None, bool]]:
        """Each segment, what memory answers for it, and whether the next of `sentences` is it."""
        yield from zip(self.plan.segments, self.hits, self.asks, strict=True)


class Preparer:
    """Plans the texts of requests. Belongs to no thread; of all of it, only slight requests are for the event loop."""

    def __init__(self, detect: Detect, memory: Memory, count_tokens: TokenCounter, max_tokens: TokenLimit) -> None:
        self._detect, self._memory, self._count_tokens, self._max_tokens = detect, memory, count_tokens, max_tokens

    def warm_up(self) -> None:
        """Let the libraries load now and not at the first request."""
        self._detect("Questo è un testo.")
        for text, language in (("Uno. Due.", "it"), ("One. Two.", "en")):
            plan_text(text, language)

    def prepare(self, request: TranslationRequest) -> list[Prepared]:
        """The texts of `request`, in order.

        Raises:
            PairUnavailable: there is no model for the direction.
            InvalidRequest: a translation is begun whose text the network cannot read at once.
        """
        return [self._prepare(text, request) for text in request.texts]

    def _prepare(self, text: str, request: TranslationRequest) -> Prepared:
        source = OTHER[request.target] if request.source == "auto" else request.source
        plan, hits = self._recalled(text, source, request)
        detection: Detection | None = None
        found: Sequence[str | None] = [source] * len(hits)
        if request.source == "auto":
            read = text if request.format == "text" else " ".join(map(plan.shown, plan.sentences))
            detection = self._detect(read)
            found = self._languages(plan, hits, source, _shown(detection, read, source))
        asks = [
            bool(segment.text) and hit is None and one == source
            for segment, hit, one in zip(plan.segments, hits, found, strict=True)
        ]
        texts = [segment.text for segment, asked in zip(plan.segments, asks, strict=True) if asked]
        pair = f"{source}-{request.target}"
        counts = self._count_tokens(pair, texts) if texts or detection is None else []
        if request.prefix is not None:
            self._check_one_part(request, pair, counts)
        begun = request.prefix or ""
        sentences = [Sentence(pair, one, count, begun) for one, count in zip(texts, counts, strict=True)]
        return Prepared(_of_all(found, source), detection, plan, hits, asks, sentences)

    def _check_one_part(self, request: TranslationRequest, pair: str, counts: Sequence[int]) -> None:
        """What is translated in parts has no one place where it would go on; nor is there a bound to its cost."""
        for count in counts:
            pieces, most = count - 1, self._max_tokens(pair)  # the end mark is one
            if pieces > most:
                told = f"is too long for a prefix: {pieces} pieces of words; at most {most} are read at once"
                raise InvalidRequest([FieldError(request.field, told, most)])

    def _languages(self, plan: Plan, hits: Sequence[Hit | None], source: str, around: str | None) -> list[str | None]:
        """The language of each segment, None for what is in neither: where it does not show, or there is but one
        sentence, `around`, that of the text; `source`, which may be translated, where nobody asks."""
        alone = len(plan.sentences) < 2

        def language(sentence: str) -> str | None:
            return around if alone else _shown(self._detect(sentence), sentence, around)

        return [
            language(plan.shown(segment.text)) if segment.text and hit is None else source
            for segment, hit in zip(plan.segments, hits, strict=True)
        ]

    def _recalled(self, text: str, source: str, request: TranslationRequest) -> tuple[Plan, Sequence[Hit | None]]:
        """The plan of `text` and what memory answers: for the whole of it if it can, else for each sentence."""
        if not request.memory or request.prefix is not None:
            plan = _plan(text, source, request)
            return plan, [None] * len(plan.segments)
        pair = f"{source}-{request.target}"
        body = text.strip()
        hit = self._memory.find(pair, body) if body and request.format == "text" else None
        if hit is not None:
            plan = plan_whole(text)
            return plan, [hit if segment.text else None for segment in plan.segments]
        plan, asked = _plan(text, source, request), ("", body if request.format == "text" else "")
        return plan, [None if part.text in asked else self._memory.find(pair, part.text) for part in plan.segments]


def _plan(text: str, source: str, request: TranslationRequest) -> Plan:
    if request.prefix is not None:
        return plan_whole(text)
    return plan_as(request.format, text, source, request.split, request.ignored_tags)


def _shown(detection: Detection, text: str, around: str | None) -> str | None:
    """The language of `text` as `detection` has it; `around` where it is short or shows none."""
    if detection.language is None:
        return None if any(map(str.isalpha, text)) else around
    short = len(text.split()) < SHORT_WORDS and detection.confidence < SURE
    return around if short else detection.language


def _of_all(languages: Sequence[str | None], source: str) -> str | None:
    """The language of a text from those of its segments: `source` if any of it is translated."""
    found = [one for one in languages if one is not None]
    return source if source in found or not languages else next(iter(found), None)

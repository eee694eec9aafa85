"""Translates with any version on disk, to compare it with another: beside the engine, whose queue it does not enter.

One thread of its own loads and translates, for translators are not made for several; the last two stay loaded.
Corrections in memory do not answer: what is wanted is the model's own word.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from app.engine.decoder import Outcome
from app.engine.tickets import Sentence
from app.errors import AppError, Busy, Conflict, DeadlineExceeded, NotFound, ShuttingDown, TranslationFailed, told
from app.languages import PAIRS
from app.memory.store import Memory
from app.settings import Settings
from app.translating.detection import Detect
from app.translating.limits import TranslationRequest, check
from app.translating.preparing import Preparer
from app.translating.result import TranslatedText, assemble
from app.versions.catalogue import check_known_name
from app.versions.store import load_version, written_at
from model.config import SearchConfig
from model.errors import ModelError, VersionNotFound

if TYPE_CHECKING:
    from model.translator import Translator

log = logging.getLogger("traghetto.engine")

KEPT = 2
"""Versions that stay loaded: those that are compared."""
MOST_WAITING = 8
"""Texts that wait for the thread or are in it; beyond, clients are told to come again."""
AT_ONCE = 16
"""Sentences that are translated before the deadline is looked at again."""
Load = Callable[[Settings, str, str], "Translator"]
Key = tuple[str, str, int]
"""Pair, version, and when its card was written: another version may take its name."""


class Tryout:
    """Translations by versions that need not be current. `stop` belongs to the event loop."""

    def __init__(self, settings: Settings, detect: Detect, memory: Memory, load: Load | None = None) -> None:
        self._settings, self._detect, self._memory, self._load = settings, detect, memory, load or load_version
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tryout")
        self._stopping = threading.Event()
        self._waiting = 0
        self._loaded: OrderedDict[Key, Translator] = OrderedDict()
        """Of the thread alone. The one used last comes last."""

    def stop(self) -> None:
        """Take nothing more. What is being translated ends after some sentences."""
        self._stopping.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def translate(self, pair: str, version: str, text: str) -> TranslatedText:
        """The translation of `text` by `version`.

        Raises:
            NotFound: there is no such version.
            Conflict: it cannot be used.
            InvalidRequest: the text is too long, or holds what no text can.
            Busy, DeadlineExceeded, ShuttingDown, TranslationFailed: see `app.errors`.
        """
        check_known_name(pair, version)
        if pair not in PAIRS:
            raise NotFound(f"There is no version {version} of {pair}.")
        source, _, target = pair.partition("-")
        request = TranslationRequest([text], source, target, many=False, memory=False)
        check(request, self._settings)
        if self._waiting >= MOST_WAITING:
            raise Busy(MOST_WAITING, "comparisons", 2)
        if self._stopping.is_set():
            raise ShuttingDown
        self._waiting += 1
        deadline_s = self._settings.deadline_s
        ends = time.monotonic() + deadline_s
        done = self._thread.submit(self._translate, version, request, ends)
        done.add_done_callback(self._count_down(asyncio.get_running_loop()))
        try:
            async with asyncio.timeout(deadline_s):
                return await asyncio.wrap_future(done)
        except TimeoutError:
            raise DeadlineExceeded(deadline_s) from None

    def _count_down(self, loop: asyncio.AbstractEventLoop) -> Callable[[object], None]:
        """A text whose client has gone counts until the thread is done with it: else it would pile up there."""

        def down() -> None:
            self._waiting -= 1

        def tell(_: object) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(down)

        return tell

    # From here on: the thread.

    def _translate(self, version: str, request: TranslationRequest, ends: float) -> TranslatedText:
        pair = f"{request.source}-{request.target}"
        self._check_time(ends)
        translator = self._translator(pair, version)
        preparer = Preparer(
            self._detect,
            self._memory,
            lambda _, texts: translator.count_tokens(texts),
            lambda _: translator.max_source_tokens,
        )
        try:
            (prepared,) = preparer.prepare(request)
            return assemble(prepared, request.target, iter(self._outcomes(translator, prepared.sentences, ends)))
        except AppError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model raises that need not be a good one
            kind = type(error).__name__  # its text may quote what somebody wrote
            log.error("%s/%s failed on a text that it was tried with: %s", pair, version, kind)
            raise TranslationFailed("This version failed on a sentence of this text.") from None

    def _outcomes(self, translator: Translator, sentences: Sequence[Sentence], ends: float) -> list[Outcome]:
        search = SearchConfig(beam=self._settings.default_beam)
        found: list[Outcome] = []
        for start in range(0, len(sentences), AT_ONCE):
            self._check_time(ends)
            texts = [sentence.text for sentence in sentences[start : start + AT_ONCE]]
            found += [Outcome(one, translator.version) for one in translator.translate_sentences(texts, search)]
        return found

    def _check_time(self, ends: float) -> None:
        if self._stopping.is_set():
            raise ShuttingDown
        if time.monotonic() >= ends:
            raise DeadlineExceeded(self._settings.deadline_s)

    def _translator(self, pair: str, version: str) -> Translator:
        key = (pair, version, written_at(self._settings, pair, version))
        translator = self._loaded.pop(key, None)
        if translator is None:
            while len(self._loaded) >= KEPT:
                self._loaded.popitem(last=False)
            translator = self._read(pair, version)
        self._loaded[key] = translator
        return translator

    def _read(self, pair: str, version: str) -> Translator:
        try:
            return self._load(self._settings, pair, version)
        except VersionNotFound as error:
            raise NotFound(f"There is no version {version} of {pair}.") from error
        except (ModelError, OSError, RuntimeError) as error:
            log.warning("%s/%s cannot be tried: %s", pair, version, error)
            raise Conflict(f"{pair}: {version} cannot be used: {told(error)}") from error

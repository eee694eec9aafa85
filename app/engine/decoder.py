"""Runs batches on the translators, in the engine's threads. A batch that fails is halved until the culprit is alone.

A version that was replaced stays loaded for the requests that came before the swap, and goes with the last of them.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast

from app.engine.tickets import Batch
from app.errors import NotReady, TranslationFailed
from app.metrics import Metrics
from model.config import SearchConfig
from model.kernels.malloc import give_back_freed_memory
from model.translation import Translation

if TYPE_CHECKING:
    from model.translator import Translator

log = logging.getLogger("traghetto.engine")

WARM_UP_TEXTS = {"it": ("Ciao.", "Sono già stato a Roma due volte."), "en": ("Hello.", "I have been to Rome twice.")}
SMOOTHING = 0.2
"""Weight of the newest batch in the running mean of tokens/s."""


class Outcome(NamedTuple):
    """One sentence's translation and the version that made it."""

    translation: Translation
    version: str
    began: float = 0.0
    """When its batch did, on the monotonic clock."""


class Failed:
    """Takes the place of an `Outcome` where the model failed."""


class WrongCount(Exception):
    """The translator did not give one translation for each sentence."""


def summary(results: list[Outcome | Failed]) -> list[Outcome] | TranslationFailed:
    """The outcomes of one request; or one failure of its own if a sentence failed."""
    if any(isinstance(result, Failed) for result in results):
        return TranslationFailed("The model failed on a sentence of this text. The fault is logged.")
    return cast(list[Outcome], results)


def check_budget(translator: Translator, batch_tokens: int, max_beam: int) -> None:
    """The longest sentence with the widest beam must fit into a batch; else it would fail when it comes.

    Raises:
        NotReady: it does not; names the settings.
    """
    needed = translator.max_source_tokens * max_beam
    if needed > batch_tokens:
        raise NotReady(
            f"batch_tokens is {batch_tokens}, but a sentence of {translator.pair} may have "
            f"{translator.max_source_tokens} tokens, times max_beam {max_beam} = {needed}. "
            "Raise TRAGHETTO_BATCH_TOKENS or lower TRAGHETTO_MAX_BEAM."
        )


class Decoder:
    """The translators, their speed, and what to do when one fails."""

    def __init__(self, batch_tokens: int, max_beam: int, metrics: Metrics) -> None:
        self._batch_tokens = batch_tokens
        self._max_beam = max_beam
        self._metrics = metrics
        self.translators: Mapping[str, Translator] = {}
        """By pair, the one that new requests get. Replaced as a whole, so that other threads may read it."""
        self.versions: Mapping[str, str] = {}
        """Their names, for the queue."""
        self._loaded: Mapping[tuple[str, str], Translator] = {}
        """By pair and version: also those that only older requests still need."""
        self.cost_per_s = 0.0
        """What is charged for source tokens (`Unit.cost`), a second of one batch; running mean, 0 before the first."""
        self.last_success = 0.0

    def adopt(self, translators: Mapping[str, Translator]) -> None:
        """Check the translators, warm them up by a real decode, and use them from now on.

        Raises:
            NotReady: the longest sentence would not fit into a batch.
        """
        started = time.monotonic()
        for translator in translators.values():
            self.prepare(translator)
        for translator in translators.values():
            self.switch(translator)
        self.last_success = time.monotonic()
        names = ", ".join(f"{pair} {version}" for pair, version in self.versions.items())
        log.info("models ready: %s (warm-up %.1f s)", names, time.monotonic() - started)

    def prepare(self, translator: Translator) -> None:
        """Check a translator and warm it up, in whatever thread owns it so far.

        Raises:
            NotReady: the longest sentence would not fit into a batch.
        """
        check_budget(translator, self._batch_tokens, self._max_beam)
        translator.translate_sentences(WARM_UP_TEXTS.get(translator.pair[:2], ("1.",)), SearchConfig())

    def switch(self, translator: Translator) -> None:
        """Give new requests of its pair to `translator`; the one before stays until `release`."""
        pair, version = translator.pair, translator.version
        self._loaded = {**self._loaded, (pair, version): translator}
        self.translators = {**self.translators, pair: translator}
        self.versions = {**self.versions, pair: version}
        self._metrics.serving(self.versions)

    @property
    def is_shared(self) -> bool:
        """Whether several threads may translate at once, whatever is loaded."""
        return all(translator.is_shared for translator in self._loaded.values())

    def release(self, needed: Callable[[str, str], bool]) -> None:
        """Let go of the translators that no new request gets and for which `needed(pair, version)` is false."""
        if len(self._loaded) > len(self.translators):
            loaded = len(self._loaded)
            self._loaded = {
                (pair, version): translator
                for (pair, version), translator in self._loaded.items()
                if self.versions[pair] == version or needed(pair, version)
            }
            if len(self._loaded) < loaded:
                give_back_freed_memory()

    def run(self, batch: Batch) -> list[Outcome | Failed]:
        """One result for each unit of `batch`. Raises nothing that a text can cause.

        The first time that a unit comes, what is found greedily is only looked at for faults.
        """
        started = time.monotonic()
        self._metrics.batch_sentences.observe(len(batch.units))
        results = self._attempt(batch)
        seconds = time.monotonic() - started
        self._metrics.inference_seconds.observe(seconds)
        speed = sum(unit.cost for unit in batch.units) / max(seconds, 1e-6)
        self.cost_per_s += (SMOOTHING if self.cost_per_s else 1.0) * (speed - self.cost_per_s)
        log.debug(
            "%s: %d sentences, %d padded tokens, %.1f ms",
            batch.group.pair, len(batch.units), batch.padded_tokens, seconds * 1000,
        )  # fmt: skip
        return results

    def _attempt(self, batch: Batch) -> list[Outcome | Failed]:
        try:
            return list(self._translate(batch))
        except Exception as error:  # noqa: BLE001 - whatever the model raises, others must get their answers
            if len(batch.units) == 1:
                _log_failure(batch, error)
                self._metrics.failed_sentences.inc()
                return [Failed()]
            log.warning("%s: a batch of %d failed (%s)", batch.group.pair, len(batch.units), type(error).__name__)
        middle = len(batch.units) // 2
        halves = (batch.units[:middle], batch.units[middle:])
        return [result for units in halves for result in self._attempt(replace(batch, units=units))]

    def _translate(self, batch: Batch) -> list[Outcome]:
        pair, version, search, again = batch.group
        translator = self._loaded[pair, version]
        search = search if again else _first(search)
        began = time.monotonic()
        translations = translator.translate_sentences(batch.texts, search, batch.prefixes)
        if len(translations) != len(batch.units):
            raise WrongCount(f"{len(batch.units)} sentences went in, {len(translations)} translations came out")
        self.last_success = time.monotonic()
        tokens = sum(unit.tokens for unit in batch.units)
        self._metrics.translated(pair, translator.version, len(batch.units), tokens, again=again)
        return [Outcome(translation, translator.version, began) for translation in translations]


@lru_cache(maxsize=64)
def _first(search: SearchConfig) -> SearchConfig:
    return replace(search, retry=False)


def _log_failure(batch: Batch, error: Exception) -> None:
    """Where it failed, without the error's own text: that may quote what a user wrote."""
    log.error(
        "%s: the model failed on a sentence of %d tokens: %s\n%s",
        batch.group.pair, batch.units[0].tokens, type(error).__name__,
        "".join(traceback.format_tb(error.__traceback__)),
    )  # fmt: skip

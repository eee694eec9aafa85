"""Texts or sentences -> translations: the only door to the network for the server, the command line and evaluation.

    texts -> sentences (.text.plan) -> parts (.text.parts: copied | clauses) -> batches of similar length -> encode
          -> search -> words, confidence, alignment -> those with a fault again (.repair) -> joined, in order

Everything that changes one sentence's translation happens here, so that what is measured is what users get. The server
plans its texts itself, for it asks memory in between, and brings the sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from model.batches import plan_batches
from model.config import ModelConfig, SearchConfig
from model.errors import ConfigError, SearchError
from model.kernels.malloc import give_back_freed_memory
from model.part_search import PartSearch
from model.reading import Reader
from model.repair import Repairer
from model.routes import Chosen, choose
from model.sentences import FormedSentences, GuardedSentences
from model.text.parts import Cutter, Part
from model.text.plan import Plan, plan_text, plan_whole
from model.text.preparation import clean
from model.translation import Scored, Translation, Word, copied
from model.versions.card import Card
from model.versions.store import Version, load

__all__ = ["Translation", "Translator", "Word"]

GREEDY = SearchConfig()
MAX_SOURCE_TOKENS = 64
"""What the network may read at once, unless the card's settings name another `max_source_tokens`."""
BATCH_TOKENS = 2048
"""Source tokens of one batch, padding included; a beam divides it."""


class Translator:
    """One model version on one device. One thread owns it, unless `is_shared`."""

    def __init__(
        self,
        version: Version,
        device: str = "auto",
        route: str = "auto",
        batch_tokens: int = BATCH_TOKENS,
        threads: int = 0,
        chosen: Chosen | None = None,
    ) -> None:
        """Decode `version`; arguments as in `load`, or else what was `chosen` decodes in its place.

        Raises:
            ConfigError: as in `load`.
        """
        self.card: Card = version.card
        self.pair = version.card.pair
        self.version = version.card.version
        self.config: ModelConfig = version.config
        self.batch_tokens = batch_tokens
        self.max_source_tokens = _max_source_tokens(version.card)
        self.source = version.card.pair.partition("-")[0]
        self._source, self._target = version.source, version.target
        never_small = "i" if version.card.pair.endswith("-en") else ""
        self._cutter = Cutter(version.source, version.target, self.max_source_tokens, never_small)
        self._reader = Reader(version.source, version.target)
        self._chosen = chosen or choose(version, device, route, threads)
        self.device, self.route = self._chosen.device, self._chosen.route
        self._search = PartSearch(self._chosen.searcher, version.target)
        self.is_shared = self._chosen.is_shared
        """Whether several threads may translate at once; each call is then decoded by its own thread."""
        at_once = self._chosen.at_once
        self._pool = ThreadPoolExecutor(at_once, "decode") if at_once > 1 else None

    @classmethod
    def load(
        cls, folder: Path, device: str = "auto", route: str = "auto", threads: int = 0, *, shared: bool = False
    ) -> Translator:
        """Read and check the version in `folder`.

        Args:
            folder: `<root>/<pair>/<version>`
            device: `auto` (a GPU if there is one), `cpu` or `cuda`
            route: number format: `auto` (the fastest on that device), `fp32`, `bf16` or `int8`
            threads: batches decoded at once by `decode.c`, or threads of PyTorch, which decodes one batch after the
                other; 0: one for each core.
            shared: several threads will call it at once, if its decoder lets them: see `is_shared`.

        Raises:
            VersionError: the version is missing or damaged.
            ConfigError: the device or the route is unknown, or not there.
        """
        version = load(folder)
        translator = cls(version, chosen=choose(version, device, route, threads, shared=shared))
        del version
        give_back_freed_memory()
        return translator

    @classmethod
    def load_together(
        cls, folders: Sequence[Path], device: str = "auto", route: str = "auto", batch_tokens: int = BATCH_TOKENS
    ) -> Translator:
        """Several versions of one pair that decode as one, see `model.ensemble`; the card is the first one's.

        Raises:
            VersionError: one is missing or damaged.
            ConfigError: as in `load`, or their vocabularies differ.
        """
        versions = [load(folder) for folder in folders]
        if len(versions) == 1:
            return cls(versions[0], device, route, batch_tokens)
        from model.ensemble import choose_together

        return cls(versions[0], batch_tokens=batch_tokens, chosen=choose_together(versions, device, route))

    @property
    def kernels(self) -> str:
        """What decodes, for people: the number format, the program, and how many batches at once."""
        decoding = f"{self.route}, {self._chosen.program}"
        return decoding if self.is_shared else f"{decoding}, {self._chosen.at_once} at once"

    def count_tokens(self, sentences: Sequence[str]) -> list[int]:
        """Source tokens of each sentence as the network reads it, the end mark included."""
        return [len(ids) + 1 for ids in self._source.encode_batch([clean(sentence) for sentence in sentences])]

    def translate(
        self, texts: Sequence[str], search: SearchConfig = GREEDY, prefixes: Sequence[str] | None = None
    ) -> list[Translation]:
        """Translate each of `texts`, of one or many sentences, in their order, with all that stands between them.

        Args:
            texts: any strings.
            search, prefixes: as for `translate_sentences`. A text whose translation is begun is one sentence, unless
                the network cannot read so much at once.

        Raises:
            SearchError: as `translate_sentences`.
        """
        begun = _prefixes(prefixes, texts)
        plans = [self._plan(text, prefix) for text, prefix in zip(texts, begun, strict=True)]
        return self.translate_plans(plans, search, begun)

    def translate_plans(
        self, plans: Sequence[Plan], search: SearchConfig = GREEDY, prefixes: Sequence[str] | None = None
    ) -> list[Translation]:
        """The same of texts that have been taken apart: see `model.text.plan` and, for HTML and others, `model.markup`.

        Raises:
            SearchError: as `translate_sentences`.
        """
        begun = _prefixes(prefixes, plans)
        sentences = [sentence for plan in plans for sentence in plan.sentences]
        firsts = [prefix if row == 0 else "" for prefix, plan in zip(begun, plans, strict=True)
                  for row in range(len(plan.sentences))]  # fmt: skip
        found = iter(self.translate_sentences(sentences, search, firsts))
        return [plan.put_together([next(found) for _ in plan.sentences]) for plan in plans]

    def _plan(self, text: str, prefix: str) -> Plan:
        fits = bool(prefix) and self.count_tokens([text])[0] <= self.max_source_tokens + 1  # the end mark is one
        return plan_whole(text) if fits else plan_text(text, self.source)

    def translate_sentences(
        self, sentences: Sequence[str], search: SearchConfig = GREEDY, prefixes: Sequence[str] | None = None
    ) -> list[Translation]:
        """Translate each of `sentences`, in their order.

        One with nothing to translate in it is copied; an empty one stays empty. What must not be translated stays as it
        is (`model.text.kept`). The clauses of a long one are translated apart. One all in capitals is translated as if
        it were not, and comes back in capitals. A translation with a fault that can be seen is tried again with
        a beam; where `search` says not to, it is marked as `faulty`.

        Args:
            sentences: any strings; one that is wrapped over several lines is translated as one, and wrapped again.
            search: beam, number of alternatives, guards, retries.
            prefixes: what each translation must begin with, "" for nothing; one for each sentence.

        Raises:
            SearchError: there are not as many prefixes as sentences, or the network gives something else than numbers.
        """
        guarded = GuardedSentences.of(sentences, _prefixes(prefixes, sentences), self.source)
        return guarded.restored(self._translate(guarded.texts, search, guarded.prefixes))

    def _translate(self, sentences: Sequence[str], search: SearchConfig, begun: Sequence[str]) -> list[Translation]:
        """`translate_sentences` of what holds nothing but words and placeholders."""
        formed = FormedSentences.of(sentences, begun, self.source, self._cutter.is_word)
        parts = self._cutter.parts(formed.texts, formed.prefixes, whole=search.branches)
        found = iter(self._translate_parts([part for of_one in parts for part in of_one], search))
        return formed.chosen(self._cutter.assemble(of_one, [next(found) for _ in of_one]) for of_one in parts)

    def _translate_parts(self, parts: Sequence[Part], search: SearchConfig) -> list[list[Scored]]:
        """What was found for each part, best first, without faults that can be mended."""
        if search.branches:  # whoever looks at several sees the faults
            return self._decode(parts, search)
        repairer = Repairer(self.source, self._decode, self._encoded, self._cutter.knows)  # kept, it would keep `self`
        return repairer.repaired(parts, self._decode(parts, search), search)

    def _encoded(self, text: str) -> list[int] | None:
        """The source ids of `text`, if the network can read so many at once."""
        ids = self._source.encode(text)
        return ids if len(ids) <= self.max_source_tokens else None

    def _decode(self, parts: Sequence[Part], search: SearchConfig) -> list[list[Scored]]:
        """What was found for each part, best first."""
        found = [[Scored(copied(part.text))] if part.ids is None else [] for part in parts]
        lengths = [None if part.ids is None else len(part.ids) for part in parts]

        def decode(rows: Sequence[int]) -> list[list[Scored]]:
            batch = [parts[row] for row in rows]
            return [
                self._reader.read(part, hypotheses)
                for part, hypotheses in zip(batch, self._search(batch, search), strict=True)
            ]

        threads = self._chosen.at_once
        batches = plan_batches(lengths, max(1, self.batch_tokens // search.beam), threads)
        run = self._pool.map if self._pool is not None and len(batches) > 1 else map
        for rows, read in zip(batches, run(decode, batches), strict=True):
            for row, scored in zip(rows, read, strict=True):
                found[row] = scored
        return found


def _prefixes(given: Sequence[str] | None, texts: Sequence[object]) -> Sequence[str]:
    if given is None:
        return [""] * len(texts)
    if len(given) != len(texts):
        raise SearchError(f"{len(texts)} texts came with {len(given)} prefixes")
    return given


def _max_source_tokens(card: Card) -> int:
    value = card.settings.get("max_source_tokens", MAX_SOURCE_TOKENS)
    if not isinstance(value, int) or value < 1:
        raise ConfigError(
            f"max_source_tokens in the card of {card.pair}/{card.version} must be at least 1, not {value!r}"
        )
    return value

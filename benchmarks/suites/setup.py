"""What the suites share: how long to measure, the model, the lines, the peers."""

from __future__ import annotations

import functools
import gc
import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sentences import mean_words, prose, sentences
from benchmarks.suites.contest import Contest
from benchmarks.suites.peers import Peers, Sources, as_sources
from benchmarks.suites.processes import Programs
from model.translator import Translator
from model.versions.store import load

EVERYDAY, PROSE = "everyday lines", "lines of 25 words"
SEED = 1
COUNT = 4096
SAMPLE = 512
"""Lines whose translations say how long ours are."""


@dataclass(frozen=True)
class Lines:
    """Lines of one kind, as ours and as a peer reads them."""

    texts: Sequence[str]
    sources: Sources
    output_length: int
    """Mean tokens of our greedy translations, end marks included."""
    facts: dict[str, float]
    """What the lines are like: unit -> value."""


class Setup:
    """One run; what is slow to make is made when first asked for."""

    def __init__(self, version: Path, scratch: Path, *, seconds: float, quick: bool = False) -> None:
        """
        Args:
            version: folder of the model version that is measured, from Italian to English.
            scratch: an empty folder.
            seconds: how long one measurement takes, where that can be chosen.
            quick: only the cases that say most.
        """
        self.version, self.scratch, self.seconds, self.quick = version, scratch, seconds, quick
        self.peers, self.programs = Peers(scratch, SEED), Programs(scratch / "data")
        self.lines = functools.cache(self._lines)

    @functools.cached_property
    def translator(self) -> Translator:
        """The model in this process, on the CPU, as the server has it."""
        translator = Translator.load(self.version, "cpu")
        gc.collect()
        gc.freeze()  # as the server does: the libraries' objects need not be looked through again and again
        return translator

    def _lines(self, kind: str) -> Lines:
        texts = (sentences if kind == EVERYDAY else prose)(COUNT, SEED)
        version, found = load(self.version), self.translator.translate(texts[:SAMPLE])
        ids = version.source.encode_batch(texts)
        made = version.target.encode_batch([translation.text for translation in found])
        tokens_out = statistics.mean(len(row) + 1 for row in made)
        facts = {
            "words": mean_words(texts),
            "tokens in": statistics.mean(len(row) + 1 for row in ids),
            "tokens out": tokens_out,
            "% tried again": 100 * statistics.mean(translation.retried for translation in found),
        }
        return Lines(texts, as_sources(ids), round(tokens_out), facts)


Suite = Callable[[Setup], AbstractContextManager[Sequence[Contest]]]

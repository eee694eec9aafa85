"""What the engine needs of a translator; `model.translator` has the real one, the tests a fake one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from model.config import SearchConfig


class Word(Protocol):
    """One word of a translation."""

    @property
    def text(self) -> str: ...
    @property
    def confidence(self) -> float:
        """0 to 1."""

    @property
    def source_words(self) -> tuple[int, ...]:
        """Indexes of the aligned source words."""


class Translation(Protocol):
    """One translated sentence."""

    @property
    def text(self) -> str: ...
    @property
    def score(self) -> float:
        """Mean log-probability per token."""

    @property
    def words(self) -> Sequence[Word]: ...
    @property
    def alternatives(self) -> Sequence[Translation]:
        """Further hypotheses, best first; not the text itself."""

    @property
    def truncated(self) -> bool:
        """Whether the search stopped at its maximum length."""

    @property
    def alignment(self) -> Sequence[tuple[int, int]]:
        """(source word index, target word index)."""


class Translator(Protocol):
    """One loaded model. Not thread-safe, except `count_tokens`, which only reads the tokenizer."""

    @property
    def pair(self) -> str:
        """Such as `it-en`."""

    @property
    def version(self) -> str: ...
    @property
    def max_source_tokens(self) -> int:
        """Longest sentence that is decoded in one piece."""

    def translate(self, texts: Sequence[str], search: SearchConfig = ...) -> Sequence[Translation]:
        """One translation for each text, in order."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Source tokens of each text. Called from another thread than `translate`."""

"""What a translator gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Word:
    """One word of a translation, between two spaces."""

    text: str
    confidence: float
    """0..1: exp of the mean log-probability of its pieces, as the model sees it."""
    source_words: tuple[int, ...]
    """Which words of the source, counted from 0 between spaces, it is aligned to; empty without attention."""


@dataclass(frozen=True)
class Translation:
    """The translation of one text."""

    text: str
    score: float
    """Mean natural-log probability of its tokens, 0 at best; 0 for what was copied or empty."""
    words: tuple[Word, ...] = ()
    alternatives: tuple[Translation, ...] = ()
    """Other translations of the same text, best first, each with a text of its own; theirs is empty."""
    truncated: bool = False
    """The length limit cut the translation off before its end."""
    split: bool = False
    """The text has several sentences or is long: it was translated in parts."""
    copied: bool = False
    """All of the text was taken over as it is: there was nothing to translate in it."""
    faulty: bool = False
    """It, or a part of it, shows a fault for which a wider search has not been asked yet: see `model.text.retry`."""
    retried: bool = False
    """The first translation, or that of a part, had a fault, and a wider search was asked: see `model.text.retry`."""
    warnings: tuple[str, ...] = ()
    """What is known to be wrong with it, each once: `span`, see `model.text.kept`, or `number`, see `model.repair`."""
    tokens: int = 0
    """How many tokens `score` is the mean of; 0 for what was copied or empty."""

    @property
    def alignment(self) -> tuple[tuple[int, int], ...]:
        """`(source word, target word)` pairs, in the order of the target."""
        return tuple((source, target) for target, word in enumerate(self.words) for source in word.source_words)


EMPTY = Translation("", 0.0)


@dataclass(frozen=True)
class Scored:
    """A translation of a part, and how much of the source it read."""

    translation: Translation
    coverage: tuple[float, ...] = ()
    """The attention that each source word got from all target tokens together; empty where it is not known."""


def copied(text: str) -> Translation:
    """`text` taken over word by word."""
    words = tuple(Word(word, 1.0, (index,)) for index, word in enumerate(text.split()))
    return Translation(text, 0.0, words, copied=True)


def with_text(translation: Translation, text: str) -> Translation:
    """`translation` with `text`, and its words with theirs if it has as many; alternatives stay."""
    if text == translation.text:
        return translation
    words, pieces = translation.words, text.split()
    if len(words) == len(pieces):
        words = tuple(replace(word, text=piece) for word, piece in zip(words, pieces, strict=True))
    return replace(translation, text=text, words=words)


def with_each(translation: Translation, change: Callable[[str], str]) -> Translation:
    """`translation` with what `change` makes of its text and of each of its words; alternatives too."""
    words = tuple(replace(word, text=change(word.text)) for word in translation.words)
    others = tuple(with_each(other, change) for other in translation.alternatives)
    return replace(translation, text=change(translation.text), words=words, alternatives=others)


def join(translations: Sequence[Translation], source_words: Sequence[int]) -> Translation:
    """Translations of the parts of one text as one; `source_words` is how many words each part has."""
    tokens = sum(translation.tokens for translation in translations)
    total = sum(translation.score * translation.tokens for translation in translations)
    words, offset = [], 0
    for translation, count in zip(translations, source_words, strict=True):
        words += [
            replace(word, source_words=tuple(offset + index for index in word.source_words))
            for word in translation.words
        ]
        offset += count
    return Translation(
        text=" ".join(translation.text for translation in translations if translation.text),
        score=total / tokens if tokens else 0.0,
        tokens=tokens,
        words=tuple(words),
        truncated=any(translation.truncated for translation in translations),
        split=True,
        copied=all(translation.copied for translation in translations),
        faulty=any(translation.faulty for translation in translations),
        retried=any(translation.retried for translation in translations),
        warnings=tuple(dict.fromkeys(warning for translation in translations for warning in translation.warnings)),
    )


def join_ranked(parts: Sequence[Sequence[Translation]], source_words: Sequence[int]) -> Translation:
    """As `join`, of parts with several translations each, best first: alternatives join those of equal rank."""
    return with_alternatives([join(chosen, source_words) for chosen in by_rank(parts)])


def by_rank(parts: Sequence[Sequence[Translation]]) -> Iterator[list[Translation]]:
    """The best translations of all parts, then those of the next rank; the last one of a part that has no more."""
    for rank in range(max(map(len, parts))):
        yield [of_part[min(rank, len(of_part) - 1)] for of_part in parts]


def with_alternatives(ranked: Sequence[Translation]) -> Translation:
    """The first of `ranked`, with those of the others that read differently."""
    distinct = {translation.text: translation for translation in reversed(ranked)}
    distinct.pop(ranked[0].text)
    return replace(ranked[0], alternatives=tuple(reversed(distinct.values()))) if distinct else ranked[0]

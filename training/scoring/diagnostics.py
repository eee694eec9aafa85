"""Slips that BLEU hardly sees and people do at once: loops, lost or invented text, what was left untranslated, numbers.

Pure functions of a source, its translation and a reference. Words are compared without case and punctuation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from model.text.numerals import has_digits, in_digits, in_words, unmatched
from training.data.pairs import normalise_key

LENGTH_RATIO = 2.0
LENGTH_DIFFERENCE = 4
"""A length outlier has more than `LENGTH_RATIO` times the words of the reference, or the reference so many more than
it, and they differ by at least `LENGTH_DIFFERENCE` words: `OK.` for `All right then.` is none."""


COPIED_LETTERS = 4
"""A shorter word that stands on both sides (`no`, `a`) is often one of both languages."""
WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Diagnostics:
    """How many lines have a slip, of 1,000; of words, how many there are in 1,000 lines."""

    repeated_trigrams: float
    length_outliers: float
    untranslated: float
    number_mismatches: float | None
    """Of 1,000 lines whose source has digits; None where there is no such line."""
    lines_with_digits: int
    copied_words: float
    invented_words: float | None = None
    """None where it is not known which words there are."""


def diagnose(
    sources: Sequence[str],
    hypotheses: Sequence[str],
    references: Sequence[str],
    pair: str,
    known: Container[str] | None = None,
) -> Diagnostics:
    """Count the slips in `hypotheses`, translations of `sources`; `pair` is `it-en` or `en-it`.

    `known` are the words that are none of the model's own making: see `words_of`.
    """
    lines = list(zip(sources, hypotheses, references, strict=True))
    digits = [line for line in lines if has_digits(line[0])]
    return Diagnostics(
        _per_thousand([repeats_trigram(*line) for line in lines]),
        _per_thousand([is_length_outlier(hypothesis, reference) for _, hypothesis, reference in lines]),
        _per_thousand([is_untranslated(*line) for line in lines]),
        _per_thousand([numbers_differ(*line, pair) for line in digits]) if digits else None,
        len(digits),
        _per_thousand([len(copied_words(*line)) for line in lines]),
        None if known is None else _per_thousand([len(invented_words(*line, known)) for line in lines]),
    )


def _per_thousand(slips: Sequence[int]) -> float:
    return 1000 * sum(slips) / len(slips)


def repeats_trigram(source: str, hypothesis: str, reference: str) -> bool:
    """Whether three words in a row occur more often in the translation than any do in the source or the reference."""
    return _most_repeats(hypothesis) > max(1, _most_repeats(source), _most_repeats(reference))


def _most_repeats(text: str) -> int:
    words = normalise_key(text).split()
    return max(Counter(zip(words, words[1:], words[2:], strict=False)).values(), default=0)


def is_length_outlier(hypothesis: str, reference: str) -> bool:
    """Whether the translation is far longer or shorter than the reference, in words."""
    shorter, longer = sorted((len(hypothesis.split()), len(reference.split())))
    return longer > LENGTH_RATIO * shorter and longer - shorter >= LENGTH_DIFFERENCE


def is_untranslated(source: str, hypothesis: str, reference: str) -> bool:
    """Whether two or more words came back as they were, and the reference says that they should not."""
    same = normalise_key(source)
    return " " in same and normalise_key(hypothesis) == same != normalise_key(reference)


def words_of(texts: Iterable[str]) -> set[str]:
    """Every word of `texts`, in small letters."""
    return {word for text in texts for word in WORD.findall(text.casefold())}


def copied_words(source: str, hypothesis: str, reference: str) -> list[str]:
    """Words that came back as they were, and that the reference translates; names in the source are none."""
    names = {word.casefold() for word in WORD.findall(source) if word[0].isupper()}
    same = words_of([source]) - names - words_of([reference])
    return [word for word in WORD.findall(hypothesis.casefold()) if len(word) >= COPIED_LETTERS and word in same]


def invented_words(source: str, hypothesis: str, reference: str, known: Container[str]) -> list[str]:
    """Words that neither the source, the reference nor anybody in `known` has: `Cioto`."""
    there = words_of([source, reference])
    return [word for word in WORD.findall(hypothesis.casefold()) if word not in there and word not in known]


def numbers_differ(source: str, hypothesis: str, reference: str, pair: str) -> bool:
    """Whether the translation lost or invented a number that is written in digits.

    Each number that has digits in the source must be in the translation, in digits or in words, as often; and each that
    has digits in the translation must be in the source likewise. What the reference lacks or adds, the translation may
    lack or add too.
    """
    from_language, to_language = pair.split("-")
    given, ours, theirs = in_digits(source), in_digits(hypothesis), in_digits(reference)
    all_given = given + in_words(source, from_language)
    all_ours, all_theirs = ours + in_words(hypothesis, to_language), theirs + in_words(reference, to_language)
    lost, lost_by_reference = unmatched(given, all_ours), unmatched(given, all_theirs)
    invented, added_by_reference = unmatched(ours, all_given), unmatched(all_theirs, all_given)
    return bool(unmatched(lost, lost_by_reference) or unmatched(invented, added_by_reference))

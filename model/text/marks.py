"""Marks and the case of the first letter: a translation has those of its source.

«Vieni qui», disse   ->  "Come here," he said   ->  «Come here,» he said
e allora?            ->  And then?              ->  and then?
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from model.translation import Translation, with_text

FINAL = re.compile(r"[.!?…]{1,20}$|[,;:]$")
QUOTES = re.compile('[«»“”„‟"]')
MAY_MARK = re.compile('[«»“”„‟"–—―-]')
ENDING_QUOTE = re.compile(r"(?<!\d)[«»“”„‟\"]([.!?…,;:]{0,3})$")
SPACED_DASHES = re.compile(r"(?<!\S)[-–—―](?!\S)")
DASHES = re.compile(r"(?<=\w)[—–](?=[^\W\d])")
OPENING = "«»“”„‟\"'‘’(¿¡[—–- "
"""What may stand before the first letter."""
IsWord = Callable[[str], bool]
"""Whether the vocabulary has a word as a whole."""


def with_marks_of(source: str, translation: Translation, is_word: IsWord) -> Translation:
    """`translation` with the first letter's case, the kind of quotes and dashes, and the final mark of `source`.

    `is_word` tells whether the target language writes a word so, in small letters: *monday* it does not.
    """
    others = tuple(with_marks_of(source, other, is_word) for other in translation.alternatives)
    ended = _with_end_of(source, translation)
    ended = replace(ended, alternatives=others) if others else ended
    text = ended.text if MAY_MARK.search(source) is None else _marked(source, ended.text)
    return with_text(ended, _with_first_letter_of(source, text, is_word))


def _marked(source: str, text: str) -> str:
    """`text` with the kind of quotes and dashes of `source`."""
    text = _with_outer_quotes(source, text)
    for kind in (QUOTES, SPACED_DASHES, DASHES):
        wanted = kind.findall(source)
        if wanted and len(kind.findall(text)) == len(wanted):
            marks = iter(wanted)
            text = kind.sub(lambda _, marks=marks: next(marks), text)  # type: ignore[misc]
    return text


def _with_first_letter_of(source: str, text: str, is_word: IsWord) -> str:
    before, place = source.lstrip(OPENING), len(text) - len(text.lstrip(OPENING))
    first, wanted = text[place : place + 1], before[:1]
    if not (first.isalpha() and wanted.isalpha()) or first.isupper() == wanted.isupper():
        return text
    word = text[place:].split()[0]
    if wanted.isupper():
        changed = first.upper() if word[1:].islower() or not word[1:] else first
    else:
        small = word.rstrip('.,;:!?…»”"')
        small = small[:1].lower() + small[1:]
        changed = first.lower() if small.islower() and word not in source.split() and is_word(small) else first
    return text[:place] + changed + text[place + 1 :]


def _with_outer_quotes(source: str, text: str) -> str:
    """`text` with the quote at the beginning or at the end of `source`, if it is the only one that it lacks."""
    missing = len(QUOTES.findall(source)) - len(QUOTES.findall(text))
    if missing not in (1, 2):
        return text
    first, last = QUOTES.match(source), ENDING_QUOTE.search(source)
    if missing == 2:
        whole = first is not None and last is not None and QUOTES.search(text) is None
        return _with_outer_quotes(source, first[0] + text) if whole and first else text
    mark = FINAL.search(text)
    if last is not None and ENDING_QUOTE.search(text) is None:
        end = mark.start() if mark and last[1] else len(text)
        return text[:end] + last[0][0] + text[end:]
    return first[0] + text if first is not None and QUOTES.match(text) is None else text


def _with_end_of(source: str, translation: Translation) -> Translation:
    """`translation` with the final mark of `source`, which may be none."""
    end = FINAL.search(source.rstrip())
    wanted, text = end.group() if end else "", translation.text
    found = FINAL.search(text)
    given = found.group() if found else ""
    rest = text[: len(text) - len(given)]
    own = not rest or rest[-1].isspace()  # the mark is a word of its own, or all there is
    if given == wanted or own or (not wanted and not _is_added(source, text, given)):
        return translation
    if given == "." and "." in text.split()[-1][:-1]:
        given = ""  # it is that of an abbreviation, such as *a.m.*
    words = translation.words
    if words and words[-1].text.endswith(given):
        last = replace(words[-1], text=words[-1].text.removesuffix(given) + wanted)
        words = (*words[:-1], last)
    return replace(translation, text=text.removesuffix(given) + wanted, words=words)


def _is_added(source: str, text: str, given: str) -> bool:
    """Whether a final mark that the source has not is one, and not that of an abbreviation."""
    return source.rstrip()[-1:].isalnum() and (given != "." or "." not in text.split()[-1][:-1])

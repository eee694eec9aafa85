"""What is looked at before a correction is stored. Pure: no database, no clock.

Hard checks refuse it with an error for each field. Soft checks mark it for the reviewer: a mark is a stable code, with
a detail after a colon, such as `numbers: 3 is missing`.
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from app.corrections.values import Draft
from app.errors import FieldError
from app.languages import OTHER
from app.translating.detection import Detect, Detection
from app.translating.limits import text_problem
from model.text.faults import is_looping, lost_numbers
from model.text.kept.spans import changed_spans, miscounted_spans, missing_spans, without_spans
from model.text.numerals import written

MARK_CODES = (
    "contradicts", "copy", "duplicate", "kept", "language", "length", "looping", "numbers", "placeholders",
    "repetition",
)  # fmt: skip
"""Every mark begins with one of these."""
LANGUAGE_NAMES = {"it": "Italian", "en": "English"}
LANGUAGE_WORDS, LANGUAGE_SURE = 4, 0.9
"""From so many words and such a confidence on, a side is in the other language..."""
ITALIAN_WORDS = (
    "il gli di della dello dei degli delle nel nella nei alla dal dalla sul sulla che è e ed per non sono ho hai questo"
    " questa più anche l un dell all nell dall sull c"
)
ENGLISH_WORDS = (
    "the of and to is are was were that this these with you it not from have has had will by can they we my your be"
    " been at he she for its"
)
OWN_WORDS = {"it": frozenset(ITALIAN_WORDS.split()), "en": frozenset(ENGLISH_WORDS.split())}
"""... unless one of these is in it, which neighbouring languages have not: technical Italian such as `Confronta i file
e le directory` is taken for English..."""
MORE_ITALIAN_WORDS = (
    "lo la le una uno del col al ai dai sui con tra fra da su mi ti si ci vi se ma chi dove quando perché già"
    " mai sempre molto poco tutto tutti tutta ogni senza dopo prima fa ha hanno era erano sta stato stata suo sua mio"
    " mia tuo tua loro noi voi lui lei"
)
MORE_ENGLISH_WORDS = (
    "an on as or but if does did who what when where why how there here him them us who than then"
    " would could should shall may might must am being into about over after before between out up down all any some"
    " such only just very more most please his their our"
)
TELLING_WORDS = {
    "it": OWN_WORDS["it"].union(MORE_ITALIAN_WORDS.split()), "en": OWN_WORDS["en"].union(MORE_ENGLISH_WORDS.split()),
}  # fmt: skip
LONG_WORDS = 8
"""... and only if more of these words are of the other language; from so many words on, if none is of either. Else
`Lo staff del marketing fa brainstorming` would be English with a confidence of 0.97. Of the 5,710 right pairs of our
own sets none is refused, of the same with the sides exchanged 97 %, of those with the Italian side twice 90 %; all
others but a few dozens are marked."""
STRANGER_WORDS = 10
"""From so many words on, a side is in a third language. The detector says so of 30 in 5,000 right everyday sentences
with 4 to 9 words, which are marked instead."""
STRANGER_LETTERS = 12
"""So many letters without a Latin one are in a third language, too: not all scripts have words."""
COPY_WORDS = 4
"""Fewer words may be a name, the same in both languages."""
RATIO_REFUSED, RATIO_REFUSED_CHARS = 4.0, 40
RATIO_MARKED, RATIO_MARKED_CHARS = 2.5, 20
"""Longer side by shorter side, where the longer one has at least so many characters."""
WORD_PART = re.compile(r"\W+")
RUN = re.compile(r"(\S)\1{6,}")
SHOWN = 5
"""Most spans, numbers and other corrections that a message lists."""
COMPARED_NUMBERS = 20
"""Most numbers that are looked up one by one, to name the lost ones."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the settings allow."""

    max_chars: int
    """Of each of the texts."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checks found."""

    errors: list[FieldError]
    """Not empty: the correction is refused."""
    marks: list[str]


class Rival(NamedTuple):
    """Another correction of the same sentence."""

    id: uuid.UUID
    is_approved: bool
    """Otherwise it is pending."""
    text_key: str
    """`app.storage.tables.text_key` of what it says."""


def check(draft: Draft, detect: Detect, limits: Limits) -> Verdict:
    """Look at everything that can be seen without the other corrections."""
    errors = list(_check_shape(draft, limits))
    if errors:  # the texts cannot be judged further
        return Verdict(errors, [])
    marks: list[str] = []
    errors += [*_check_copies(draft, marks), *_check_spans(draft, marks), *_check_length(draft, marks)]
    errors += _check_languages(draft, detect, marks)
    marks += [*_number_marks(draft), *_repetition_marks(draft)]
    return Verdict(errors, [] if errors else marks)


def compare(key: str, rivals: Iterable[Rival]) -> list[str]:
    """Marks of a correction whose text has this key, each with the id of a rival; at most `SHOWN`."""
    marks = []
    for rival in rivals:
        if rival.text_key == key:
            marks.append(f"duplicate: {rival.id}")
        elif rival.is_approved:
            marks.append(f"contradicts: {rival.id}")
    return marks[:SHOWN]


def same_text(one: str, other: str) -> bool:
    """Whether two texts differ at most in white space."""
    return one.split() == other.split()


def _check_shape(draft: Draft, limits: Limits) -> Iterator[FieldError]:
    """What makes a text unfit to be looked at, and languages that are none."""
    if draft.source == draft.target:
        yield FieldError("target", f"is the same as source ({draft.source})")
    for field in ("source_text", "machine_translation", "corrected_translation"):
        problem = text_problem(getattr(draft, field), limits.max_chars)
        if problem is not None:
            yield FieldError(field, *problem)
    version = draft.model_version and text_problem(draft.model_version, limits.max_chars)
    if version:
        yield FieldError("model_version", *version)
    source, corrected = draft.source_text.strip(), draft.corrected_translation.strip()
    if not source:
        yield FieldError("source_text", "is empty")
    if not corrected:
        yield FieldError("corrected_translation", "is empty")
    if source and corrected and _has_letter(source) != _has_letter(corrected):
        bare, other = (
            ("corrected_translation", "source_text")
            if _has_letter(source)
            else ("source_text", "corrected_translation")
        )
        yield FieldError(bare, f"has no letter, while {other} has some")


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))


def _check_copies(draft: Draft, marks: list[str]) -> Iterator[FieldError]:
    corrected = draft.corrected_translation
    if same_text(corrected, draft.machine_translation):
        yield FieldError("corrected_translation", "is the machine translation: nothing is corrected")
    if _has_letter(corrected) and same_text(corrected.casefold(), draft.source_text.casefold()):
        if len(corrected.split()) >= COPY_WORDS:
            yield FieldError("corrected_translation", "is the source text: nothing is translated")
        else:
            marks.append("copy: the same as the source")


def _check_spans(draft: Draft, marks: list[str]) -> Iterator[FieldError]:
    missing = list(missing_spans(draft.source_text, draft.corrected_translation))
    if missing:
        yield FieldError("corrected_translation", f"lacks {_listed(missing)} of the source text")
        return
    if miscounted := list(miscounted_spans(draft.source_text, draft.corrected_translation)):
        marks.append(f"placeholders: {_listed(miscounted)} not as often as in the source")
    if changed := changed_spans(draft.source_text, draft.corrected_translation):
        marks.append(f"kept: {_listed(changed)} not as often as in the source")


def _listed(items: list[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(item[:100] for item in items[:SHOWN]) + more


def _check_length(draft: Draft, marks: list[str]) -> Iterator[FieldError]:
    source, corrected = len(draft.source_text.strip()), len(draft.corrected_translation.strip())
    longer, ratio = max(source, corrected), max(source, corrected) / min(source, corrected)
    if longer >= RATIO_REFUSED_CHARS and ratio > RATIO_REFUSED:
        than = "longer" if corrected > source else "shorter"
        message = f"is {ratio:.1f} times {than} than the source text; at most {RATIO_REFUSED:g} times is believed"
        yield FieldError("corrected_translation", message, RATIO_REFUSED)
    elif longer >= RATIO_MARKED_CHARS and ratio > RATIO_MARKED:
        marks.append(f"length: {ratio:.1f} times {'longer' if corrected > source else 'shorter'} than the source")


def _check_languages(draft: Draft, detect: Detect, marks: list[str]) -> Iterator[FieldError]:
    sides = (("source_text", draft.source_text, draft.source), ("corrected_translation", draft.corrected_translation,
                                                                 draft.target))  # fmt: skip
    for field, text, language in sides:
        words = [word for word in without_spans(text).split() if _has_letter(word)]
        found = detect(" ".join(words)) if words else None
        if found is None or found.language == language:
            continue
        problem = _language_problem(words, found, language)
        if problem is not None:
            yield FieldError(field, problem)
        elif len(words) >= LANGUAGE_WORDS or found.language is None or found.confidence >= LANGUAGE_SURE:
            marks.append(f"language: {field} may not be {LANGUAGE_NAMES[language]}")


def _language_problem(words: list[str], found: Detection, language: str) -> str | None:
    """Why the text is surely not in `language`; None if it may be."""
    parts = frozenset(WORD_PART.split(" ".join(words).lower()))
    if parts & OWN_WORDS[language]:
        return None
    if found.language is None:
        stranger = len(words) >= STRANGER_WORDS or _is_other_script("".join(words))
        both = f"neither {LANGUAGE_NAMES[language]} nor {LANGUAGE_NAMES[OTHER[language]]}"
        return f"seems to be {both}" if stranger else None
    for_it, against = (len(parts & TELLING_WORDS.get(one, frozenset())) for one in (language, found.language))
    shown = against > for_it or (against == for_it == 0 and len(words) >= LONG_WORDS)
    if len(words) < LANGUAGE_WORDS or found.confidence < LANGUAGE_SURE or not shown:
        return None
    return f"seems to be {LANGUAGE_NAMES.get(found.language, found.language)}, not {LANGUAGE_NAMES[language]}"


def _is_other_script(text: str) -> bool:
    letters = [char for char in text if char.isalpha()]
    return len(letters) >= STRANGER_LETTERS and not any("LATIN" in unicodedata.name(char, "") for char in letters)


def _number_marks(draft: Draft) -> Iterator[str]:
    source, corrected = draft.source_text, draft.corrected_translation
    if lost_numbers(source, corrected):
        yield f"numbers: {_lost(source, corrected, 'missing') or 'fewer than in the source'}"
    if lost_numbers(corrected, source):
        yield f"numbers: {_lost(corrected, source, 'not in the source') or 'more than in the source'}"


def _lost(source: str, target: str, how: str) -> str:
    """Which numbers of `source` stand nowhere in `target`; empty if only their count differs."""
    numbers = list(dict.fromkeys(written(source)))[:COMPARED_NUMBERS]
    lost = [number for number in numbers if lost_numbers(number, target)]
    return f"{_listed(lost)} {'is' if len(lost) == 1 else 'are'} {how}" if lost else ""


def _repetition_marks(draft: Draft) -> Iterator[str]:
    there = {match.group(1) for match in RUN.finditer(draft.source_text)}
    runs = [match.group(1) for match in RUN.finditer(draft.corrected_translation)]
    if odd := [char for char in dict.fromkeys(runs) if char.isalpha() or char not in there]:
        yield f"repetition: {_listed(odd)}"
    if is_looping(draft.source_text, draft.corrected_translation):
        yield "looping: it says something twice"

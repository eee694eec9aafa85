"""What is done about a translation with a fault that can be seen: another search, then one without the numbers.

greedy translations -> those with a fault -> beam -> the best (.text.retry)
                    -> those that copy the first word -> read with a small letter -> the one of which it is surer
                    -> those that still lack a number -> beam on a sentence without numbers -> numbers put in
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from model.config import SearchConfig
from model.text.faults import lost_numbers, wrong_numbers
from model.text.kept.amounts import in_other_language
from model.text.kept.guard import Guarded, masked, restore
from model.text.kept.spans import Span
from model.text.parts import Part
from model.text.retry import BEAM, best, marked, second_search
from model.translation import Scored

Decode = Callable[[Sequence[Part], SearchConfig], list[list[Scored]]]
"""Parts -> what was found for each, best first."""
Mask = Callable[[str], tuple[Guarded, Part] | None]
"""The text of a part -> the same without its numbers, and what is to be decoded for it; None if there is nothing."""
Small = Callable[[str], Part | None]
"""The text of a part -> the same with a small letter; None where its first word may be a name."""
FIRST_WORD = re.compile(r"[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ]{2,}(?=[\s,:;.!?]|$)")
WORDS = re.compile(r"\w+")
SMALL_MARGIN = 0.1
"""Nats a token by which the reading with a small letter may be less sure: *Plastic non rompe* was surer than what was
right. Of 21 sentences of 1,035 from news that copied a common word 15 changed, 12 for the better, 2 for the worse."""
DIGITS = re.compile(r"\d+(?:[.,:/]\d+)*")
NUMBER = "number"
"""A warning: the translation lacks a number of the source."""


def repaired(
    parts: Sequence[Part], found: list[list[Scored]], search: SearchConfig, decode: Decode, mask: Mask, small: Small
) -> list[list[Scored]]:
    """`found` for `parts` by `search`, where that is greedy without the faults that another search does not have.

    Where `search` says not to search again, what has a fault is marked as `faulty`. What lacks a number says so.
    """
    greedy = search.beam == 1
    if greedy:
        found = _searched_again(parts, found, search, decode)
        _with_small_letters(parts, found, search, decode, small)
    rows = [row for row, part in enumerate(parts) if part.ids is not None and _lacks_number(part, found[row][0])]
    if greedy and search.retry and rows:
        _without_numbers(rows, parts, found, search, decode, mask)
    for row in rows:
        found[row] = [_warned(parts[row], scored) for scored in found[row]]
    return found


def _searched_again(
    parts: Sequence[Part], found: list[list[Scored]], search: SearchConfig, decode: Decode
) -> list[list[Scored]]:
    """Greedy translations with a fault are tried again with a beam, all together."""
    again: defaultdict[SearchConfig, dict[tuple[str, tuple[int, ...]], list[int]]] = defaultdict(dict)
    for row, (part, scored) in enumerate(zip(parts, found, strict=True)):
        wider = None if part.ids is None else second_search(part.text, scored[0], search)
        if wider is None:
            continue
        if search.retry:
            again[wider].setdefault((part.text, tuple(part.prefix)), []).append(row)  # each text once: it is slow
        else:
            found[row] = list(map(marked, scored))
    for wider, texts in again.items():
        wanted = [parts[rows[0]] for rows in texts.values()]
        for rows, others in zip(texts.values(), decode(wanted, wider), strict=True):
            for row in rows:
                found[row] = [best(parts[row].text, found[row][0], others)]
    return found


def _with_small_letters(
    parts: Sequence[Part], found: list[list[Scored]], search: SearchConfig, decode: Decode, small: Small
) -> None:
    """Read what copies its first word, which is no name, with a small letter; what copies it no more may be taken."""
    again = [
        (row, other)
        for row, part in enumerate(parts)
        if part.ids is not None and not part.prefix and _copies_first(part.text, found[row][0])
        if (other := small(part.text)) is not None
    ]
    if not search.retry:
        for row, _ in again:
            found[row] = list(map(marked, found[row]))
        return
    for (row, part), (scored, *_) in zip(again, decode([part for _, part in again], search), strict=True):
        surer = scored.translation.score > found[row][0].translation.score - SMALL_MARGIN
        if surer and not _copies_first(part.text.capitalize(), scored):
            found[row] = [replace(scored, translation=replace(scored.translation, retried=True))]


def _copies_first(text: str, scored: Scored) -> bool:
    """Whether the first word of `text`, if it is one with a capital, stands in the translation."""
    match = FIRST_WORD.match(text)
    return match is not None and match.group().lower() in map(str.lower, WORDS.findall(scored.translation.text))


def _without_numbers(
    rows: Sequence[int],
    parts: Sequence[Part],
    found: list[list[Scored]],
    search: SearchConfig,
    decode: Decode,
    mask: Mask,
) -> None:
    """Decode those `rows` again with their numbers masked; what has all of them then is taken."""
    texts: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        if not parts[row].prefix:
            texts[parts[row].text].append(row)
    masks = [(text, *masked_) for text in texts if (masked_ := mask(text)) is not None]
    wider = replace(search, beam=BEAM, n_best=BEAM)
    for (text, guarded, part), scored in zip(masks, decode([part for *_, part in masks], wider), strict=True):
        chosen = best(part.text, scored[0], scored[1:])
        translation = restore(guarded, [chosen.translation])
        if not translation.warnings and not wrong_numbers(text, translation.text):
            for row in texts[text]:
                found[row] = [Scored(translation, chosen.coverage), *found[row][1:]]


def mask_numbers(sentence: str, source: str) -> Guarded | None:
    """`sentence`, in the language `source`, with placeholders for its numbers; None if it has none, or placeholders."""
    if "<ph" in sentence:
        return None
    found = list(DIGITS.finditer(sentence))
    spans = [Span(match.start(), match.end(), "number") for match in found]
    return masked(sentence, spans, [in_other_language(match.group(), source) for match in found])


def _lacks_number(part: Part, scored: Scored) -> bool:
    return lost_numbers(part.text, scored.translation.text) > 0


def _warned(part: Part, scored: Scored) -> Scored:
    if not _lacks_number(part, scored):
        return scored
    warnings = (*scored.translation.warnings, NUMBER)
    return replace(scored, translation=replace(scored.translation, warnings=warnings))

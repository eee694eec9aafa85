"""What is done about a translation with a fault that can be seen: another search, or another reading.

translations -> those with a fault -> a second search -> the best (.text.retry)
             -> those that copy the first word -> read with a small letter -> the one of which it is surer
             -> those that lost a rare name -> read without their names -> names put in
             -> those that still lack a number -> beam on a sentence without numbers -> numbers put in
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from model.config import SearchConfig
from model.text.faults import lost_numbers, wrong_numbers
from model.text.kept.amounts import in_other_language
from model.text.kept.guard import Guarded, masked, restore
from model.text.kept.spans import Span
from model.text.names import lost_names
from model.text.parts import Part
from model.text.retry import BEAM, best, marked, second_search
from model.translation import Scored

Found = list[list[Scored]]
"""For each part its translations, best first."""
FIRST_WORD = re.compile(r"[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ]{2,}(?=[\s,:;.!?]|$)")
WORDS = re.compile(r"\w+")
SMALL_MARGIN = 0.1
"""Nats a token by which the reading with a small letter may be less sure: *Plastic non rompe* was surer than what was
right. Of 21 sentences of 1,035 from news that copied a common word 15 changed, 12 for the better, 2 for the worse."""
DIGITS = re.compile(r"\d+(?:[.,:/]\d+)*")
NUMBER = "number"
"""A warning: the translation lacks a number of the source."""


@dataclass(frozen=True)
class Repairer:
    """Mends translations; what it needs of the translator are the fields."""

    source: str
    """The language of the texts."""
    decode: Callable[[Sequence[Part], SearchConfig], Found]
    encoded: Callable[[str], list[int] | None]
    """The source ids of a text; None if the network cannot read so much at once."""
    knows: Callable[[str], bool]
    """Whether the source's vocabulary has a word as a whole."""

    def repaired(self, parts: Sequence[Part], found: Found, search: SearchConfig) -> Found:
        """`found` for `parts` by `search`, the best of each without the faults that can be mended.

        Where `search` says not to search again, what has a fault is marked as `faulty`. What lacks a number says so.
        """
        found = self._searched_again(parts, found, search)
        for again in (self._small(parts, found, search), self._without_names(parts, found, search)):
            for row, scored in again:
                found[row] = _instead(scored, found[row], search)
        rows = [row for row, part in enumerate(parts) if part.ids is not None and _lacks_number(part, found[row][0])]
        if search.retry and rows:
            self._without_numbers(rows, parts, found, search)
        for row in rows:
            found[row] = [_warned(parts[row], scored) for scored in found[row]]
        return found

    def _searched_again(self, parts: Sequence[Part], found: Found, search: SearchConfig) -> Found:
        """Translations with a fault are tried again with a beam, all together."""
        again: defaultdict[SearchConfig, dict[tuple[str, tuple[int, ...], bool], list[int]]] = defaultdict(dict)
        for row, (part, scored) in enumerate(zip(parts, found, strict=True)):
            wider = None if part.ids is None else second_search(part.text, scored[0], search)
            if wider is None:
                continue
            if search.retry:
                again[wider].setdefault((part.text, tuple(part.prefix), part.word_ended), []).append(row)  # once
            else:
                found[row] = [marked(scored[0]), *scored[1:]]
        for wider, texts in again.items():
            wanted = [parts[rows[0]] for rows in texts.values()]
            for rows, others in zip(texts.values(), self.decode(wanted, wider), strict=True):
                for row in rows:
                    found[row] = _instead(best(parts[row].text, found[row][0], others), found[row], search)
        return found

    def _small(self, parts: Sequence[Part], found: Found, search: SearchConfig) -> Iterator[tuple[int, Scored]]:
        """Read what copies its first word, which is no name, with a small letter; what does so no more may be taken."""
        again: list[tuple[int, Part]] = []
        for row, part in enumerate(parts):
            if part.ids is not None and not part.prefix and _copies_first(part.text, found[row][0]):
                text = part.text[0].lower() + part.text[1:]
                if (match := WORDS.match(text)) and self.knows(match.group()) and (ids := self.encoded(text)):
                    again.append((row, Part(text, ids, [])))
        if not search.retry:
            yield from ((row, marked(found[row][0])) for row, _ in again)
            return
        for (row, part), (scored, *_) in zip(again, self.decode([part for _, part in again], search), strict=True):
            surer = scored.translation.score > found[row][0].translation.score - SMALL_MARGIN
            if surer and not _copies_first(part.text.capitalize(), scored):
                yield row, replace(scored, translation=replace(scored.translation, retried=True))

    def _without_names(self, parts: Sequence[Part], found: Found, search: SearchConfig) -> Iterator[tuple[int, Scored]]:
        """Read what lost a rare name with placeholders for its names; what has all of them then is taken."""
        again: list[tuple[int, Guarded, Part]] = []
        for row, part in enumerate(parts):
            if part.ids is not None and not part.prefix and "<ph" not in part.text:
                names = lost_names(part.text, found[row][0].translation, self._pieces)
                guarded = masked(part.text, names, [part.text[name.start : name.end] for name in names])
                if guarded is not None and (seen := self._seen(guarded)) is not None:
                    again.append((row, guarded, seen))
        if not search.retry:
            yield from ((row, marked(found[row][0])) for row, *_ in again)
            return
        for (row, guarded, _), (scored, *_) in zip(again, self.decode([p for *_, p in again], search), strict=True):
            translation = restore(guarded, [scored.translation])
            if not translation.warnings and not translation.truncated:
                yield row, Scored(replace(translation, retried=True), scored.coverage)

    def _without_numbers(self, rows: Sequence[int], parts: Sequence[Part], found: Found, search: SearchConfig) -> None:
        """Decode those `rows` again with their numbers masked; what has all of them then is taken."""
        texts: defaultdict[str, list[int]] = defaultdict(list)
        for row in rows:
            if not parts[row].prefix:
                texts[parts[row].text].append(row)
        guards = [(text, guarded) for text in texts if (guarded := self._mask_numbers(text)) is not None]
        masks = [(text, one, seen) for text, one in guards if (seen := self._seen(one)) is not None]
        width = max(BEAM, search.beam)
        wider = replace(search, beam=width, n_best=width)
        for (text, guarded, part), scored in zip(masks, self.decode([part for *_, part in masks], wider), strict=True):
            chosen = best(part.text, scored[0], scored[1:])
            translation = restore(guarded, [chosen.translation])
            if not translation.warnings and not wrong_numbers(text, translation.text):
                for row in texts[text]:
                    found[row] = _instead(Scored(translation, chosen.coverage), found[row], search)

    def _mask_numbers(self, sentence: str) -> Guarded | None:
        """`sentence` with placeholders for its numbers; None if it has none, or placeholders."""
        if "<ph" in sentence:
            return None
        found = list(DIGITS.finditer(sentence))
        spans = [Span(match.start(), match.end(), "number") for match in found]
        return masked(sentence, spans, [in_other_language(match.group(), self.source) for match in found])

    def _seen(self, guarded: Guarded) -> Part | None:
        """What the network reads of a sentence with placeholders."""
        text = guarded.pieces[0].text
        ids = self.encoded(text)
        return None if ids is None else Part(text, ids, [])

    def _pieces(self, word: str) -> int:
        return len(self.encoded(word) or ())


def _copies_first(text: str, scored: Scored) -> bool:
    """Whether the first word of `text`, if it is one with a capital, stands in the translation."""
    match = FIRST_WORD.match(text)
    if match is None:
        return False
    word, written = match.group().lower(), scored.translation.text.lower()
    return word in written and word in WORDS.findall(written)


def _instead(mended: Scored, found: Sequence[Scored], search: SearchConfig) -> list[Scored]:
    """`mended` before what was `found`, as many as were asked for."""
    others = (one for one in found if one.translation.text != mended.translation.text)
    return [mended, *others][: search.n_best]


def _lacks_number(part: Part, scored: Scored) -> bool:
    return lost_numbers(part.text, scored.translation.text) > 0


def _warned(part: Part, scored: Scored) -> Scored:
    if not _lacks_number(part, scored):
        return scored
    warnings = (*scored.translation.warnings, NUMBER)
    return replace(scored, translation=replace(scored.translation, warnings=warnings))

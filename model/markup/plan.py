"""The plan of a document: its sentences, in which inline tags are single signs, and the way back.

    <p>Leggi <b>qui</b>.</p>  ->  "<p>" | "Leggi ⟨1⟩qui⟨2⟩." | "</p>"  ->  "<p>" | "Read ⟨1⟩here⟨2⟩." | "</p>"

What is not text is kept byte for byte. A tag with a title, or another value that is translated, has a hole for it,
wherever the tag stands in the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from model.markup.tags import FIRST_SIGN
from model.text.plan import Plan
from model.translation import EMPTY, Translation, by_rank, join, with_alternatives

WORDS_FROM = 0x10000
"""So much further up are the signs of what is a word of the sentence, such as code: `model.text.kept` keeps those."""
ANY_SIGN = re.compile("[\U000f0000-\U000ffffd\U00100000-\U0010fffd]")
Write = Callable[[str], str]
"""A text as people see it -> as it stands in a document."""
Part = str | int
"""What is kept, or the number of the sentence whose translation stands there."""


@dataclass(frozen=True)
class MarkupPlan(Plan):
    """A document, taken apart. Its sentences are in `segments`, which have no separators here."""

    frame: Sequence[Part] = ()
    """The document."""
    signs: Sequence[Sequence[Sequence[Part]]] = ()
    """For each sentence, what its signs stand for, by their numbers."""
    writes: Sequence[Write] = ()
    """For each sentence, how its text is written."""
    places: Sequence[tuple[int, int]] = ()
    """For each sentence, where it begins and ends in the document."""
    document: str = ""

    @property
    def spans(self) -> Sequence[tuple[int, int]]:
        """Where in the document each sentence begins and ends."""
        return self.places

    def shown(self, text: str) -> str:
        """A sentence without its tags."""
        return ANY_SIGN.sub("", text)

    def encoded(self, number: int, text: str) -> str:
        """Sentence `number`, or a translation of it, as it stands in the document; values of its tags as they were."""
        return self._written(number, text, [segment.text for segment in self.segments])

    def joined(self, texts: Sequence[str]) -> str:
        """The document with `texts` in the place of its sentences."""
        return self._filled(self.frame, texts)

    def put_together(self, translations: Sequence[Translation]) -> Translation:
        """The translated document."""
        if not translations:
            return replace(EMPTY, text=self.joined(()))
        counts = [len(segment.text.split()) for segment in self.segments]
        ranked = by_rank([(one, *one.alternatives) for one in translations])
        return with_alternatives(
            [replace(join(chosen, counts), text=self.joined([one.text for one in chosen])) for chosen in ranked]
        )

    def _filled(self, parts: Sequence[Part], texts: Sequence[str]) -> str:
        return "".join(part if isinstance(part, str) else self._sentence(part, texts) for part in parts)

    def _sentence(self, number: int, texts: Sequence[str]) -> str:
        """A sentence in the place of which `texts` has what is to stand; what did not change, byte for byte."""
        start, end = self.places[number]
        same = end > start and self._is_same(number, texts)
        return self.document[start:end] if same else self._written(number, texts[number], texts)

    def _is_same(self, number: int, texts: Sequence[str]) -> bool:
        """Whether a sentence and the values of its tags are what they were."""
        text, signs = texts[number], self.signs[number]
        if text != self.segments[number].text:
            return False
        numbers = [one for one in map(number_of, ANY_SIGN.findall(text)) if one < len(signs)]
        return all(self._is_same(part, texts) for one in numbers for part in signs[one] if isinstance(part, int))

    def _written(self, number: int, text: str, texts: Sequence[str]) -> str:
        signs = self.signs[number]

        def tag(match: re.Match[str]) -> str:
            sign = number_of(match.group())
            return self._filled(signs[sign], texts) if sign < len(signs) else match.group()

        return ANY_SIGN.sub(tag, self.writes[number](text))


def number_of(sign: str) -> int:
    """The number of a sign: an even one begins something or stands alone, the next ends it."""
    return (ord(sign) - FIRST_SIGN) % WORDS_FROM

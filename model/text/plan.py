"""What is done with a text around the network, for the server, the command line, evaluation and the gate alike.

    text -> plan_text -> sentences -> (memory, network) -> put together again

Pure: no network, no HTTP. What stands between two sentences, list marks too, is kept byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from model.text.kept.guard import Guarded, Piece, restore
from model.text.lines import Split
from model.text.segments import Segment, split, whole
from model.translation import EMPTY, Translation


@dataclass(frozen=True)
class Plan:
    """A text, taken apart. Only the first segment may have an empty text: what stands before the first sentence."""

    segments: Sequence[Segment]

    @property
    def sentences(self) -> list[str]:
        """What is to be translated, in order."""
        return [segment.text for segment in self.segments if segment.text]

    def shown(self, text: str) -> str:
        """A sentence as people see it."""
        return text

    @property
    def spans(self) -> Sequence[tuple[int, int]]:
        """Where in the text that of each segment begins and ends, in characters."""
        lengths = (length for one in self.segments for length in (len(one.text), len(one.separator_after)))
        places = list(accumulate(lengths, initial=0))
        return list(zip(places[::2], places[1::2], strict=False))

    def encoded(self, number: int, text: str) -> str:
        """The text of segment `number`, or a translation of it, as it stands in the whole."""
        return text

    def joined(self, texts: Sequence[str]) -> str:
        """The whole with `texts` in the place of those of its segments."""
        return "".join([text + one.separator_after for text, one in zip(texts, self.segments, strict=True)])

    def put_together(self, translations: Sequence[Translation]) -> Translation:
        """The translation of the text from those of its sentences, with all that stands between them."""
        if not translations:
            return EMPTY
        if len(self.segments) == 1 and not self.segments[0].separator_after:
            return translations[0]  # the usual case
        source, kept, kept_at, words = "", "", 0, 0
        pieces: list[Piece] = []
        for text, separator in ((segment.text, segment.separator_after) for segment in self.segments):
            if text:
                count = len(text.split())
                pieces.append(Piece(kept, kept_at, text, (), tuple((words + row,) for row in range(count))))
                kept, kept_at, words = "", kept_at + len(kept) + len(text), words + count
            kept += separator
            words += len(separator.split())
            source += text + separator
        return restore(Guarded(source, tuple(pieces), kept), translations)


def plan_text(text: str, language: str, lines: Split = "auto") -> Plan:
    """Take `text` apart at its sentences; `lines`: whether they end with their lines, see `model.text.lines`."""
    return Plan(split(text, language, lines))


def plan_whole(text: str) -> Plan:
    """`text` as one sentence."""
    return Plan(whole(text))

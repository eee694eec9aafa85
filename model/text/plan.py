"""What is done with a text around the network, for the server, the command line, evaluation and the gate alike.

    text -> plan_text -> sentences -> (memory, network) -> put together again by who planned

Pure: no network, no HTTP. What stands between two sentences, list marks too, is kept byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.text.lines import Split
from model.text.segments import Segment, split, whole


@dataclass(frozen=True, slots=True)
class Plan:
    """A text, taken apart. Only the first segment may have an empty text: what stands before the first sentence."""

    segments: Sequence[Segment]

    @property
    def sentences(self) -> list[str]:
        """What is to be translated, in order."""
        return [segment.text for segment in self.segments if segment.text]


def plan_text(text: str, language: str, lines: Split = "auto") -> Plan:
    """Take `text` apart at its sentences; `lines`: whether they end with their lines, see `model.text.lines`."""
    return Plan(split(text, language, lines))


def plan_whole(text: str) -> Plan:
    """`text` as one sentence."""
    return Plan(whole(text))

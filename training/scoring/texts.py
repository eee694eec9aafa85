"""Texts as people write them: whether what must survive does, and whether the rest is right, kind by kind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model.config import require
from model.translation import Translation
from training.scoring.sets import expression, read_rows

BETWEEN = " ¦ "
ESCAPES = {"\\n": "\n", "\\t": "\t", "\\\\": "\\"}
ESCAPE = re.compile(r"\\[nt\\]")


@dataclass(frozen=True)
class TextItem:
    """One row of `texts.tsv`."""

    kind: str
    source: str
    kept: tuple[str, ...]
    """What must stand in the translation as often as in the source."""
    answers: tuple[str, ...]
    """Whole translations that are right; empty: any is."""
    pattern: re.Pattern[str] | None
    """What a right translation must hold, in their place."""

    def keeps(self, translation: str) -> bool:
        """Whether what must survive did."""
        return all(translation.count(one) == self.source.count(one) for one in self.kept)

    def is_right(self, translation: str) -> bool:
        """Whether it is one of the answers, or holds what it must; true where nothing is said."""
        if self.pattern is not None:
            return self.pattern.search(translation) is not None
        return not self.answers or translation.strip() in self.answers


@dataclass
class Tally:
    """Of the items of one kind."""

    items: int = 0
    right: int = 0
    """Nothing lost, and right."""
    lost: int = 0
    """Something that must survive did not, or not as often."""
    unsaid: int = 0
    """Of these, those of which the translation does not say so itself."""


@dataclass(frozen=True)
class Failure:
    """An item that was not right."""

    kind: str
    source: str
    translation: str
    lost: bool


@dataclass(frozen=True)
class TextsReport:
    """What was kept, and what was right."""

    kinds: dict[str, Tally]
    failures: tuple[Failure, ...]

    @property
    def total(self) -> Tally:
        """Over all kinds."""
        names = ("items", "right", "lost", "unsaid")
        return Tally(*(sum(getattr(one, name) for one in self.kinds.values()) for name in names))

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        kinds = {kind: asdict(one) for kind, one in self.kinds.items()}
        return {**asdict(self.total), "kinds": kinds, "failures": [asdict(failure) for failure in self.failures]}


def read_texts(path: Path) -> list[TextItem]:
    """The items of `texts.tsv`: kind, source, what is kept, and answers between ` ¦ ` or an expression between slashes.

    Raises:
        ConfigError: names the line that has other columns, that says nothing, or whose source lacks what is kept.
    """
    return [_item(f"{path}, line {number}", cells) for number, cells in read_rows(path, 4)]


def check_texts(items: Sequence[TextItem], translations: Sequence[Translation]) -> TextsReport:
    """What of `items` their `translations` keep, and which are right."""
    kinds: dict[str, Tally] = {}
    failures = []
    for item, translation in zip(items, translations, strict=True):
        tally = kinds.setdefault(item.kind, Tally())
        lost = not item.keeps(translation.text)
        right = not lost and item.is_right(translation.text)
        tally.items += 1
        tally.right += right
        tally.lost += lost
        tally.unsaid += lost and not translation.warnings
        if not right:
            failures.append(Failure(item.kind, item.source, translation.text, lost))
    return TextsReport(kinds, tuple(failures))


def _item(where: str, cells: Sequence[str]) -> TextItem:
    kind, source, kept, answers = cells
    require(bool(kind and source), f"{where}: no kind or no source")
    require(bool(kept or answers), f"{where}: neither what is kept nor answers, so that anything is right")
    text, parts = _unescaped(source), tuple(map(_unescaped, kept.split(BETWEEN))) if kept else ()
    for part, count in Counter(parts).items():
        require(text.count(part) >= count, f"{where}: the source has {part!r} not {count} times")
    if len(answers) > 2 and answers.startswith("/") and answers.endswith("/"):
        return TextItem(kind, text, parts, (), expression(where, _unescaped(answers[1:-1])))
    right = tuple(_unescaped(answer).strip() for answer in answers.split(BETWEEN)) if answers else ()
    return TextItem(kind, text, parts, right, None)


def _unescaped(text: str) -> str:
    return ESCAPE.sub(lambda match: ESCAPES[match.group()], text)

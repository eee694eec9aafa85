"""What is right or wrong as a whole: sentences that each test one phenomenon, and everyday words in several forms."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model.config import require
from training.data.pairs import normalise_key
from training.scoring.sets import expression, read_rows

FORMS: dict[str, Callable[[str], str]] = {
    "as it stands": str,
    "with a capital": lambda word: word[:1].upper() + word[1:],
    "in capitals": str.upper,
    "with a full stop": lambda word: f"{word}.",
}
"""How people type a word that they look up."""


@dataclass(frozen=True)
class Item:
    """One row of `challenge.tsv`, or a word in one form."""

    phenomenon: str
    source: str
    answers: tuple[str, ...]
    """Translations that are right as a whole."""
    must: re.Pattern[str] | None
    """What another right translation must hold; None: only `answers` are right."""
    must_not: re.Pattern[str] | None

    def passes(self, translation: str) -> bool:
        """Whether it is one of the answers but for case, punctuation and white space, or holds what it must."""
        key = normalise_key(translation)
        if any(normalise_key(answer) == key for answer in self.answers):
            return True
        text = _plain(translation)
        holds = self.must is not None and self.must.search(text) is not None
        return holds and not (self.must_not and self.must_not.search(text))


@dataclass(frozen=True)
class Failure:
    """An item that was not passed."""

    phenomenon: str
    source: str
    translation: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class ChallengeReport:
    """What was passed."""

    phenomena: dict[str, tuple[int, int]]
    """Phenomenon -> items passed, and items."""
    failures: tuple[Failure, ...]

    @property
    def total(self) -> tuple[int, int]:
        """Items passed, and items."""
        passed, items = zip(*self.phenomena.values(), strict=True)
        return sum(passed), sum(items)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        passed, items = self.total
        phenomena = {name: {"passed": ours, "items": all_} for name, (ours, all_) in self.phenomena.items()}
        failures = [asdict(failure) for failure in self.failures]
        return {"passed": passed, "items": items, "phenomena": phenomena, "failures": failures}


def read_challenge(path: Path) -> list[Item]:
    """The items of `challenge.tsv`: phenomenon, source, answers between ` | `, `must`, `must_not`.

    Raises:
        ConfigError: names the line that has other columns, an expression that is none, or that nothing can pass.
    """
    return [_item(f"{path}, line {number}", cells) for number, cells in read_rows(path, 5)]


def read_words(path: Path) -> list[Item]:
    """The words of `words.tsv`, word TAB answers between ` | `, each in all `FORMS`, which take the phenomenon's place.

    Raises:
        ConfigError: names the line that has other columns, no word ("source") or no answer.
    """
    return [
        _item(f"{path}, line {number}", (form, change(word), answers, "", ""))
        for number, (word, answers) in read_rows(path, 2)
        for form, change in FORMS.items()
    ]


def check(items: Sequence[Item], translations: Sequence[str]) -> ChallengeReport:
    """Which of `items` their `translations` pass."""
    phenomena: dict[str, tuple[int, int]] = {}
    failures = []
    for item, translation in zip(items, translations, strict=True):
        passes = item.passes(translation)
        passed, count = phenomena.get(item.phenomenon, (0, 0))
        phenomena[item.phenomenon] = passed + passes, count + 1
        if not passes:
            failures.append(Failure(item.phenomenon, item.source, translation, item.answers))
    return ChallengeReport(phenomena, tuple(failures))


def _item(where: str, cells: Sequence[str]) -> Item:
    phenomenon, source, answers, must, must_not = cells
    require(bool(phenomenon and source), f"{where}: no phenomenon or no source")
    require(bool(answers or must), f"{where}: neither answers nor what a translation must hold, so nothing can pass")
    right = tuple(answer.strip() for answer in answers.split(" | ") if answer.strip())
    return Item(phenomenon, source, right, _expression(where, must), _expression(where, must_not))


def _expression(where: str, pattern: str) -> re.Pattern[str] | None:
    return expression(where, pattern, re.IGNORECASE) if pattern else None


def _plain(text: str) -> str:
    """NFKC, straight apostrophes, white space collapsed: what expressions are written for."""
    return " ".join(unicodedata.normalize("NFKC", text).replace("’", "'").split())

"""Case and marks that are taken off before the network reads a text, and put on what it writes.

    "FARINA!" -> "farina" -> "flour" -> "FLOUR!"

The network knows *farina* from the dictionary, and hardly knows *Farina*, *Farina.* and *FARINA*, each of which is
another row of pieces. But *Rosa* may be a name, and *NATO* is no *nato*: so both forms are read, and the one of which
the network is surer counts. Of 40 everyday words a direction as `Word`, `Word.`, `WORD` and `word.` 72 and 59 of 160
were right before, and 156 and 143 are so; as `word` 39 and 37 of 40.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from model.text.lines import FUNCTION_WORDS
from model.text.preparation import clean, is_shouted
from model.text.tokenizer import PLACEHOLDER
from model.translation import Translation, with_text

ONE_WORD = re.compile(r"(?P<before>[\"'«“‘(¿¡]*)(?P<word>[^\W\d_]+(?:['’-][^\W\d_]+)*)(?P<after>[.!?…,;:]*[\"'»”’)]*)")
MARGIN = 0.1
"""Nats a token by which the plain form may be less sure, and still counts."""
LEAST_TITLE = 3
"""Words of the shortest title, one of which is small as a rule; without such a one they are names."""

LEAST_FULL = 2
"""Of these, those that are not small as a rule: `Pagine 10 e 12` is none."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a text is without its case and marks, and how they come back."""

    plain: str
    case: Callable[[str], str]
    before: str = ""
    after: str = ""
    sure: bool = False
    """The text as it is need not be read as well."""

    def reads(self, text: str) -> list[str]:
        """What the network reads for `text`."""
        return [self.plain] if self.sure else [text, self.plain]

    def chosen(self, found: Sequence[Translation]) -> Translation:
        """The translation of the text, from those of what the network reads."""
        return self.put_on(found[0]) if self.sure else surer(self, *found)

    def put_on(self, translation: Translation) -> Translation:
        """`translation` of the plain text with the case and the marks of the text."""
        text = self.before + self.case(translation.text) + self.after
        others = tuple(map(self.put_on, translation.alternatives))
        return replace(with_text(translation, text), alternatives=others)


def plain_form(text: str) -> Form | None:
    """The plain form of a text in capitals, of a single word, of a Title In Title Case; None of any other."""
    bare = PLACEHOLDER.sub("", text)
    if is_shouted(bare):
        return Form(clean(text).capitalize(), str.upper, sure=True)
    match = ONE_WORD.fullmatch(text)
    if match is not None:
        return _of_word(match["before"], match["word"], match["after"])
    if not _is_title(bare.split()):
        return None
    all_capital = not any(word.islower() for word in bare.split() if word in FUNCTION_WORDS)
    return Form(text.capitalize(), _title_of_all if all_capital else _title)


def surer(form: Form, given: Translation, plain: Translation) -> Translation:
    """The translation of the plain form with case and marks, or that of the text as it is: see `MARGIN`."""
    return form.put_on(plain) if plain.score > given.score - MARGIN else given


def _of_word(before: str, word: str, after: str) -> Form | None:
    small = word.lower()
    if word == small:
        return Form(word, str, before, after) if before or after else None
    if len(word) > 1 and word.isupper():
        return Form(small, str.upper, before, after)
    return Form(small, capital, before, after) if word[1:].islower() else None


def _is_title(words: Sequence[str]) -> bool:
    """Whether all words are capitalised, also those that are small as a rule, or these alone are not: no sentence."""
    if len(words) < LEAST_TITLE or words[-1].endswith((".", "!", "?", "…")):
        return False
    small = [word for word in words if word.lower() in FUNCTION_WORDS]
    others = [word for word in words if word not in small or not word.islower()]
    full = [word for word in others if word[:1].isalpha() and word not in small]
    return bool(small) and len(full) >= LEAST_FULL and all(map(_is_capitalised, others))


def _is_capitalised(word: str) -> bool:
    """Whether the first letter is a capital and not all are; true of what has no letter."""
    letters = [char for char in word if char.isalpha()]
    return not letters or (letters[0].isupper() and (len(letters) == 1 or not word.isupper()))


def capital(text: str) -> str:
    """`text` with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def _title_of_all(text: str) -> str:
    return " ".join(map(capital, text.split(" ")))


def _title(text: str) -> str:
    """Words that are small in titles stay so, but for the first."""
    first, *words = text.split(" ")
    return " ".join([capital(first), *(word if word in FUNCTION_WORDS else capital(word) for word in words)])

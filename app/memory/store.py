"""Translation memory: approved corrections answer at once, in process.

Two texts are the same to memory if they differ only in Unicode composition, typographic quotes, white space, the case
of the first letter and the final punctuation. A question mark is not taken off: in Italian only the mark tells
`Sei stanco?` from `Sei stanco.`, and their translations differ in more than it. Texts in capitals are other texts.

Who changes `normal` or `key_of` changes the column `corrections.source_key`: a migration must compute it anew.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
import uuid
from collections.abc import Iterable
from typing import NamedTuple

from app.metrics import Metrics

APOSTROPHES = "\u2018\u2019\u201b\u02bc\u2032"
QUOTES = "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033"
OPENERS = "\"'([{¿¡-–— " + APOSTROPHES + QUOTES
"""What may stand before the first letter."""
MARKS = " .!?…"
KINDS = ("", ".", "!", "…", "?")
"""Of final punctuation. The last is part of the key."""
FIRST_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
ALWAYS_UPPER = re.compile(
    r"I(?:['’]\w+)?|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?"
    r"|January|February|March|April|May|June|July|August|September|October|November|December"
)
"""English words with a capital wherever they stand, that an Italian sentence may well begin with in a small letter."""


class Normal(NamedTuple):
    """A text's normal form, and what was taken off it."""

    core: str
    first_upper: bool
    """Whether the first letter was a capital."""
    ending: str
    """The final punctuation as it was written, such as `!!!`."""


class Shape(NamedTuple):
    """What memory keeps of the source of a correction."""

    first_upper: bool
    kind: str
    """One of `KINDS`."""


class Stored(NamedTuple):
    """An approved correction, as the database has it."""

    pair: str
    source_key: str
    id: uuid.UUID
    source_text: str
    correction: str


class Hit(NamedTuple):
    """An answer of memory."""

    text: str
    correction_id: uuid.UUID


def normal(text: str) -> Normal:
    """The normal form of any text; that of a core is the core again."""
    text = " ".join(_fold(unicodedata.normalize("NFC", text)).split())
    core = text.rstrip(MARKS)
    if not core:  # nothing but punctuation stands for itself
        return Normal(text, False, "")
    ending = text[len(core) :].replace(" ", "")
    place = _first_letter(core)
    letter = core[place : place + 1]
    lower = letter.lower()
    if lower == letter:
        return Normal(core, False, ending)
    # composed again: there is a small ǰ in one piece, but no capital one
    return Normal(unicodedata.normalize("NFC", core[:place] + lower + core[place + 1 :]), True, ending)


def _fold(text: str) -> str:
    """Typographic quotes as those of a typewriter."""
    if text.isascii():
        return text
    for char in APOSTROPHES:
        text = text.replace(char, "'")
    for char in QUOTES:
        text = text.replace(char, '"')
    return text


def _first_letter(text: str) -> int:
    """Where the first letter is, after quotes and brackets; where it would be, if there is none."""
    return len(text) - len(text.lstrip(OPENERS))


def kind(ending: str) -> str:
    """Which of `KINDS` a row of final marks is."""
    for mark in "?!…":
        if mark in ending:
            return mark
    return "…" if len(ending) > 1 else ending


def key_of(form: Normal) -> bytes:
    """16 bytes, equal for equal sentences. No core but that of pure punctuation ends in a question mark."""
    question = "?" if "?" in form.ending else ""
    return hashlib.blake2b((form.core + question).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def source_key(text: str) -> str:
    """32 hexadecimal digits, equal for texts that memory takes for the same. Takes any string."""
    return key_of(normal(text)).hex()


def shape_of(text: str) -> Shape:
    """What `answer` needs of the source of a correction."""
    form = normal(text)
    return Shape(form.first_upper, kind(form.ending))


def answer(stored: Shape, correction: str, query: Normal, target: str = "en") -> str:
    """`correction` with the case of the first letter and the final punctuation of `query`.

    Each is changed only where `query` differs in it from the source that was corrected, and the punctuation only where
    the correction ends as its source does. Nothing else is touched.
    """
    if kind(query.ending) != stored.kind:
        core = correction.rstrip(MARKS)
        if core and kind(correction[len(core) :].replace(" ", "")) == stored.kind:
            correction = core + query.ending
    if query.first_upper == stored.first_upper:
        return correction
    place = _first_letter(correction)
    word = FIRST_WORD.match(correction, place)
    if word is None or word.group()[1:] != word.group()[1:].lower():  # such as iPhone, USA
        return correction
    if not query.first_upper and target == "en" and ALWAYS_UPPER.fullmatch(word.group()):
        return correction
    letter = correction[place]
    other = letter.upper() if query.first_upper else letter.lower()
    if other.swapcase() != letter:  # such as ß, which would become SS
        return correction
    return correction[:place] + other + correction[place + 1 :]


Entries = dict[str, dict[bytes, bytes]]
"""By pair and key: 16 bytes of the id, 1 of the shape, the correction in UTF-8. In this form a million sentences of
everyday length take 230 MB; as objects they would take twice as much, and the garbage collector would visit each."""


def pack(stored: Stored, entries: Entries) -> bool:
    """Put a correction into `entries`, in the place of any other of the same sentence; False if there was one."""
    shape = shape_of(stored.source_text)
    flags = KINDS.index(shape.kind) << 1 | shape.first_upper
    entry = stored.id.bytes + bytes((flags,)) + stored.correction.encode("utf-8", "surrogatepass")
    of_pair = entries.setdefault(stored.pair, {})
    before = len(of_pair)
    of_pair[bytes.fromhex(stored.source_key)] = entry
    return len(of_pair) > before


class Memory:
    """Approved corrections by sentence. One thread writes, any number may ask meanwhile."""

    def __init__(self, metrics: Metrics) -> None:
        self._entries: Entries = {}
        self._metrics = metrics

    def __len__(self) -> int:
        return sum(map(len, self._entries.values()))

    def find(self, pair: str, text: str) -> Hit | None:
        """What memory answers for the whole of `text`; None if it has nothing."""
        entries = self._entries.get(pair)
        if not entries:
            return None
        query = normal(text)
        entry = entries.get(key_of(query))
        if entry is None:
            return None
        self._metrics.memory_hit(pair)
        shape = Shape(bool(entry[16] & 1), KINDS[entry[16] >> 1])
        correction = entry[17:].decode("utf-8", "surrogatepass")
        return Hit(answer(shape, correction, query, pair[-2:]), uuid.UUID(bytes=entry[:16]))

    def put(self, corrections: Iterable[Stored]) -> None:
        """Answer with these from now on; of one sentence the last counts."""
        for stored in corrections:
            pack(stored, self._entries)
        self._metrics.memory_rows.set(len(self))

    def remove(self, keys: Iterable[tuple[str, str]]) -> None:
        """Forget these (pair, source key)."""
        for pair, key in keys:
            self._entries.get(pair, {}).pop(bytes.fromhex(key), None)
        self._metrics.memory_rows.set(len(self))

    def replace(self, entries: Entries) -> None:
        """Answer with `entries`, filled by `pack`, and nothing else."""
        self._entries = entries
        self._metrics.memory_rows.set(len(self))

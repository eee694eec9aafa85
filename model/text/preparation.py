"""A text before it is tokenised: cleaned, recognised as nothing to translate or as shouted, cut at good places."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence

CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
"""Control characters that are no white space, and invisible marks of direction, joining and hyphenation."""
SURROGATES = re.compile("[\ud800-\udfff]")
LINK = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.)\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
"""An address of the web or of mail."""

BOUNDARIES = (re.compile(r"(?<=[.!?…;:])\s+"), re.compile(r"(?<=[,)\]])\s+|\s+(?=[(\[–—])"), re.compile(r"\s+"))
"""Where a long text may be cut, the best places first: between sentences or clauses, at commas, between words."""

Counter = Callable[[Sequence[str]], list[int]]


def clean(text: str) -> str:
    """`text` in Unicode NFC on one line, white space as single spaces, without control characters.

    Halves of a surrogate pair are put together; one that stands alone becomes U+FFFD, so that it is seen.
    """
    if SURROGATES.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if not text.isprintable():
        text = CONTROLS.sub("", text)
    return " ".join(unicodedata.normalize("NFC", text).split())


def nothing_to_translate(text: str) -> bool:
    """Whether every word of `text` is a link or has no letter: numbers, emoji, punctuation."""
    return all(not any(map(str.isalpha, word)) or LINK.fullmatch(word) for word in text.split())


def is_shouted(text: str) -> bool:
    """Whether `text` is all in capitals: at least two words of letters. One word may be an abbreviation."""
    return text.isupper() and sum(any(map(str.isalpha, word)) for word in text.split()) > 1


def split_long(text: str, count: Counter, limit: int) -> list[str]:
    """Cut `text` into parts of at most `limit` tokens, as few and as even as its clauses allow.

    A single word that is longer stays whole.

    Args:
        text: cleaned.
        count: tokens of each of several texts.
        limit: tokens, at least 1.
    """
    return _split(text, count, limit, 0)


def _split(text: str, count: Counter, limit: int, level: int) -> list[str]:
    """`split_long` at the boundaries from `level` on."""
    (total,) = count([text])
    if total <= limit or level == len(BOUNDARIES):
        return [text]
    clauses = BOUNDARIES[level].split(text)
    parts: list[str] = []
    short: list[tuple[str, int]] = []
    room = _even(total, limit)
    for clause, tokens in zip(clauses, count(clauses), strict=True):
        if tokens <= limit:
            short.append((clause, tokens))
        else:
            parts += _pack(short, room) + _split(clause, count, limit, level + 1)
            short = []
    return parts + _pack(short, room)


def _even(total: int, limit: int) -> int:
    """Tokens a part when `total` is cut into as few parts of `limit` as possible, with some slack for whole clauses."""
    return min(limit, math.ceil(1.1 * total / math.ceil(total / limit)))


def _pack(clauses: Sequence[tuple[str, int]], room: int) -> list[str]:
    """Neighbouring `(clause, tokens)` put together while they fit into `room` tokens."""
    parts: list[list[str]] = []
    used = room
    for clause, tokens in clauses:
        if used + tokens > room:
            parts.append([])
            used = 0
        parts[-1].append(clause)
        used += tokens
    return [" ".join(part) for part in parts]

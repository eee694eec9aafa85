"""The lines of a text: which are one passage wrapped over several, and what at a line's beginning is no part of it.

text -> list marks, tabs, line ends (kept) | passages (to be cut into sentences), and a wrapped passage wrapped again
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

Split = Literal["auto", "lines", "none"]
"""What ends a sentence besides its end: `lines`, any line; `auto`, a line that does not go on in the next; `none`."""

BREAKS = r"\n\v\f\r\x1c-\x1e\x85\u2028\u2029"
"""Those of `str.splitlines`."""
LINES = re.compile(rf"[^{BREAKS}]+|[{BREAKS}]+")
"""Lines and the breaks between them."""
ONE_BREAK = re.compile(rf"\r\n|[{BREAKS}]")
MARK = re.compile(
    r"\s*(?:(?:(?:[-*] )?\[[ xX]\]|[-–—•*·▪◦‣+>]|#{1,6}|\(?(?:\d{1,3}|[a-zIVX]|[ivxIVX]{2,5})[.)]|\(?[A-Z]\)"
    r"|\d{1,3}(?:\.\d{1,3}){1,4}[.)]?|\d{1,3}\.[a-z][.)]?|\d{1,3}-)\s+(?=\S)|[•·▪◦‣](?=\S)|-(?=[^\W\d_]{2}))"
)
"""What stands before an item of a list, a heading of Markdown, a line of somebody else. Not `A. `, which is a name …"""
LETTERED = re.compile(r"\s*[A-Z]\.\s+(?=\S)")
"""… unless other lines begin with `B. ` and so on."""
FIRST_TWO = {"A.", "B."}
TABS = re.compile(r"[^\t]+|\t+")
OPEN = re.compile(r"[\w,)\]»”’'\"%]")
"""The last character of a line that may go on: it ends neither like a sentence nor before a list."""
CLOSED = re.compile(r"[.!?…][\"»”’')\]]{0,3}")
CLOSED_CHARS = 4
ITALIAN = (
    "il lo la i gli le un uno una di a da in con su per tra fra del dello della dei degli delle al allo alla ai agli"
    " alle dal dallo dalla dai dagli dalle nel nello nella nei negli nelle sul sullo sulla sui sugli sulle e o che ma"
    " se non è"
)
ENGLISH = "the a an of to on at for with by from and or that but if is are was were not as in into"
FUNCTION_WORDS = frozenset(f"{ITALIAN} {ENGLISH}".split())
"""No sentence ends with these, so that the next line goes on."""


class Passage(NamedTuple):
    """A part of a text."""

    text: str
    kept: bool
    """Not to be translated: a list mark."""


def passages(text: str, split: Split = "auto") -> Iterator[Passage]:
    """The parts of `text` in order; joined they are `text` again. White space may be a passage of its own."""
    if split == "none":
        yield Passage(text, kept=False)
        return
    lines = LINES.findall(text)
    lettered = {line.lstrip()[:2] for line in lines} >= FIRST_TWO
    for line in _unwrapped(lines) if split == "auto" else lines:
        mark = MARK.match(line) or (LETTERED.match(line) if lettered else None)
        if mark is not None:
            yield Passage(mark.group(), kept=True)
        yield from (Passage(cell, kept=False) for cell in TABS.findall(line, mark.end() if mark else 0))


def is_one_passage(text: str) -> bool:
    """Whether `text` has one line, without tabs and without a list mark."""
    return "\t" not in text and LINES.fullmatch(text) is not None and MARK.match(text) is None


def wrapped_as(source: str, translation: str) -> str:
    """`translation` with the line breaks of `source`, at about the same places.

    As it is if it has breaks already, or the source is more than one paragraph.
    """
    lines = LINES.findall(source.strip())
    if len(lines) < 3 or len(LINES.findall(translation)) > 1 or not all(map(ONE_BREAK.fullmatch, lines[1::2])):
        return translation
    spaces = [match.start() for match in re.finditer(" ", translation)]
    breaks = min(len(lines) // 2, len(spaces))
    total, read, used, start = sum(map(len, lines)), 0, 0, 0
    pieces: list[str] = []
    for row in range(breaks):
        line, found, below = lines[2 * row : 2 * row + 3]
        read += len(line) + len(found)
        last = len(spaces) - (breaks - row)  # leave a space for each break that follows
        used = _nearest(spaces, round(read / total * len(translation)), used, last)
        pieces += [translation[start : spaces[used]], _trailing(line) + found + _leading(below)]
        start = spaces[used] + 1
        used += 1
    return "".join([*pieces, translation[start:]])


def _trailing(line: str) -> str:
    return line[len(line.rstrip()) :]


def _leading(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _nearest(places: Sequence[int], wanted: int, first: int, last: int) -> int:
    """The index, from `first` to `last`, of the one of `places` that is nearest to `wanted`."""
    after = min(max(bisect_left(places, wanted), first), last)
    before = max(after - 1, first)
    return before if wanted - places[before] <= places[after] - wanted else after


def _unwrapped(lines: Sequence[str]) -> Iterator[str]:
    """Lines and breaks, with those that are one passage in one string."""
    index = 0
    while index < len(lines):
        evidence: list[str] = []
        while found := _goes_on(lines, index + 2 * len(evidence)):
            evidence.append(found)
        last = index + 2 * len(evidence)
        ended = CLOSED.search(lines[last].rstrip()[-CLOSED_CHARS:]) is not None
        passage = ""
        for found in [*evidence, ""]:
            passage += lines[index]
            index += 1
            if found == "surely" or (found and ended):
                passage += lines[index]
            else:
                yield passage
                passage = ""
                if found:
                    yield lines[index]
            index += bool(found)


def _goes_on(lines: Sequence[str], index: int) -> str:
    """Whether the line at `index` is one passage with the next: `surely`, `maybe`, or not (empty)."""
    if index + 2 >= len(lines) or ONE_BREAK.fullmatch(lines[index + 1]) is None:
        return ""
    above, below = lines[index].rstrip(), lines[index + 2].lstrip()
    if not above or not below or "\t" in above + below or MARK.match(lines[index + 2]) or OPEN.match(above[-1]) is None:
        return ""
    if above.rpartition(" ")[2].lower() in FUNCTION_WORDS:
        return "surely"
    return "maybe" if below[0].islower() else ""

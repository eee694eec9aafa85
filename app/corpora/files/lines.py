"""Bytes in, lines of text out, and back: exactly one line for each line, whatever they hold.

A line ends with a newline byte and nothing else. Characters that other programs take for the end of a line, and
other control characters, become spaces on both ways, so that counting lines gives the same number everywhere.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

READ_BYTES = 1 << 16
BYTE_ORDER_MARK = "\ufeff"
LAST_SEPARATOR = 0x2029
"""The paragraph separator; no character beyond it is of the categories below."""
_SPACES = {code: " " for code in range(LAST_SEPARATOR + 1)
           if unicodedata.category(chr(code)) in ("Cc", "Zl", "Zp") and chr(code) != "\t"}  # fmt: skip
"""Control characters (NUL, CR, VT, FF, U+0085 ...) and the line and paragraph separators. A tab ends no line."""


def read_lines(read: Callable[[int], bytes], size: int = READ_BYTES) -> Iterator[list[bytes]]:
    """Yield lines without their newline as soon as they are complete, as many as one `read` brought.

    `read(size)` waits until there is something and gives at most `size` bytes, `b""` at the end (like `os.read`): a
    person at a terminal is answered line by line, a file comes in large pieces. Memory is bounded by `size` and the
    longest line. A last line without a newline counts.
    """
    unfinished: list[bytes] = []
    while piece := read(size):
        head, *rest = piece.split(b"\n")
        unfinished.append(head)
        if rest:
            yield [b"".join(unfinished), *rest[:-1]]
            unfinished = [rest[-1]]
    if last := b"".join(unfinished):
        yield [last]


def decode_line(line: bytes) -> str:
    """Text of one line; bytes that are not UTF-8 become U+FFFD, control characters spaces."""
    return one_line(line.decode("utf-8", errors="replace").removeprefix(BYTE_ORDER_MARK))


def encode_line(text: str) -> bytes:
    """One line with its newline, whatever `text` holds."""
    return one_line(text).encode("utf-8", errors="replace") + b"\n"


def one_line(text: str) -> str:
    """`text` without outer white space, and with a space for everything that could end a line."""
    return text.translate(_SPACES).strip()

"""`translate_stream`: order, one line each, bounded memory, and what is told on the way."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.commands.translate import translate_stream


@dataclass(frozen=True)
class Shouted:
    """What the stream needs of a translation."""

    text: str
    truncated: bool = False


def shout(texts: Sequence[str]) -> list[Shouted]:
    return [Shouted(text.upper(), truncated="very long" in text) for text in texts]


def reader(*pieces: bytes) -> Callable[[int], bytes]:
    rest = iter(pieces)
    return lambda size: next(rest, b"")


def test_one_line_each_in_order() -> None:
    written: list[bytes] = []
    tally = translate_stream(
        reader(b"uno\n\ndue\r\n \n", b"tre\x00\xe2\x80\xa8!\xff\nquat", b"tro"), written.append, shout
    )
    assert b"".join(written).decode().split("\n") == ["UNO", "", "DUE", "", "TRE  !\ufffd", "QUATTRO", ""]
    assert (tally.count, tally.truncated) == (6, 0)


def test_what_is_complete_is_written_before_more_is_read() -> None:
    """Somebody at a terminal must see the answer before typing the next sentence."""
    events: list[str] = []

    def read(size: int) -> bytes:
        events.append("read")
        return b"ciao\n" if len(events) < 4 else b""

    translate_stream(read, lambda data: events.append(data.decode()), shout)
    assert events == ["read", "CIAO\n", "read", "CIAO\n", "read"]


def test_translations_cannot_break_lines() -> None:
    written: list[bytes] = []
    translate_stream(reader(b"a\nb\n"), written.append, lambda texts: [Shouted("x\ny\r\u2028z\x85")] * len(texts))
    assert b"".join(written) == b"x y  z\nx y  z\n"


def test_incomplete_translations_are_counted() -> None:
    assert translate_stream(reader(b"a very long one\nshort\n"), lambda data: None, shout).truncated == 1


def test_progress_adds_up_to_the_input() -> None:
    seen: list[tuple[int, int]] = []
    translate_stream(
        reader(b"uno\ndue\n", b"tre\n"),
        lambda data: None,
        shout,
        lambda lines, size_bytes: seen.append((lines, size_bytes)),
    )
    assert seen == [(2, 8), (1, 4)]


def test_memory_does_not_grow_with_the_input() -> None:
    piece = b"una frase non troppo lunga\n" * 2000
    count = 0

    def read(size: int) -> bytes:
        nonlocal count
        count += 1
        return piece if count <= 80 else b""

    tracemalloc.start()
    try:
        tally = translate_stream(read, lambda data: None, shout)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert tally.count == 160_000
    assert peak < 60 * len(piece), f"{peak} bytes at the peak for pieces of {len(piece)}"

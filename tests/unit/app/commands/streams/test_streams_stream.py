"""`translate_stream`: order, one line each, bounded memory, and what is told on the way."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.commands.streams.stream import Piece, Tally, translate_stream, without_first
from app.corpora.files.lines import read_lines
from app.errors import AppError


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


def pieces(read: Callable[[int], bytes]) -> Iterator[Piece]:
    """As `pieces_of`, for lines of five bytes."""
    position = 0
    for lines in read_lines(read):
        position += 5 * len(lines)
        yield Piece(lines, position)


def translated(read: Callable[[int], bytes], processes: int) -> tuple[bytes, Tally]:
    written: list[bytes] = []
    tally = translate_stream(pieces(read), written.append, shout, processes=processes)
    return b"".join(written), tally


def test_one_line_each_in_order() -> None:
    written, tally = translated(reader(b"uno\n\ndue\r\n \n", b"tre\x00\xe2\x80\xa8!\xff\nquat", b"tro"), 1)
    assert written.decode().split("\n") == ["UNO", "", "DUE", "", "TRE  !\ufffd", "QUATTRO", ""]
    assert (tally.count, tally.truncated) == (6, 0)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_several_processes_give_the_same() -> None:
    pieces = [b"uno\n", b"due\n" * 3000, b"tre\n\n" * 3000, b"quat", b"tro"]
    assert translated(reader(*pieces), 3) == translated(reader(*pieces), 1)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_processes_are_started_only_when_there_is_much() -> None:
    def who(texts: Sequence[str]) -> list[Shouted]:
        return [Shouted(str(os.getpid()))] * len(texts)

    written: list[bytes] = []
    read = reader(b"uno\n", b"due\n", *[b"tanto\n" * 3000] * 4, b"poco\n")
    translate_stream(pieces(read), written.append, who, processes=2)
    found = [set(data.split()) for data in written]
    here, (first, second) = {b"%d" % os.getpid()}, found[2:4]
    assert found == [here, here, first, second, first, second, first]
    assert len(first | second | here) == 3


@given(st.binary(max_size=3000), st.integers(1, 40))
def test_as_many_lines_as_there_were(data: bytes, size: int) -> None:
    """Whatever the bytes, and however they are cut."""
    cut = [data[start : start + size] for start in range(0, len(data), size)]
    written, tally = translated(reader(*cut), 1)
    assert written.count(b"\n") == tally.count == data.count(b"\n") + (not data.endswith(b"\n") and data != b"")
    assert len(written.decode().splitlines()) == tally.count


def test_what_is_complete_is_written_before_more_is_read() -> None:
    """Somebody at a terminal must see the answer before typing the next sentence."""
    events: list[str] = []

    def read(size: int) -> bytes:
        events.append("read")
        return b"ciao\n" if len(events) < 4 else b""

    translate_stream(pieces(read), lambda data: events.append(data.decode()), shout)
    assert events == ["read", "CIAO\n", "read", "CIAO\n", "read"]


def test_translations_cannot_break_lines() -> None:
    written: list[bytes] = []
    translate_stream(
        pieces(reader(b"a\nb\n")), written.append, lambda texts: [Shouted("x\ny\r\u2028z\x85")] * len(texts)
    )
    assert b"".join(written) == b"x y  z\nx y  z\n"


def test_incomplete_translations_are_counted() -> None:
    assert translated(reader(b"a very long one\nshort\n"), 1)[1].truncated == 1


def test_progress_adds_up_to_the_input() -> None:
    seen: list[tuple[int, int]] = []
    translate_stream(
        pieces(reader(b"due \ndue \n", b"tre \n")),
        lambda data: None,
        shout,
        lambda count, position: seen.append((count, position)),
    )
    assert seen == [(2, 10), (1, 15)]


@pytest.mark.parametrize(("count", "left"), [(0, [b"a", b"b", b"c"]), (1, [b"b", b"c"]), (2, [b"c"]), (3, [])])
def test_lines_that_were_done_are_left_out(count: int, left: list[bytes]) -> None:
    found = without_first(pieces(reader(b"a\nb\n", b"c")), count)
    assert [line for piece in found for line in piece.lines] == left


def test_more_lines_done_than_there_are_is_an_error() -> None:
    with pytest.raises(AppError, match="has 4 lines and the input only 3"):
        without_first(pieces(reader(b"a\nb\n", b"c")), 4)


def test_memory_does_not_grow_with_the_input() -> None:
    piece = b"una frase non troppo lunga\n" * 2000
    count = 0

    def read(size: int) -> bytes:
        nonlocal count
        count += 1
        return piece if count <= 80 else b""

    tracemalloc.start()
    try:
        tally = translate_stream(pieces(read), lambda data: None, shout)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert tally.count == 160_000
    assert peak < 60 * len(piece), f"{peak} bytes at the peak for pieces of {len(piece)}"

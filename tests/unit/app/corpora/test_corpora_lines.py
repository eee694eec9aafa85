"""One line out for each line in, whatever the bytes are and however they arrive."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from app.corpora.files.lines import decode_line, encode_line, read_lines

LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def lines_of(data: bytes, size: int = 1 << 16) -> list[bytes]:
    return [line for lines in read_lines(io.BytesIO(data).read, size) for line in lines]


@given(st.lists(st.binary().map(lambda line: line.replace(b"\n", b""))), st.integers(1, 9))
def test_lines_are_split_at_newline_bytes_only(lines: list[bytes], size: int) -> None:
    assert lines_of(b"".join(line + b"\n" for line in lines), size) == lines


@given(st.binary(min_size=1).map(lambda line: line.replace(b"\n", b"x")))
def test_last_line_counts_without_newline(line: bytes) -> None:
    assert lines_of(b"first\n" + line) == [b"first", line]


def test_nothing_gives_no_lines_and_a_newline_gives_one() -> None:
    assert lines_of(b"") == []
    assert lines_of(b"\n") == [b""]


def test_lines_are_given_as_soon_as_they_are_complete() -> None:
    pieces = iter([b"uno\ndu", b"e", b"\ntre\nquat", b"tro"])
    given_ = read_lines(lambda size: next(pieces, b""))
    assert [next(given_), next(given_), next(given_)] == [[b"uno"], [b"due", b"tre"], [b"quattro"]]


def test_a_line_of_many_pieces_is_not_copied_again_for_each() -> None:
    """Five million reads of one byte would take hours if each copied what came before."""
    assert lines_of(b"a" * 300_000, 1) == [b"a" * 300_000]


@given(st.binary())
def test_decoded_line_is_one_line_of_text(line: bytes) -> None:
    text = decode_line(line)
    text.encode("utf-8")
    assert len(text.splitlines()) <= 1
    assert not set(text) & {"\0", *LINE_ENDS}


@given(st.text())
def test_encoded_line_holds_one_newline(text: str) -> None:
    line = encode_line(text)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert len(line.decode("utf-8").splitlines()) == 1


def test_what_is_cleaned_and_what_is_kept() -> None:
    assert decode_line(b"\xef\xbb\xbfCiao,\tmamma \xe2\x80\xa8e pap\xc3\xa0\r") == "Ciao,\tmamma  e papà"
    assert decode_line(b"perch\xe9 no") == "perch\ufffd no"
    assert decode_line("perché\u00a0no".encode()) == "perché\u00a0no"
    assert encode_line("a\ud800b") == b"a?b\n"

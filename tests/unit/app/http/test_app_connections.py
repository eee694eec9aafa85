"""What an answer is written to: its head goes out with the first of its body."""

from __future__ import annotations

from typing import cast

import pytest

from app.http.connections import _Joined

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"


class Written:
    """A transport that keeps each write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
def written() -> Written:
    return Written()


def joined(written: Written) -> _Joined:
    return _Joined(cast("object", written), written.close)  # type: ignore[arg-type]


def test_head_and_body_are_one_write(written: Written) -> None:
    answer = joined(written)
    answer.write(HEAD)
    assert written.writes == []
    answer.write(b"ciao")
    assert written.writes == [HEAD + b"ciao"]


def test_an_empty_body_sends_the_head(written: Written) -> None:
    answer = joined(written)
    answer.write(HEAD)
    answer.write(b"")
    assert written.writes == [HEAD]


def test_what_comes_later_is_sent_as_it_comes(written: Written) -> None:
    answer = joined(written)
    for data in (HEAD, b"one", b"two", b"", b"three"):
        answer.write(data)
    assert written.writes == [HEAD + b"one", b"two", b"", b"three"]


def test_a_head_without_a_body_is_sent_before_the_end(written: Written) -> None:
    """The program failed between the two: the client must not be left without a word."""
    answer = joined(written)
    answer.write(HEAD)
    answer.close()
    assert written.writes == [HEAD] and written.closed and answer.is_closing()
    untouched = Written()
    joined(untouched).close()
    assert untouched.writes == [] and untouched.closed


def test_an_interim_answer_does_not_wait(written: Written) -> None:
    """The client sends its body only when it has it."""
    answer = joined(written)
    answer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    answer.write(HEAD)
    answer.write(b"ciao")
    assert written.writes == [b"HTTP/1.1 100 Continue\r\n\r\n", HEAD + b"ciao"]

"""Text and JSON lines: what is translated, what stays, and what is wrong with a line."""

from __future__ import annotations

import json

import pytest

from app.corpora.files.kinds import Fields, kind_of, line_with, pieces_of

FIELDS = Fields("text", "english")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.txt", "text"), ("a", "text"), ("a.it.GZ", "text"), ("a.JSONL", "jsonl"), ("a.ndjson.zst", "jsonl"),
     ("a.jsonl.gz", "jsonl"), ("a.parquet", "parquet"), ("jsonl", "text")],
)  # fmt: skip
def test_the_name_says_what_it_is(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_a_field_is_added_and_all_else_stays_byte_for_byte() -> None:
    line = b'  {"n":1.50, "text" : "Ciao,\\n\\u00e8 tardi", "x":{"y":[]}} \r'
    (piece,) = pieces_of("jsonl", [line], FIELDS)
    assert piece.text == "Ciao,\nè tardi"
    done = line_with("jsonl", line, 'Hello, "it\'s" late', FIELDS)
    assert done == line[:-3] + b', "english": "Hello, \\"it\'s\\" late"} \r\n'
    assert json.loads(done)["english"] == 'Hello, "it\'s" late'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"text": "a"', "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b'["text"]', "it is not a JSON object"),
        (b'{"test": "a"}', "it has no field 'text'"),
        (b'{"text": null}', "its field 'text' is not a string"),
        (b'{"text": "a", "english": ""}', "it has a field 'english' already"),
        (b'{"text": "\xe8"}', "byte 0xE8 at 11 is not UTF-8"),
    ],
)
def test_what_is_wrong_with_a_line(line: bytes, problem: str) -> None:
    (piece,) = pieces_of("jsonl", [line], FIELDS)
    assert piece.text is None
    assert (piece.problem or "").startswith(problem)
    assert line_with("jsonl", line, None, FIELDS) == line + b"\n"


@pytest.mark.parametrize("line", [b" ", b"", b"\xef\xbb\xbf"])
def test_an_empty_line_is_no_mistake(line: bytes) -> None:
    (piece,) = pieces_of("jsonl", [line], FIELDS)
    assert (piece.text, piece.problem) == (None, None)


@pytest.mark.parametrize("line", [b'\xef\xbb\xbf{"text": "a"}', b'{"n": ' + b"9" * 5000 + b', "text": "a"}'])
def test_a_byte_order_mark_and_numbers_of_any_length_stay(line: bytes) -> None:
    (piece,) = pieces_of("jsonl", [line], FIELDS)
    assert (piece.text, piece.problem) == ("a", None)
    assert line_with("jsonl", line, "b", FIELDS) == line[:-1] + b', "english": "b"}\n'


def test_half_a_character_is_none() -> None:
    (piece,) = pieces_of("jsonl", [b'{"text": "a\\ud83d"}'], FIELDS)
    assert piece.text == "a\ufffd"
    assert line_with("jsonl", b"{}", "b\ud83d", FIELDS).decode().endswith('"b\ufffd"}\n')

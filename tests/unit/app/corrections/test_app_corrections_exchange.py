"""Corrections in files: JSON lines and TMX, ours and those of strangers."""

from __future__ import annotations

import datetime as dt
import io
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from app.corrections import tmx
from app.corrections.exchange import read
from app.corrections.records import MAX_LINE_BYTES, Entry, Record, read_jsonl, to_jsonl

ROOT = Path(__file__).parents[4]
MOMENT = dt.datetime(2026, 5, 4, 3, 2, 1, 987654, dt.UTC)
HEADER = (
    '<header creationtool="x" creationtoolversion="1" segtype="sentence" o-tmf="x" adminlang="en" srclang="{}" '
    'datatype="plaintext"/>'
)
BILLION_LAUGHS = (
    '<!DOCTYPE tmx [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 10))
    + "]>"
)
DTD = """
<!ELEMENT tmx (header,body)> <!ATTLIST tmx version CDATA #REQUIRED>
<!ELEMENT header (note|prop|ude)*>
<!ATTLIST header creationtool CDATA #REQUIRED creationtoolversion CDATA #REQUIRED segtype CDATA #REQUIRED
  o-tmf CDATA #REQUIRED adminlang CDATA #REQUIRED srclang CDATA #REQUIRED datatype CDATA #REQUIRED>
<!ELEMENT note (#PCDATA)> <!ELEMENT ude EMPTY>
<!ELEMENT body (tu*)>
<!ELEMENT tu ((note|prop)*,tuv+)>
<!ATTLIST tu tuid CDATA #IMPLIED creationdate CDATA #IMPLIED changedate CDATA #IMPLIED srclang CDATA #IMPLIED>
<!ELEMENT prop (#PCDATA)> <!ATTLIST prop type CDATA #REQUIRED>
<!ELEMENT tuv ((note|prop)*,seg)> <!ATTLIST tuv xml:lang CDATA #REQUIRED>
<!ELEMENT seg (#PCDATA)>
"""
"""The part of TMX 1.4b's that we use."""


def whole(number: int = 0) -> Record:
    """A record in which nothing is missing."""
    return Record(
        id=uuid.UUID(int=number + 1), source="it", target="en",
        source_text=f" Il <b>gatto</b> n. {number} & così\r\n 😀. ",
        machine_translation="The \u2028 cat", corrected_translation="\tThe <b>cat</b>\u00a0is ]]> so 😀.\n",
        model_version="v 1", status="rejected", reason='"no"', marks=["numbers: 3", "length: x"], created_at=MOMENT,
        changed_at=MOMENT, reviewed_at=MOMENT, trained_in=["v2", "v3"],
    )  # fmt: skip


def bare(source: str = "Il gatto dorme.", target: str = "The cat sleeps.") -> Record:
    return Record(source="it", target="en", source_text=source, corrected_translation=target)


def file_of(*units: str, before: str = "", srclang: str = "it", attributes: str = "") -> bytes:
    """A TMX file as another program writes it."""
    body = "".join(units)
    start = f'<?xml version="1.0" encoding="UTF-8"?>{before}<tmx version="1.4"{attributes}>'
    return f"{start}\n{HEADER.format(srclang)}<body>\n{body}</body></tmx>".encode()


def unit(italian: str = "Il gatto.", english: str = "The cat.", codes: tuple[str, str] = ("it-IT", "EN-gb")) -> str:
    return (
        f'<tu>\n<tuv xml:lang="{codes[0]}"><seg>{italian}</seg></tuv>\n'
        f'<tuv xml:lang="{codes[1]}"><seg>{english}</seg></tuv></tu>\n'
    )


def tmx_entries(data: bytes, pair: str | None = None) -> list[Entry]:
    return list(tmx.read_tmx(io.BytesIO(data), pair))


def jsonl_entries(data: bytes) -> list[Entry]:
    return list(read_jsonl(io.BytesIO(data)))


def texts(entries: list[Entry]) -> list[tuple[str, str] | None]:
    return [entry.record and (entry.record.source_text, entry.record.corrected_translation) for entry in entries]


def refused(entries: list[Entry], *words: str) -> Entry:
    """The one entry that is refused; it must be the last, and its reason must say `words`."""
    assert [entry for entry in entries if entry.record is None] == entries[-1:], entries
    for word in words:
        assert word in entries[-1].problem, entries[-1].problem
    return entries[-1]


# --- JSON lines ----------------------------------------------------------------------------------------------------


def test_a_line_of_json_holds_everything() -> None:
    records = [whole(), bare()]
    data = b"".join(map(to_jsonl, records))
    assert data.count(b"\n") == 2, "a record must be one line"
    assert [entry.record for entry in jsonl_entries(data)] == records
    assert "è".encode() in to_jsonl(bare("È così: è."))


def test_little_must_be_there_and_codes_of_languages_may_be_long() -> None:
    line = b'{"source": "IT", "target": "en_GB", "source_text": "Ciao.", "corrected_translation": "Hi."}'
    (entry,) = jsonl_entries(b"\xef\xbb\xbf\n" + line)
    assert entry.line == 2
    assert entry.record == bare("Ciao.", "Hi.")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"not json", "not valid JSON"),
        (b'["a"]', "not a JSON object"),
        (b'{"source": "it", "target": "en", "source_text": "a"}', "corrected_translation: is required"),
        (b'{"source": "fr", "target": "en", "source_text": "a", "corrected_translation": "b"}', "source"),
        (b'{"source": "it", "target": "en", "source_text": 1, "corrected_translation": "b"}', "source_text"),
        (b'{"source": "it", "target": "en", "source_text": "\\ud800", "corrected_translation": "b"}', "JSON"),
        (b'{"source": "it", "target": "en", "source_text": "\xff", "corrected_translation": "b"}', "JSON"),
        (b'{"source": "it", "target": "en", "source_text": "a", "corrected": "b"}', "corrected: is not a known field"),
        (b"[" * 100_000, "JSON"),
        (
            to_jsonl(bare()).replace(b'"created_at":null', b'"created_at":"0001-01-01T00:00:00+14:00"')[:-1],
            "created_at",
        ),
    ],
)
def test_a_malformed_line_is_told_by_its_number_and_the_rest_goes_on(line: bytes, word: str) -> None:
    good = to_jsonl(bare())
    before, wrong, after = jsonl_entries(good + line + b"\n\n" + good)
    assert (before.record, after.record) == (bare(), bare())
    assert (wrong.line, wrong.record, after.line) == (2, None, 4)
    assert word in wrong.problem


@pytest.mark.parametrize("field", ["model_version", "reason", "marks"])
def test_notes_hold_no_control_characters(field: str) -> None:
    value = ["a\0b"] if field == "marks" else "a\0b"
    line = to_jsonl(bare().model_copy(update={field: value}))
    assert "control character U+0000" in refused(jsonl_entries(line)).problem


def test_a_line_of_100_megabytes_is_not_held() -> None:
    class Endless(io.RawIOBase):
        """A line of 100 MB, then a good one; counts what is asked for at once."""

        def __init__(self) -> None:
            self.left = 100_000_000
            self.most = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            assert size is not None and size > 0, "the whole line would be held"
            self.most = max(self.most, size)
            if self.left == 0:
                return next(lines)
            self.left -= (taken := min(size, self.left))
            return b"x" * taken if self.left else b"x" * (taken - 1) + b"\n"

    lines: Iterator[bytes] = iter((to_jsonl(bare()), b""))
    file = Endless()
    too_long, good = read_jsonl(file)  # type: ignore[arg-type]
    assert (too_long.line, too_long.record, good.line, good.record) == (1, None, 2, bare())
    assert file.most <= MAX_LINE_BYTES + 1


def test_lines_of_another_pair_are_refused() -> None:
    data = to_jsonl(bare()) + to_jsonl(Record(source="en", target="it", source_text="a", corrected_translation="b"))
    entries = list(read(io.BytesIO(data), "jsonl", "it-en"))
    assert entries[0].record == bare()
    refused(entries, "en-it")


# --- TMX -----------------------------------------------------------------------------------------------------------


def test_tmx_gives_back_all_that_was_written() -> None:
    records = [whole(number) for number in range(3)] + [bare()]
    data = tmx.head() + b"".join(map(tmx.to_unit, records)) + tmx.END
    assert [entry.record for entry in tmx_entries(data)[:3]] == records[:3]
    assert texts(tmx_entries(data))[3] == ("Il gatto dorme.", "The cat sleeps.")


def test_what_is_written_is_valid_tmx() -> None:
    document = etree.fromstring(tmx.head("it") + tmx.to_unit(whole()) + tmx.to_unit(bare()) + tmx.END)
    dtd = etree.DTD(io.StringIO(DTD))
    assert dtd.validate(document), dtd.error_log
    unit = document.find("body/tu")
    assert unit is not None
    assert (unit.get("creationdate"), unit.get("srclang")) == ("20260504T030201Z", "it")


def test_characters_that_xml_lacks_do_not_break_the_file() -> None:
    record = bare().model_copy(update={"machine_translation": "a\x01b\ufffe", "source_text": "È \x0c qui."})
    (entry,) = tmx_entries(tmx.head() + tmx.to_unit(record) + tmx.END)
    assert entry.record is not None
    assert (entry.record.machine_translation, entry.record.source_text) == ("a\ufffdb\ufffd", "È \ufffd qui.")


def test_units_of_other_programs() -> None:
    entries = tmx_entries(
        file_of(unit("\n  Il gatto.\n"), unit("Il cane.", "The dog.", ("IT", "en")), '<tu tuid="7"><tuv lang="en-US">'
                "<prop type='status'>approved</prop><seg>Hi &amp; bye.</seg></tuv><tuv lang='it'><seg>Ciao.</seg></tuv>"
                "<tuv lang='fr'><seg>Salut.</seg></tuv></tu>")
    )  # fmt: skip
    assert texts(entries) == [("Il gatto.", "The cat."), ("Il cane.", "The dog."), ("Ciao.", "Hi & bye.")]
    assert [entry.line for entry in entries] == [3, 8, 11]
    assert entries[2].record is not None
    assert (entries[2].record.id, entries[2].record.status) == (None, None), "only our own properties count"


def test_a_file_can_be_read_in_either_direction() -> None:
    data = file_of(unit())
    assert texts(tmx_entries(data, "en-it")) == [("The cat.", "Il gatto.")]
    ours = tmx.head() + tmx.to_unit(whole()) + tmx.END
    (entry,) = tmx_entries(ours, "en-it")
    assert entry.record is not None
    assert (entry.record.id, entry.record.machine_translation) == (None, ""), "the other way round it is another one"


@pytest.mark.parametrize(
    ("data", "pair", "word"),
    [
        (file_of(unit(), srclang="*all*"), None, "name the pair"),
        (file_of(unit(codes=("xx", "tlh"))), None, "no text in it and en"),
        (file_of(unit(codes=("fr", "en"))), "it-en", "no text in it"),
        (file_of("<tu><tuv xml:lang='it'/></tu>"), None, "no text"),
        (file_of(unit(codes=("it", "it"))), None, "two different texts in it"),
        (file_of(unit("&odd;"), before='<!DOCTYPE tmx SYSTEM "tmx14.dtd">'), None, "entity"),
    ],
)
def test_a_unit_that_is_no_correction_is_refused_alone(data: bytes, pair: str | None, word: str) -> None:
    refused(tmx_entries(data, pair), word)
    more = data.replace(b"</body>", b"<tu srclang='it'>" + unit().split("<tu>")[1].encode() + b"</body>")
    assert texts(tmx_entries(more, pair)) == [None, ("Il gatto.", "The cat.")]


@pytest.mark.parametrize("place", ["<seg>", "<tu", "<tmx"])
def test_a_billion_laughs_stay_unheard(place: str) -> None:
    inside = "<seg>&a9;" if place == "<seg>" else f'{place} x="&a9;"'
    data = file_of(unit(), before=BILLION_LAUGHS).replace(place.encode(), inside.encode(), 1)
    assert b"&a9;" in data
    refused(tmx_entries(data), "entit")


@pytest.mark.parametrize("declared", ['<!ENTITY x SYSTEM "file://{}">', '<!ENTITY % y SYSTEM "file://{}"> %y;'])
def test_other_files_are_never_opened(declared: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # to open it would wait for ever, and the test would time out
    data = file_of(unit("&x;"), before=f"<!DOCTYPE tmx [{declared.format(pipe)}]>")
    refused(tmx_entries(data), "declares entities")


def test_a_dtd_is_not_opened_and_hinders_nothing(tmp_path: Path) -> None:
    pipe = tmp_path / "tmx14.dtd"
    os.mkfifo(pipe)
    data = file_of(unit(), before=f'<!DOCTYPE tmx SYSTEM "file://{pipe}">')
    assert texts(tmx_entries(data)) == [("Il gatto.", "The cat.")]


@pytest.mark.parametrize(
    ("rest", "word"),
    [
        (unit("a" * 20_000_000), "larger than"),
        (unit("<hi>a</hi>" * 500_000), "larger than"),
        (unit("<hi>" * 1000 + "</hi>" * 1000), "depth"),
        (unit("a\0b"), "not well-formed"),
        (unit("a&#0;b"), "not well-formed"),
        ("<tu>", "not well-formed"),
    ],
)
def test_reading_ends_where_a_file_turns_hostile_and_keeps_what_was_before(rest: str, word: str) -> None:
    entries = tmx_entries(file_of(unit(), rest))
    assert texts(entries) == [("Il gatto.", "The cat."), None]
    refused(entries, word)


def test_other_encodings_are_read_if_they_are_declared() -> None:
    text = file_of(unit("È già là.")).decode()
    for encoding in ("iso-8859-1", "utf-16"):
        data = text.replace('encoding="UTF-8"', f'encoding="{encoding}"').encode(encoding)
        assert texts(tmx_entries(data)) == [("È già là.", "The cat.")]
    entries = tmx_entries(file_of(unit())[:-13] + "<tu>è".encode("latin-1"))
    assert texts(entries) == [("Il gatto.", "The cat."), None]
    refused(entries, "not well-formed")


@pytest.mark.parametrize("data", [b"", b'{"a": 1}', b"<html><body><p/></body></html>", bytes(range(256))])
def test_what_is_no_tmx_is_refused(data: bytes) -> None:
    assert len(tmx_entries(data)) == 1
    refused(tmx_entries(data))


def test_units_may_lie_across_the_pieces_that_are_read() -> None:
    records = [whole(number) for number in range(300)]
    data = tmx.head() + b"".join(map(tmx.to_unit, records)) + tmx.END
    assert len(data) > 3 * tmx.READ_BYTES
    assert [entry.record for entry in tmx_entries(data)] == records


READ_AND_MEASURE = """
import resource, sys
from app.corrections import tmx
def used(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open(sys.argv[1], "rb") as file:
    entries = tmx.read_tmx(file)
    next(entries)
    before = used()
    print(sum(entry.record is not None for entry in entries), used() - before)
"""


def test_what_was_read_of_a_large_file_is_forgotten(tmp_path: Path) -> None:
    file, units = tmp_path / "large.tmx", 10_000
    file.write_bytes(tmx.head() + tmx.to_unit(whole()) * units + tmx.END)
    command = [sys.executable, "-c", READ_AND_MEASURE, str(file)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, cwd=ROOT)
    read, grown_kib = map(int, result.stdout.split())
    assert read == units - 1
    assert grown_kib * 1024 < file.stat().st_size, "the tree of the whole file, several times its size, was kept"

"""Shards: every line is in exactly one, whatever blocks a file is read in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.corpora.cutting import Cut, count, cut, spans
from app.corpora.files import places
from app.corpora.files.kinds import Fields, lines_in
from app.errors import AppError


@settings(deadline=None)  # the first imports NumPy
@given(st.lists(st.sampled_from([b"", b"a", b"\n", b"bc\n", b"\n\n", b"d\ne"])), st.integers(1, 4))
def test_the_shards_of_a_text_are_its_lines(blocks: list[bytes], shard_lines: int) -> None:
    data = b"".join(blocks)
    lines, cuts = count([block for block in blocks if block], shard_lines)
    file = Cut("a.txt", len(data), "", lines, cuts)
    parts = spans(file, shard_lines)
    assert lines == len(lines_in(data))
    assert [line for part in parts for line in lines_in(data[part.start : part.end])] == lines_in(data)
    assert all(part.lines == len(lines_in(data[part.start : part.end])) for part in parts)
    assert all(part.lines == shard_lines for part in parts[:-1])
    assert [part.first for part in parts] == list(range(0, lines, shard_lines))


def test_the_shards_of_a_table_keep_to_its_row_groups() -> None:
    parts = spans(Cut("a.parquet", 1, "", 8, [3, 0, 5]), 2)
    assert [(part.group, part.start, part.end, part.first, part.lines) for part in parts] == [
        (0, 0, 2, 0, 2), (0, 2, 3, 2, 1), (2, 0, 2, 3, 2), (2, 2, 4, 5, 2), (2, 4, 5, 7, 1),
    ]  # fmt: skip


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"\x89PNG\r\n\0\0")
    (found,) = places.found_at(str(tmp_path / "cat.png"))
    with pytest.raises(AppError, match=r"cat\.png: it is not text: byte 7 is 0"):
        cut(str(tmp_path / "cat.png"), found, 2, Fields(), "")

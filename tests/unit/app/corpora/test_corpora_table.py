"""Parquet: each row group is read once for its shards, and a full disk is told of the output."""

from __future__ import annotations

from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from app.corpora.files import places, table
from app.corpora.files.kinds import Fields
from app.errors import AppError

FIELDS = Fields()


@pytest.fixture
def place(tmp_path: Path) -> str:
    """Two row groups of four rows."""
    rows = pyarrow.table({"text": [f"riga {row}" for row in range(8)]})
    pyarrow.parquet.write_table(rows, tmp_path / "a.parquet", row_group_size=4)
    return str(tmp_path / "a.parquet")


def test_neighbouring_shards_of_a_row_group_read_it_once(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, read = places.opened, []
    monkeypatch.setattr(places, "opened", lambda place: (read.append(place), opened(place))[1])
    column = table.Column(FIELDS)
    texts = [
        piece.text for group in (0, 1, 0) for rows in ((0, 2), (2, 4)) for piece in column.pieces_of(place, group, rows)
    ]
    assert texts == [f"riga {row}" for row in (*range(8), *range(4))]
    assert len(read) == 3


def test_a_full_disk_is_told_of_the_output(place: str, tmp_path: Path) -> None:
    target, shards = str(tmp_path / "b.parquet"), [table.lines_of(["line"] * 8)]
    with (
        pytest.raises(AppError, match=r"b\.parquet: No space left on device"),
        places.written(target),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        table.write_with(place, full, shards, FIELDS)


def test_an_input_that_is_gone_is_told_of_the_input(tmp_path: Path) -> None:
    with pytest.raises(AppError, match=r"a\.parquet: there is no such file"), places.written(f"{tmp_path}/b") as output:
        table.write_with(f"{tmp_path}/a.parquet", output, [], FIELDS)

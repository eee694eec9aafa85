"""Parquet: a column is read, a row group at a time, and another is added to all that is there."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import IO, Any

from app.corpora.files import places
from app.corpora.files.extra import needed_for
from app.corpora.files.kinds import Fields, Piece, clean
from app.errors import AppError


def group_sizes(place: str, fields: Fields) -> list[int]:
    """The rows of each row group.

    Raises:
        AppError: it is not a Parquet file, has no column of text of that name, or has the other column already.
    """
    with _opened(place) as file:
        _check(place, file.schema_arrow, fields)
        return [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]


class Column:
    """The column of a row group that was read last, for its shards follow one another. Of one process and run."""

    def __init__(self, fields: Fields) -> None:
        self._field = fields.source
        self._read: tuple[str, int] | None = None
        self._cells: Any = None

    def pieces_of(self, place: str, group: int, rows: tuple[int, int]) -> list[Piece]:
        """What is translated of `rows`, from the first to before the second; of an empty cell nothing."""
        if self._read != (place, group):
            self._read = self._cells = None  # not two at once in memory
            with _opened(place) as file:
                self._cells = file.read_row_group(group, columns=[self._field]).column(self._field)
            self._read = (place, group)
        cells = self._cells.slice(rows[0], rows[1] - rows[0]).to_pylist()
        return [Piece(None if cell is None else clean(cell)) for cell in cells]


def lines_of(translations: Sequence[str | None]) -> bytes:
    """The shape in which translations of rows are kept until all are there."""
    return b"".join(json.dumps(text).encode() + b"\n" for text in translations)


def write_with(place: str, output: IO[bytes], shards: Iterable[bytes], fields: Fields) -> None:
    """Write the table at `place` to `output`, with a column of what `shards` hold, one shard after the other.

    Raises:
        AppError: the table cannot be read.
        OSError: the output cannot be written.
    """
    with needed_for(place):
        import pyarrow
        import pyarrow.parquet
    with _opened(place) as file:
        schema, compression = file.schema_arrow, _compression(file)
    schema = schema.append(pyarrow.field(fields.target, pyarrow.string()))
    found = (json.loads(line) for shard in shards for line in shard.splitlines())
    with (
        closing(_groups(place)) as groups,
        pyarrow.parquet.ParquetWriter(output, schema, compression=compression) as writer,
    ):
        for table in groups:
            column = pyarrow.array([next(found) for _ in range(len(table))], pyarrow.string())
            whole = table.append_column(fields.target, column).replace_schema_metadata(schema.metadata)
            writer.write_table(whole, row_group_size=max(1, len(whole)))


def _groups(place: str) -> Generator[Any]:
    """The row groups; while one is written the errors are not those of this file."""
    with _opened(place) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


def _compression(file: Any) -> str:
    """As the first column has it."""
    if not file.num_row_groups:
        return "snappy"
    name = str(file.metadata.row_group(0).column(0).compression).lower()
    return "none" if name == "uncompressed" else name


def _check(place: str, schema: Any, fields: Fields) -> None:
    from pyarrow import types

    if fields.source not in schema.names:
        raise AppError(f"{place}: it has no column {fields.source!r}, but {', '.join(schema.names)}; --field names one")
    if fields.target in schema.names:
        raise AppError(f"{place}: it has a column {fields.target!r} already; --to-field names another")
    of = schema.field(fields.source).type
    of = of.value_type if types.is_dictionary(of) else of
    if not (types.is_string(of) or types.is_large_string(of) or types.is_string_view(of)):
        raise AppError(f"{place}: its column {fields.source!r} is of {of}, not of text")


@contextmanager
def _opened(place: str) -> Iterator[Any]:
    with needed_for(place):
        import pyarrow
        import pyarrow.parquet
    with places.opened(place) as stream:
        try:
            file = pyarrow.parquet.ParquetFile(stream)
        except pyarrow.ArrowException as error:
            raise AppError(f"{place}: it is not a Parquet file: {error}") from None
        yield file

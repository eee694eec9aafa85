"""Where the shards of a file begin and end: lines are counted once, so that each shard can be read by itself."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from app.corpora.files import places, table
from app.corpora.files.kinds import Fields, Kind, kind_of
from app.corpora.files.packing import blocks_of, packing_of
from app.corpora.files.places import Found
from app.errors import AppError

LOOK_BYTES = 1 << 16
"""Of a file without a known ending so much is looked at, whether it is text."""


@dataclass(frozen=True)
class Cut:
    """A file of the input, and where it is cut."""

    name: str
    size: int
    stamp: str
    lines: int
    cuts: list[int] = field(default_factory=list)
    """Bytes at which a shard begins, and the end of the file; of Parquet, the rows of each row group."""

    @property
    def kind(self) -> Kind:
        """What it is."""
        return kind_of(self.name)


@dataclass(frozen=True)
class Span:
    """The part of a file that is one shard."""

    first: int
    """How many lines of the file are before it."""
    lines: int
    start: int
    """Bytes; of Parquet, rows of the row group."""
    end: int
    group: int = 0


def cut(source: str, found: Found, shard_lines: int, fields: Fields, unpacked: str) -> Cut:
    """Count the lines of the file at `source`; one that is packed is unpacked into the file `unpacked` on the way.

    Raises:
        AppError: it cannot be read, or is not what its name says.
    """
    if kind_of(found.name) == "parquet":
        groups = table.group_sizes(source, fields)
        return Cut(found.name, found.size, found.stamp, sum(groups), groups)
    with closing(_blocks(source)) as blocks:
        if packing_of(found.name):
            with places.written(unpacked) as copy:
                lines, cuts = count(_copied(blocks, copy.write), shard_lines)
        else:
            lines, cuts = count(blocks, shard_lines)
    return Cut(found.name, found.size, found.stamp, lines, cuts)


def count(blocks: Iterable[bytes], shard_lines: int) -> tuple[int, list[int]]:
    """How many lines there are, and the bytes at which every `shard_lines` of them begin, and the end."""
    import numpy as np

    lines = size = 0
    cuts, is_torn = [0], False
    for block in blocks:
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
        wanted = range(shard_lines - lines % shard_lines - 1, len(ends), shard_lines)
        cuts += [size + int(ends[index]) + 1 for index in wanted]
        lines, size, is_torn = lines + len(ends), size + len(block), not block.endswith(b"\n")
    if cuts[-1] != size:
        cuts.append(size)
    return lines + is_torn, cuts


def spans(file: Cut, shard_lines: int) -> list[Span]:
    """The shards of a file, in its order."""
    if file.kind == "parquet":
        return list(_row_spans(file.cuts, shard_lines))
    starts = zip(file.cuts, file.cuts[1:], strict=False)
    firsts = range(0, file.lines, shard_lines)
    return [
        Span(first, min(shard_lines, file.lines - first), start, end)
        for first, (start, end) in zip(firsts, starts, strict=True)
    ]


def _row_spans(groups: list[int], shard_lines: int) -> Iterator[Span]:
    before = 0
    for group, rows in enumerate(groups):
        for start in range(0, rows, shard_lines):
            end = min(start + shard_lines, rows)
            yield Span(before + start, end - start, start, end, group)
        before += rows


def _blocks(source: str) -> Generator[bytes]:
    """What a file of text holds, unpacked; errors inside are its own, not those of what is written meanwhile."""
    with places.opened(source) as file:
        yield from _text_only(blocks_of(file, source), source)


def _copied(blocks: Iterable[bytes], write: Callable[[bytes], object]) -> Iterator[bytes]:
    for block in blocks:
        write(block)
        yield block


def _text_only(blocks: Iterable[bytes], source: str) -> Iterator[bytes]:
    """Refuse what is plainly no text, such as a picture that lies among the texts."""
    position = 0
    for block in blocks:
        if position < LOOK_BYTES and (at := block[: LOOK_BYTES - position].find(b"\0")) >= 0:
            raise AppError(f"{source}: it is not text: byte {position + at + 1} is 0; take it out of the folder")
        position += len(block)
        yield block

"""What people are told at the end of a run, by workers that translate nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from app.corpora.files import places
from app.corpora.plan import How, Model
from app.corpora.run import Advance, Order, Told, translate_corpus
from app.corpora.shards import Made, Shard, Task


class Echo:
    """Copies what it is given, and ends after `most` shards; every shard has a truncated line."""

    model = Model("it-en", "one", "0" * 64, "fp32")
    count = 1
    unit = "CPU"

    def __init__(self, most: int = 99) -> None:
        self.most = most

    def results(self, shards: Sequence[Shard], task: Task) -> Iterator[tuple[int, Made]]:
        for index, shard in enumerate(shards):
            if index == self.most:
                raise KeyboardInterrupt
            places.write(shard.target, places.read(shard.source, shard.start, shard.end))
            yield index, Made(shard.lines, 9, 0.1, truncated=1)


def bar(lines: int, done: int) -> AbstractContextManager[Advance]:
    return nullcontext(lambda count, position: None)


def translated(folder: Path, workers: Echo) -> list[str]:
    """What is told of a run over ten lines, in shards of two."""
    if not (folder / "a.txt").exists():
        (folder / "a.txt").write_text("42\n" * 10)
    said: list[str] = []
    order = Order(f"{folder}/a.txt", f"{folder}/b.txt", How(1, "text", "translation", 2))
    translate_corpus(order, lambda: workers, Told(said.append, bar))
    return said


def test_translations_that_may_be_incomplete_are_told(tmp_path: Path) -> None:
    said = translated(tmp_path, Echo())
    assert "5 of 10 reached the limit of words; their translations may be incomplete" in said
    assert not any("done before" in line for line in said)


def test_counts_after_a_break_say_that_they_are_of_this_run_only(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        translated(tmp_path, Echo(2))
    said = translated(tmp_path, Echo())
    assert "3 of 6 reached the limit of words; their translations may be incomplete" in said
    assert "4 lines were done before, by a run that was ended; all counts are without them" in said
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "b.txt"}

"""One shard, from its bytes to the file with its translation: the same function here and on every machine of a cluster.

    Shard -> read its part of the input -> texts -> one call of the translator -> written whole -> Made

The translator sorts the texts of a call by length. A shard may be done twice, by processes that know nothing of each
other: both write the same bytes.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from app.corpora.cutting import Span
from app.corpora.files import places, table
from app.corpora.files.kinds import Fields, Kind, Piece, line_with, lines_in, pieces_of
from app.corpora.plan import Model
from app.corpora.sharing.one_thread import load_with_one_thread
from app.errors import AppError
from model.config import JsonConfig

if TYPE_CHECKING:
    from model.translator import Translator


@dataclass(frozen=True)
class Shard(JsonConfig):
    """What is read, and where its translation is written; both can be reached by whoever does it."""

    source: str
    about: str
    """The file as people know it."""
    kind: Kind
    first: int
    lines: int
    start: int
    end: int
    group: int
    target: str

    @classmethod
    def of(cls, span: Span, source: str, about: str, kind: Kind, target: str) -> Shard:
        """The shard of a span of the file at `source`."""
        return cls(source, about, kind, span.first, span.lines, span.start, span.end, span.group, target)

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.about}, lines {self.first + 1:,} to {self.first + self.lines:,}"


@dataclass(frozen=True)
class Made(JsonConfig):
    """What became of a shard."""

    lines: int
    characters: int
    seconds: float
    truncated: int
    bad: list[str] = field(default_factory=list)
    """Lines that were left as they are, for people."""


@dataclass(frozen=True)
class Task:
    """What all shards of a run have in common."""

    model: Model
    beam: int
    fields: Fields
    keep_bad: bool
    """Lines that cannot be translated stay as they are; else they are an error."""


def work_with(translator: Translator, task: Task) -> Callable[[Shard], Made]:
    """What does a shard, in this process or in one that is forked."""
    return partial(_done, translator, task, table.Column(task.fields))


def loaded_work(task: Task, device: str) -> Callable[[Shard], Made]:
    """The same for a process that has nothing yet: the translator is found by the settings of its machine.

    Raises:
        AppError: what this machine has under that name is another model.
        VersionError: it has none.
    """
    translator = load(task.model.pair, task.model.version, device, task.model.route)
    if (found := model_of(translator)) != task.model:
        raise AppError(f"{socket.gethostname()} has {found}, but the run is of {task.model}")
    return work_with(translator, task)


def load(pair: str, version: str | None, device: str, route: str, threads: int = 1) -> Translator:
    """The translator of that version, the current one if None, by the settings of this machine.

    It keeps so many cores busy where PyTorch decodes; else each process that calls it keeps one.

    Raises:
        VersionError: there is none, or it is damaged.
        ConfigError: the device or the route is not there.
    """
    load_with_one_thread()  # before NumPy is imported
    from app.settings import load_settings
    from app.versions.store import model_roots
    from model.translator import Translator
    from model.versions import store

    given = {"device": device, "route": route}
    settings = load_settings(**{name: value for name, value in given.items() if value != "auto"})
    folder = store.find(model_roots(settings), pair, version)
    return Translator.load(folder, settings.device, settings.route, threads, shared=True)


def model_of(translator: Translator) -> Model:
    """What tells it from all others."""
    from model.versions.store import WEIGHTS

    card = translator.card
    return Model(card.pair, card.version, card.files[WEIGHTS], translator.route)


def _done(translator: Translator, task: Task, column: table.Column, shard: Shard) -> Made:
    from model.config import SearchConfig

    start = time.perf_counter()
    lines, pieces = _read(shard, task.fields, column)
    bad = [f"{shard.about}, line {shard.first + row + 1:,}: {piece.problem}"
           for row, piece in enumerate(pieces) if piece.problem]  # fmt: skip
    if bad and not task.keep_bad:
        raise AppError(f"{bad[0]}; --bad-lines keep leaves such lines as they are")
    rows = [row for row, piece in enumerate(pieces) if piece.text is not None]
    texts = [piece.text for piece in pieces if piece.text is not None]
    found = translator.translate(texts, SearchConfig(beam=task.beam))
    translations: list[str | None] = [None] * len(pieces)
    for row, translation in zip(rows, found, strict=True):
        translations[row] = translation.text
    places.write(shard.target, _written(shard, lines, translations, task.fields))
    truncated = sum(translation.truncated for translation in found)
    return Made(shard.lines, sum(map(len, texts)), time.perf_counter() - start, truncated, bad)


def _read(shard: Shard, fields: Fields, column: table.Column) -> tuple[Sequence[bytes], list[Piece]]:
    """The lines of a shard, and what of them is translated.

    Raises:
        AppError: the file was changed since the plan was made.
    """
    if shard.kind == "parquet":
        lines: list[bytes] = []
        pieces = column.pieces_of(shard.source, shard.group, (shard.start, shard.end))
    else:
        lines = lines_in(places.read(shard.source, shard.start, shard.end))
        pieces = pieces_of(shard.kind, lines, fields)
    if len(pieces) != shard.lines:
        raise AppError(f"{shard.about}: it was changed while it was translated")
    return lines, pieces


def _written(shard: Shard, lines: Sequence[bytes], translations: Sequence[str | None], fields: Fields) -> bytes:
    if shard.kind == "parquet":
        return table.lines_of(translations)
    return b"".join(
        line_with(shard.kind, line, translation, fields) for line, translation in zip(lines, translations, strict=True)
    )

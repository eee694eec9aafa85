"""The stream of batches: the next pool is drawn in a thread while the current one is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Thread
from zlib import crc32

import sentencepiece
import torch

from model.errors import ConfigError
from model.network.batch import Batch
from model.text.ids import BOS, EOS, PAD, UNK
from training.run.batching import Cursor, Encoded, Pools


class _Drawing(Thread):
    """One pool being drawn. A thread of its own, because SentencePiece seeds its sampling once a thread."""

    def __init__(self, pools: Pools, cursor: Cursor) -> None:
        super().__init__(daemon=True)
        self._pools, self._cursor = pools, cursor
        self._pairs: list[Encoded] = []
        self._error: Exception | None = None
        self.start()

    def run(self) -> None:
        sentencepiece.set_random_generator_seed(crc32(f"{self._pools.seed}/{self._cursor.pool}".encode()))
        try:
            self._pairs = self._pools.draw(self._cursor)
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits for the pairs
            self._error = error

    def pairs(self) -> list[Encoded]:
        """Wait for the pool."""
        self.join()
        if self._error is not None:
            raise self._error
        return self._pairs


def feed(
    pools: Pools, cursor: Cursor, budget: int, worker: tuple[int, int], phase: Callable[[], int]
) -> Iterator[tuple[Cursor, Batch]]:
    """Batches without end from `cursor` on, each with the cursor to resume after it.

    `phase` is asked for the phase of the pool after next, whenever a pool begins.

    Raises:
        ConfigError: nothing is left of a pool, for the groups are empty or every pair is too long.
    """
    drawing = _Drawing(pools, cursor)
    while True:
        pairs = drawing.pairs()
        if not pairs:
            raise ConfigError("no pair to train on: the groups are empty, or every pair is longer than data.max_tokens")
        following = pools.advance(cursor, phase())
        drawing = _Drawing(pools, following)
        for number, batch in enumerate(pools.batches(cursor, pairs, budget, worker), cursor.batch + 1):
            yield replace(cursor, batch=number), batch
        cursor = following


def drop_words(batch: Batch, probability: float) -> Batch:
    """Replace words on both sides by UNK with `probability`: the rest must do (Sennrich & Zhang 2019, section 3.2).

    Labels stay as they are; begin marks, end marks and padding too.
    """
    if not probability:
        return batch

    def drop(ids: torch.Tensor) -> torch.Tensor:
        chosen = torch.rand(ids.shape, device=ids.device) < probability
        kept = (ids == PAD) | (ids == BOS) | (ids == EOS)
        return torch.where(chosen & ~kept, UNK, ids)

    return replace(batch, source=drop(batch.source), inputs=drop(batch.inputs))

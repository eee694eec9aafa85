"""One translator for several threads, as the server has it where decode.c decodes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model.config import SearchConfig
from model.translator import Translator

LINES = [f"Il gatto {number} dorme, e {number} cani corrono a Roma." for number in range(40)]
THREADS, TURNS = 4, 6


@pytest.mark.native
def test_calls_from_several_threads_give_what_one_gives(shipped: Path) -> None:
    translator = Translator.load(shipped, "cpu", shared=True)
    assert translator.is_shared
    searches = (SearchConfig(), SearchConfig(beam=4, n_best=2))
    alone = [translator.translate(LINES, search) for search in searches]

    def several(turn: int) -> bool:
        rows = [(turn * 7 + row) % len(LINES) for row in range(len(LINES))]
        search = turn % len(searches)
        found = translator.translate([LINES[row] for row in rows], searches[search])
        return found == [alone[search][row] for row in rows]

    with ThreadPoolExecutor(THREADS) as threads:
        assert all(threads.map(several, range(THREADS * TURNS)))


def test_pytorch_is_not_shared(shipped: Path) -> None:
    assert not Translator.load(shipped, "cpu", "fp32", shared=True).is_shared


@pytest.fixture(scope="module")
def shipped() -> Path:
    """A version that ships."""
    return Path(__file__).parents[3] / "model" / "weights" / "it-en" / "default"


pytestmark = pytest.mark.weights

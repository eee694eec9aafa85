"""The list of pairs that two models together find no translations, and the cleaning step that drops them.

`noisy.npy` holds numbers of 64 bits, one a pair and none of its words; `traghetto data noisy --write` makes it. A pair
is known by its normalised sides, so the list holds for every folder of tables that has the pair.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import ConfigError
from training.data.cleaning import Counts, Pair
from training.data.pairs import fingerprint, normalise_key

LIST = Path(__file__).with_name("noisy.npy")
REMEDY = "set data.drop_noisy = false, or make it with: traghetto data score, then traghetto data noisy --write"

Fingerprints = NDArray[np.uint64]


def pair_fingerprint(pair: Pair) -> int:
    """A number of 64 bits for a pair however it is spelt: both sides as `normalise_key` has them, a tab between."""
    return fingerprint(f"{normalise_key(pair[0])}\t{normalise_key(pair[1])}")


def without_noisy(pairs: Iterable[Pair], noisy: Collection[int], counts: Counts) -> Iterator[Pair]:
    """The pairs whose fingerprints are not in `noisy`."""
    for pair in pairs:
        if pair_fingerprint(pair) in noisy:
            counts.drop("noisy")
        else:
            yield pair


def read_list(path: Path) -> frozenset[int]:
    """The fingerprints that `write_list` wrote.

    Raises:
        ConfigError: there is no such file, or it is damaged.
    """
    try:
        with path.open("rb") as file:
            numbers = np.lib.format.read_array(file, allow_pickle=False)
            rest = file.read(1)
    except FileNotFoundError as error:
        raise ConfigError(f"there is no list of noisy pairs; {REMEDY}", path) from error
    except (OSError, EOFError, ValueError) as error:
        raise ConfigError(f"the list of noisy pairs is damaged ({error}); {REMEDY}", path) from error
    rising = numbers.dtype == np.uint64 and numbers.ndim == 1 and bool((numbers[1:] > numbers[:-1]).all())
    if rest or not rising:
        raise ConfigError(f"the list of noisy pairs is damaged: no rising numbers of 64 bits; {REMEDY}", path)
    return frozenset(numbers.tolist())


def write_list(path: Path, fingerprints: Iterable[int]) -> int:
    """Write `fingerprints`, sorted and each once, whole or not at all; gives how many."""
    numbers = np.unique(np.fromiter(fingerprints, dtype=np.uint64))
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("wb") as file:
        np.lib.format.write_array(file, numbers, allow_pickle=False)
    temporary.replace(path)
    return len(numbers)

"""The self-test: real versions pass, and what cannot translate does not, whatever its hashes say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from model.config import SearchConfig
from model.errors import SelfTestFailed, VersionDamaged
from model.kernels.native import programs
from model.kernels.quantize import fast_int8
from model.text.ids import EOS
from model.translator import Translator
from model.versions.self_test import ENGLISH, ITALIAN, self_test
from model.versions.store import BUNDLED, list_versions, load


@dataclass(frozen=True)
class Said:
    text: str
    score: float = -0.5
    truncated: bool = False


@dataclass
class Talker:
    """Says what `say` makes of the number and the text of each sentence."""

    say: Callable[[int, str], Said]
    pair: str = "it-en"
    version: str = "talker"
    heard: Sequence[str] = ()
    loses: int = 0

    def translate(self, texts: Sequence[str], search: SearchConfig = SearchConfig(), /) -> list[Said]:  # noqa: B008
        self.heard = texts
        return [self.say(number, text) for number, text in enumerate(texts)][self.loses :]


@pytest.mark.weights
@pytest.mark.parametrize("info", list_versions([BUNDLED]), ids=lambda info: f"{info.pair}-{info.version}")
def test_every_shipped_version_passes(info) -> None:
    self_test(Translator.load(info.folder, "cpu"))


def has_8_bits(route: str) -> None:
    """Skip what takes the 8-bit route where there is none."""
    if route == "int8" and not (fast_int8("cpu") or programs()):
        pytest.skip("this CPU has no 8-bit products")


@pytest.mark.parametrize("route", ["fp32", "int8", "bf16"])
def test_an_untrained_network_that_says_different_things_passes(tiny_data_dir: Path, route: str) -> None:
    has_8_bits(route)
    self_test(Translator.load(tiny_data_dir / "models" / "it-en" / "default", "cpu", route))


def test_each_pair_hears_its_own_language() -> None:
    for pair, sentences in (("it-en", ITALIAN), ("en-it", ENGLISH)):
        talker = Talker(lambda number, text: Said(text.upper()), pair)
        self_test(talker)
        assert talker.heard == sentences
        assert len(set(sentences)) == 12


@pytest.mark.parametrize(
    ("say", "message"),
    [
        (lambda number, text: Said("the same"), "only 1 different"),
        (lambda number, text: Said(f"one of {number % 5}"), "only 5 different"),
        (lambda number, text: Said(text if number else " "), "1 of 12 translations are empty"),
        (lambda number, text: Said(text, math.nan if number == 3 else -1.0), "not a number"),
        (lambda number, text: Said(text, -math.inf), "12 of 12 translations have a score"),
        (lambda number, text: Said(text, truncated=number > 4), "7 of 12 translations do not come to an end"),
    ],
)
def test_what_is_no_translation_fails(say: Callable[[int, str], Said], message: str) -> None:
    with pytest.raises(SelfTestFailed, match=f"it-en/talker failed its self-test: .*{message}"):
        self_test(Talker(say))


def test_lost_translations_fail() -> None:
    with pytest.raises(SelfTestFailed, match="12 sentences gave 11 translations"):
        self_test(Talker(lambda number, text: Said(text), loses=1))


@pytest.mark.parametrize("route", ["fp32", "int8"])
def test_weights_that_are_not_numbers_fail(tiny_data_dir: Path, route: str) -> None:
    """A file with such weights is refused when it is read; here they become so afterwards, as in an overflow."""
    has_8_bits(route)
    version = load(tiny_data_dir / "models" / "it-en" / "default")
    version.weights["output.bias"][EOS + 40] = np.nan
    with pytest.raises(VersionDamaged, match="failed its self-test"):
        self_test(Translator(version, "cpu", route))


def test_a_network_that_always_says_the_same_fails(tiny_data_dir: Path) -> None:
    version = load(tiny_data_dir / "models" / "it-en" / "default")
    version.weights["target_embedding.weight"][:] = 0
    version.weights["output.bias"][:] = 0
    version.weights["output.bias"][300] = 5.0
    with pytest.raises(SelfTestFailed):
        self_test(Translator(version, "cpu", "fp32"))

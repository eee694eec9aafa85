"""The worst of each table: found, shown, listed."""

import math

import numpy as np
import pytest
from cli_kit import failed, in_process, succeeded

from model.errors import ConfigError
from training.data.noisy import pair_fingerprint, read_list, write_list
from training.filtering.score_files import Scores, claim, part_path, write_part
from training.filtering.worst import Cut, find_worst, spread

PAIRS = [(f"la barca numero {number} torna in porto", f"boat number {number} returns to port") for number in range(40)]


@pytest.fixture
def place(tmp_path):
    """`boats` and `dictionary` are scored whole, `half` in part: the higher the number of a pair, the worse.

    Of the four worst, all but the last gain at most 0.85.
    """
    (tmp_path / "data").mkdir()
    claim(tmp_path / "scores", {"sample": 0})
    for name, kept in (("boats", 40), ("dictionary", 40), ("half", 30)):
        (tmp_path / f"data/{name}.tsv").write_text("".join("\t".join(pair) + "\n" for pair in PAIRS))
        nats = np.linspace(0.5, 4.5, 40, dtype=np.float16)[:kept]
        tokens = np.full(kept, 9, dtype=np.uint16)
        tokens[-1] = 3
        numbers = np.array([pair_fingerprint(pair) for pair in PAIRS[:kept]], dtype=np.uint64)
        nats[0] = np.nan
        write_part(part_path(tmp_path / "scores", name, 0), Scores(numbers, nats, nats, 5 - nats, tokens), of=40)
    return tmp_path


def test_the_worst_come_first_without_short_pairs_and_those_without_a_score(place):
    (worst,) = find_worst(place / "scores", Cut(shares={"boats": 0.1}, max_gain=math.inf))
    assert worst.judged == 38
    assert worst.scores.fingerprints.tolist() == [pair_fingerprint(PAIRS[number]) for number in (38, 37, 36, 35)]
    assert spread(worst, 2) == [0, 3]
    assert spread(worst, 50) == [0, 1, 2, 3]


def test_what_gains_from_its_other_side_stays(place):
    (worst,) = find_worst(place / "scores", Cut(shares={"boats": 0.1}, max_gain=0.85))
    assert worst.scores.fingerprints.tolist() == [pair_fingerprint(PAIRS[number]) for number in (38, 37, 36)]


def test_words_stay_unless_they_are_named(place):
    assert [worst.table for worst in find_worst(place / "scores", Cut(0.1))] == ["boats", "half"]
    named = Cut(0.1, {"dictionary": 0.1, "half": 0})
    assert [worst.table for worst in find_worst(place / "scores", named)] == ["boats", "dictionary"]
    with pytest.raises(ConfigError, match="no scores of other"):
        list(find_worst(place / "scores", Cut(0.1, {"other": 0.1})))


def test_the_command_shows_pairs_and_writes_numbers_of_whole_tables_only(place):
    shown = succeeded(in_process("data", "noisy", place / "scores", "--data", place / "data", "--share", "0.1",
                                 "--show", "2", "--max-gain", "inf", "--write", place / "noisy.npy"))  # fmt: skip
    assert "boats: 4 of 38" in shown
    assert "half: 3 of 28; scored in part, so none is written" in shown
    assert "la barca numero 38 torna in porto  |  boat number 38" in shown
    assert "numero 37" not in shown, "two are shown, the worst and the one at the cut"
    assert read_list(place / "noisy.npy") == {pair_fingerprint(PAIRS[number]) for number in (38, 37, 36, 35)}
    assert b"barca" not in (place / "noisy.npy").read_bytes()
    wrong = in_process("data", "noisy", place / "scores", "--data", place / "data", "--table", "boats")
    failed(wrong, 2, "NAME=SHARE", stdout=None)


def test_a_list_is_read_as_it_was_written(tmp_path):
    numbers = {2**64 - 1, 0, 17}
    assert write_list(tmp_path / "noisy.npy", [*numbers, 17]) == 3
    assert read_list(tmp_path / "noisy.npy") == numbers


DAMAGES = {
    "empty": lambda raw: b"",
    "cut short": lambda raw: raw[:-3],
    "longer": lambda raw: raw + b"1",
    "foreign": lambda raw: b"x" + raw,
    "not sorted": lambda raw: raw[:-16] + raw[-8:] + raw[-16:-8],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_list_that_is_missing_or_damaged_is_named(tmp_path, damage):
    path = tmp_path / "noisy.npy"
    with pytest.raises(ConfigError, match=r"noisy\.npy: there is no list .*data\.drop_noisy"):
        read_list(path)
    write_list(path, [5, 6, 7])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ConfigError, match=r"noisy\.npy: .* damaged"):
        read_list(path)

"""A prepared set is thinned to a size: the largest groups, always the same pairs, and never what matters most."""

import random
import zipfile
from dataclasses import replace

import pytest
from rich.console import Console

from model.errors import ConfigError
from training.config import TrainingConfig
from training.data.prepared import prepare, read_prepared
from training.data.thinning import thin

WORDS = [f"{first}{second}" for first in "bcdfglmnprst" for second in ("ara", "evi", "ola", "une", "ito", "assa")]
PAIRS = {"everyday": 900, "small": 120, "large": 1500, "largest": 2500}


def rows(name: str, count: int) -> str:
    """`count` pairs without sense, another set for each `name`."""
    rng = random.Random(name)
    sides = [" ".join(rng.choices(WORDS, k=6)) for _ in range(2 * count)]
    return "".join(f"{sides[2 * n]} {n}.\t{sides[2 * n + 1]} {n}.\n" for n in range(count))


@pytest.fixture(scope="module")
def config():
    return TrainingConfig.from_dict(
        {
            "pair": "it-en",
            "version": "thin",
            "data": {
                "groups": {name: [name] for name in PAIRS},
                "dev": "",
                "hold_out_per_mille": 20,
                "vocabulary": "word",
            },
            "phases": [{"until": 1.0, "shares": dict.fromkeys(PAIRS, 1.0)}],
            "loop": {"max_steps": 1},
        }
    )


@pytest.fixture(scope="module")
def prepared(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("thin")
    (folder / "data").mkdir()
    for name, count in PAIRS.items():
        (folder / "data" / f"{name}.tsv").write_text(rows(name, count))
    return prepare(config, folder / "data", folder / "set.zip", Console(quiet=True))


def test_the_largest_groups_become_equal_and_the_others_stay(prepared, config, tmp_path):
    size = prepared.stat().st_size
    left = thin(prepared, tmp_path / "thin.zip", int(size * 0.6), config)
    assert size * 0.5 < (tmp_path / "thin.zip").stat().st_size <= size * 0.6
    whole, thinned = read_prepared(prepared, config), read_prepared(tmp_path / "thin.zip", config)
    assert left.keys() == {"large", "largest"}
    for name, pairs in thinned.groups.items():
        assert set(pairs) <= set(whole.groups[name])
        assert (len(pairs), len(whole.groups[name])) == left.get(name, (len(pairs), len(pairs)))
    assert left["large"][0] == pytest.approx(left["largest"][0], rel=0.1)
    assert (thinned.dev, thinned.counts, thinned.sources) == (whole.dev, whole.counts, whole.sources)


def test_the_same_pairs_stay_each_time_and_more_of_them_where_there_is_more_room(prepared, config, tmp_path):
    size = prepared.stat().st_size
    for name, share in (("first", 0.6), ("second", 0.6), ("more", 0.8)):
        thin(prepared, tmp_path / name, int(size * share), config)
    with zipfile.ZipFile(tmp_path / "first") as one, zipfile.ZipFile(tmp_path / "second") as other:
        assert {name: one.read(name) for name in one.namelist()} == {name: other.read(name) for name in one.namelist()}
    first, more = read_prepared(tmp_path / "first", config), read_prepared(tmp_path / "more", config)
    assert set(first.groups["largest"]) < set(more.groups["largest"])


def test_a_set_that_fits_travels_as_it_is(prepared, config, tmp_path):
    assert thin(prepared, tmp_path / "same.zip", prepared.stat().st_size, config) == {}
    assert (tmp_path / "same.zip").read_bytes() == prepared.read_bytes()


def test_what_cannot_become_so_small_or_is_no_such_set_is_refused(prepared, config, tmp_path):
    with pytest.raises(ConfigError, match="does not fit 9,999 bytes even without"):
        thin(prepared, tmp_path / "thin.zip", 9_999, config)
    other = replace(config, data=replace(config.data, source_vocab_size=301))
    with pytest.raises(ConfigError, match="source_vocab_size; prepare it again"):
        thin(prepared, tmp_path / "thin.zip", 10**9, other)
    (tmp_path / "cut.zip").write_bytes(prepared.read_bytes()[:5000])
    with pytest.raises(ConfigError, match="not a prepared training set"):
        thin(tmp_path / "cut.zip", tmp_path / "thin.zip", 10**9, config)

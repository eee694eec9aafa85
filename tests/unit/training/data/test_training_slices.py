"""Training in slices: a set that is prepared once, weights that travel, and runs that begin from them."""

import zipfile
from dataclasses import replace

import pytest
import torch
import toy_corpus
from rich.console import Console

from model.errors import ConfigError, VersionDamaged
from model.network.seq2seq import Seq2Seq
from model.versions import store
from training.config import TrainingConfig
from training.data.assemble import assemble
from training.data.prepared import prepare, read_prepared, unpack_tokenizers
from training.run.checkpoint import Checkpoint
from training.run.optim import Optimiser
from training.run.warm_start import begin_from, find_start
from training.train import RunOptions, run, settings_of

TWO_GROUPS = """
source_vocab_size = 350
target_vocab_size = 340
machine_italian = ["translated"]
[data.groups]
everyday = ["everyday"]
translated = ["translated"]
[[phases]]
until = 1.0
shares = { everyday = 0.7, translated = 0.3 }
"""
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with `toy.toml`, its tables in `data`, and the same prepared as `set.zip`."""
    folder = tmp_path_factory.mktemp("slices")
    toy_corpus.write(folder / "data")
    rows = [f"I {number} gatti dormono sul molo.\tThe {number} cats sleep on the pier.\n" for number in range(2, 12)]
    (folder / "data/translated.tsv").write_text("".join(rows))
    toy_corpus.write_settings(folder / "toy.toml", TWO_GROUPS, max_steps=6, eval_steps=3, threads=1)
    prepare(TrainingConfig.read(folder / "toy.toml"), folder / "data", folder / "set.zip", QUIET)
    return folder


@pytest.fixture(scope="module")
def trained(place):
    """The version of a first run, in shards, from the prepared set."""
    options = RunOptions(place / "set.zip", shard_mib=0.02, out=place / "models", runs=place / "runs")
    return run(place / "toy.toml", options)


@pytest.mark.parametrize("pair", ["it-en", "en-it"])
def test_a_prepared_set_holds_what_its_tables_give(place, pair):
    config = TrainingConfig.read(place / "toy.toml").for_pair(pair)
    expected, found = assemble(config, place / "data", QUIET), read_prepared(place / "set.zip", config)
    assert {name: sorted(pairs) for name, pairs in found.groups.items()} == {
        name: sorted(pairs) for name, pairs in expected.groups.items()
    }
    assert found.dev == expected.dev
    assert (found.counts, found.sources) == (expected.counts, expected.sources)
    assert bool(found.groups["translated"]) == (pair == "it-en"), "machine translation is no target"
    assert all("translated" in phase.shares for phase in config.drawn_phases()) == (pair == "it-en")


def test_its_vocabularies_change_sides_with_the_direction(place, tmp_path):
    config = TrainingConfig.read(place / "toy.toml")
    for pair in ("it-en", "en-it"):
        (tmp_path / pair).mkdir()
        unpack_tokenizers(place / "set.zip", config.for_pair(pair), tmp_path / pair, ".model")
    forth, back = tmp_path / "it-en", tmp_path / "en-it"
    assert (forth / "source.model").read_bytes() == (back / "target.model").read_bytes()
    assert (forth / "target.model").read_bytes() == (back / "source.model").read_bytes()
    assert config.for_pair("en-it").data.source_vocab_size == 340


def test_a_set_of_other_settings_or_no_set_at_all_is_refused(place, tmp_path):
    config = TrainingConfig.read(place / "toy.toml")
    other = replace(config, data=replace(config.data, source_vocab_size=400))
    with pytest.raises(ConfigError, match="source_vocab_size; prepare it again"):
        read_prepared(place / "set.zip", other)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("photo.jpg", b"")
    cut = tmp_path / "cut.zip"
    cut.write_bytes((place / "set.zip").read_bytes()[:2000])
    for path in (tmp_path / "other.zip", cut, place / "toy.toml"):
        with pytest.raises(ConfigError, match="not a prepared training set"):
            read_prepared(path, config)


def test_a_set_from_before_a_setting_is_as_its_default_has_it(place, tmp_path):
    config = TrainingConfig.read(place / "toy.toml")
    with zipfile.ZipFile(place / "set.zip") as found, zipfile.ZipFile(tmp_path / "old.zip", "w") as old:
        for name in found.namelist():
            raw = found.read(name)
            if name == "manifest.json":
                assert raw.count(b', "drop_noisy": false') == 1
                raw = raw.replace(b', "drop_noisy": false', b"")
            old.writestr(name, raw)
    assert read_prepared(tmp_path / "old.zip", config) == read_prepared(place / "set.zip", config)
    with pytest.raises(ConfigError, match="drop_noisy; prepare it again"):
        read_prepared(tmp_path / "old.zip", replace(config, data=replace(config.data, drop_noisy=True)))


def test_shards_are_small_and_make_the_weights_again(tmp_path):
    torch.manual_seed(1)
    tensors = {f"layer.{number}": torch.randn(50, 50) for number in range(10)}
    path = tmp_path / "best.safetensors"
    Checkpoint(tensors, {"step": 1}).save(path)
    Checkpoint(tensors, {"step": 2}).save_in_shards(path, 0.016)  # room for three halves of 5,000 bytes
    shards = sorted(tmp_path.iterdir())
    assert [shard.name for shard in shards] == [f"best-{number}-of-4.safetensors" for number in range(1, 5)]
    assert all(shard.stat().st_size < 0.02 * 2**20 for shard in shards)
    found = Checkpoint.load(path)
    assert found.state == {"step": 2}, "the whole file of before was read"
    assert all(torch.equal(found.tensors[name], tensor.half().float()) for name, tensor in tensors.items())
    Checkpoint(tensors, {"step": 3}).save_in_shards(path, 0.032)
    assert len(list(tmp_path.iterdir())) == 2, "old shards are in the way"
    next(tmp_path.iterdir()).unlink()
    with pytest.raises(VersionDamaged, match="1 of the 2 shards"):
        Checkpoint.load(path)


def test_a_run_leaves_shards_and_a_version(place, trained):
    assert len(list((place / "runs/it-en/toy").glob("best-*-of-*.safetensors"))) > 1
    assert store.load(trained).card.parent is None


def optimiser_of(start, config):
    sizes = (store.load_tokenizer(start.source).vocab_size, store.load_tokenizer(start.target).vocab_size)
    return Optimiser(Seq2Seq(config.model_config(*sizes)), config.optim)


def test_a_version_a_run_and_the_other_direction_can_be_begun_from(place, trained):
    config = TrainingConfig.read(place / "toy.toml")
    weights = dict(store.load(trained).model.named_parameters())
    for init in (str(trained), str(place / "runs/it-en/toy")):
        optimiser = optimiser_of(start := find_start(init, config), config)
        begin_from(start, optimiser)
        for name, parameter, average in zip(optimiser.names, optimiser.parameters, optimiser.averages, strict=True):
            assert torch.allclose(parameter, weights[name], atol=1e-3), name
            assert torch.equal(parameter, average), name
    turned = config.for_pair("en-it")
    optimiser = optimiser_of(start := find_start(str(trained), turned), turned)
    begin_from(start, optimiser)
    found = dict(zip(optimiser.names, optimiser.masters, strict=True))
    assert torch.equal(found["source_embedding.weight"], weights["target_embedding.weight"])
    assert torch.equal(found["decoder.readout.weight"], weights["decoder.readout.weight"])
    assert start.source.name == "target.model"


def test_another_architecture_is_named(place, trained):
    config = TrainingConfig.read(place / "toy.toml")
    wider = replace(config, model={**config.model, "decoder_hidden_size": 64})
    start = find_start(str(trained), wider)
    with pytest.raises(ConfigError, match="another architecture"):
        begin_from(start, optimiser_of(start, wider))
    with pytest.raises(ConfigError, match="of a run of en-it"):
        find_start(str(place / "runs/it-en/toy"), config.for_pair("en-it"))


def test_a_run_that_begins_from_a_version_names_its_parent_and_exports_what_it_has(place, trained):
    options = RunOptions(place / "set.zip", pair="en-it", init=str(trained), out=place / "models", runs=place / "runs")
    written = run(place / "toy.toml", options)
    assert store.load(written).card.parent == "it-en/toy"
    again = run(place / "toy.toml", replace(options, export=True, out=place / "exported"))
    assert (again / "model.safetensors").read_bytes() == (written / "model.safetensors").read_bytes()


def test_weights_that_came_home_are_not_removed_by_a_run_that_begins_from_them(place, trained, tmp_path):
    home = tmp_path / "runs/it-en/toy"
    home.mkdir(parents=True)
    for path in (place / "runs/it-en/toy").glob("best-*"):
        (home / path.name).write_bytes(path.read_bytes())
    for name in ("source.model", "target.model"):
        (home / name).write_bytes((trained / name).read_bytes())
    options = RunOptions(place / "set.zip", init=str(home), out=tmp_path / "models", runs=tmp_path / "runs")
    before = sorted(path.name for path in home.iterdir())
    with pytest.raises(ConfigError, match="holds an unfinished or finished run"):
        run(place / "toy.toml", options)
    assert sorted(path.name for path in home.iterdir()) == before
    written = run(place / "toy.toml", replace(options, init=None, export=True))
    assert store.load(written).model.parameter_count() == store.load(trained).model.parameter_count()


def test_a_file_that_is_no_set_leaves_the_run_folder_alone(place, tmp_path):
    other = tmp_path / "other.zip"
    other.write_bytes(b"no archive")
    with pytest.raises(ConfigError, match="not a prepared training set"):
        run(place / "toy.toml", RunOptions(other, out=tmp_path / "models", runs=tmp_path / "runs"))
    assert not list((tmp_path / "runs/it-en/toy").iterdir())


def test_the_command_line_stands_above_the_settings(place):
    config = settings_of(place / "toy.toml", RunOptions(pair="en-it", max_steps=2, max_minutes=3.5, shard_mib=15))
    assert (config.pair, config.loop.max_steps, config.loop.max_minutes) == ("en-it", 2, 3.5)
    assert config.loop.shard_mib == 15
    assert config.data.target_vocab_size == 350

"""Settings: what ships is valid, and every mistake in a TOML file is named."""

import tomllib
from pathlib import Path

import pytest

from model.errors import ConfigError
from training.config import TrainingConfig
from training.data.cleaning import DEFAULT_CLEAN, CleanConfig
from training.data.noise import NoiseConfig
from training.data.prepared import shape

CONFIGS = sorted((Path(__file__).parents[3] / "training/configs").glob("*.toml"))
TINY = (Path(__file__).parents[3] / "training/configs/tiny.toml").read_text()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_configuration_is_valid(path):
    config = TrainingConfig.read(path)
    assert config.model_config(500, 500).decoder_layers >= 1
    assert TrainingConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('pair = "it-en"', 'pair = "it-fr"', "it-fr"),
        ("warmup_steps", "warm_up_steps", "warm_up_steps"),
        ("[optim]", "[optimiser]", "optimiser"),
        ("shares = { everyday = 1.0 }", "shares = { legal = 1.0 }", "legal"),
        ("until = 1.0", "until = 0.5", "until = 1"),
        ("hidden_size = 32", "hiden_size = 32", "hiden_size"),
        ("max_steps = 40", "", "max_minutes or max_steps"),
        ("hold_out_per_mille = 100", "", "data.dev or data.hold_out_per_mille"),
        ('precision = "fp32"', 'precision = "fp16"', "fp16"),
        ("[data]", "[data", "not valid TOML"),
        ("[data]", "[data]\nclean = { max_wrods = 50 }", "max_wrods"),
        ("[data]", "[data]\nclean = { max_ratio = 0.5 }", "max_ratio"),
        ("[data]", "[data]\nclean = 50", "data.clean must be a table"),
        ("[data]", "[noise]\ntypos = 0.1\n[data]", "typos"),
        ("[data]", "[augment]\nnames = 2\n[data]", "augment.names"),
        ("[data]", '[augment]\nshort_groups = ["legal"]\n[data]', "legal"),
        ('version = "tiny"', "", "version"),
    ],
)
def test_mistakes_are_named_with_the_file(tmp_path, old, new, named):
    path = tmp_path / "broken.toml"
    assert old in TINY
    path.write_text(TINY.replace(old, new))
    with pytest.raises(ConfigError, match=named) as caught:
        TrainingConfig.read(path)
    assert "broken.toml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        TrainingConfig.read(tmp_path / "nowhere.toml")


def test_the_limits_of_cleaning_are_a_table_and_their_defaults_are_in_the_card(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(f"{TINY}\n[data.clean]\nmax_words = 50\n")
    config = TrainingConfig.read(path)
    assert config.data.clean == CleanConfig(max_words=50)
    assert config.to_dict()["data"]["clean"] == CleanConfig(max_words=50).to_dict()
    assert TrainingConfig.from_dict(config.to_dict()) == config
    assert TrainingConfig.from_dict(tomllib.loads(TINY)).data.clean == DEFAULT_CLEAN


def test_the_documented_limits_of_cleaning_are_the_defaults():
    page = (Path(__file__).parents[3] / "docs/data.md").read_text()
    block = page.partition("```toml\n[data.clean]")[2].partition("```")[0]
    assert tomllib.loads(block) == DEFAULT_CLEAN.to_dict()


def test_phases_follow_the_share_of_the_run():
    config = TrainingConfig.read(next(path for path in CONFIGS if path.stem == "small"))
    ends = [phase.until for phase in config.phases]
    assert [config.phase_at(end - 1e-6) for end in ends] == list(range(len(ends)))
    assert config.phase_at(1.0) == len(ends) - 1


def test_augmentation_and_noise_are_sections_that_older_settings_lack():
    config = TrainingConfig.from_dict(tomllib.loads(TINY))
    assert not config.augment.works
    assert config.noise == NoiseConfig()
    own = TrainingConfig.from_dict(tomllib.loads(f"{TINY}\n[noise]\ntypo = 0.5\n[augment]\nnames = 0.3\n"))
    assert (own.noise.typo, own.augment.names, own.augment.works) == (0.5, 0.3, True)
    old = {name: part for name, part in own.to_dict().items() if name not in ("noise", "augment")}
    assert TrainingConfig.from_dict(old) == config


def test_a_prepared_set_serves_every_augmentation():
    own = TrainingConfig.from_dict(tomllib.loads(f"{TINY}\n[augment]\nnames = 0.3\nshort_repeats = [3]\n"))
    assert shape(own.data) == shape(TrainingConfig.from_dict(tomllib.loads(TINY)).data)


def test_settings_extend_others_table_by_table(tmp_path):
    (tmp_path / "base.toml").write_text(TINY)
    (tmp_path / "middle.toml").write_text('extends = "base.toml"\n[loop]\nmax_steps = 7\n')
    path = tmp_path / "top.toml"
    path.write_text('extends = "middle.toml"\nversion = "top"\n[data]\ngroups = { more = ["more"] }\n')
    base, top = TrainingConfig.read(tmp_path / "base.toml"), TrainingConfig.read(path)
    assert (top.version, top.loop.max_steps, top.loop.batch_tokens) == ("top", 7, base.loop.batch_tokens)
    assert top.data.groups == {**base.data.groups, "more": ["more"]}
    assert (top.phases, top.optim, top.model) == (base.phases, base.optim, base.model)


@pytest.mark.parametrize(
    ("extends", "named"), [("top.toml", "extends itself"), ("gone.toml", "gone.toml"), (3, "the name of a file")]
)
def test_what_cannot_be_extended_is_named(tmp_path, extends, named):
    path = tmp_path / "top.toml"
    path.write_text(f"extends = {extends!r}\n")
    with pytest.raises(ConfigError, match=named):
        TrainingConfig.read(path)


def test_only_a_constant_rate_may_have_no_end(tmp_path):
    path = tmp_path / "endless.toml"
    path.write_text(TINY.replace("max_steps = 40", "").replace("[optim]", '[optim]\nschedule = "constant"'))
    assert TrainingConfig.read(path).optim.schedule == "constant"
    path.write_text(TINY.replace("[optim]", '[optim]\nschedule = "linear"'))
    with pytest.raises(ConfigError, match="linear"):
        TrainingConfig.read(path)

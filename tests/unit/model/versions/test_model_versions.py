"""Version folders: written whole or not at all, and refused when anything in them is not as it was written."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from model.config import ModelConfig
from model.errors import ConfigError, VersionDamaged, VersionError, VersionNotFound
from model.network.seq2seq import Seq2Seq
from model.text.tokenizer import WordTokenizer
from model.versions.store import find, list_versions, load, save, verify

SOURCE = WordTokenizer(["io", "sono", "felice"])
TARGET = WordTokenizer(["i", "am", "happy", "sad"])


def config(**changes: object) -> ModelConfig:
    values = {
        "source_vocab_size": SOURCE.vocab_size, "target_vocab_size": TARGET.vocab_size, "embedding_size": 8,
        "encoder_hidden_size": 6, "decoder_hidden_size": 12, "encoder_layers": 1, "decoder_layers": 2,
    }  # fmt: skip
    return ModelConfig.from_dict({**values, **changes})


def tiny(seed: int = 1, **changes: object) -> Seq2Seq:
    torch.manual_seed(seed)
    return Seq2Seq(config(**changes))


def write(root: Path, version: str = "first", **changes: object) -> Path:
    return save(root, "it-en", version, tiny(**changes), (SOURCE, TARGET), {"scores": {"bleu": 61.5}})


def change_card(folder: Path, change: Callable[[dict], None]) -> None:
    path = folder / "card.json"
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))


def put(folder: Path, name: str, content: bytes) -> None:
    """Write a file and its hash, as somebody who forges a version would."""
    (folder / name).write_bytes(content)
    change_card(folder, lambda card: card["files"].update({name: hashlib.sha256(content).hexdigest()}))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_what_is_read_is_what_was_saved_in_fp16(tmp_path: Path, cell: str, tied: bool) -> None:
    model = tiny(cell=cell, tied_target_embeddings=tied)
    version = load(save(tmp_path, "it-en", "first", model, (SOURCE, TARGET), {}))
    assert version.config == version.model.config == model.config
    assert not version.model.training
    read = version.model.state_dict()
    assert read.keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert read[name].dtype == torch.float32
        assert torch.equal(read[name], tensor.half().float()), name
    assert version.source.encode("io sono felice") == SOURCE.encode("io sono felice")
    assert version.target.vocab_size == TARGET.vocab_size


def test_tied_weights_are_stored_once_and_tied_again_when_read(tmp_path: Path) -> None:
    folder = write(tmp_path)
    assert "output.weight" not in load_file(folder / "model.safetensors")
    model = load(folder).model
    assert model.output.weight is model.target_embedding.weight
    assert model.parameter_count() == tiny().parameter_count()
    assert all(parameter.requires_grad for parameter in model.parameters())  # retraining starts from it


def test_the_card_says_what_it_was_given_and_what_was_written(tmp_path: Path) -> None:
    about = {"parent": "default", "scores": {"bleu": 61.5}, "data": {"licences": ["CC-BY"]}, "settings": {"lr": 1e-3}}
    folder = save(tmp_path, "it-en", "2026-11.b", tiny(), (SOURCE, TARGET), about)
    card = verify(folder)
    assert folder == tmp_path / "it-en" / "2026-11.b"
    assert (card.pair, card.version, card.parent) == ("it-en", "2026-11.b", "default")
    assert (card.scores, card.data, card.settings) == (about["scores"], about["data"], about["settings"])
    assert set(card.files) == {"model.safetensors", "config.json", "source.json", "target.json"}
    assert card.created.endswith("+00:00")


def test_saving_refuses_to_overwrite_unless_told(tmp_path: Path) -> None:
    folder = write(tmp_path)
    before = verify(folder)
    with pytest.raises(VersionError, match="exists already"):
        write(tmp_path, seed=2)
    assert verify(folder) == before
    save(tmp_path, "it-en", "first", tiny(seed=2), (SOURCE, TARGET), {}, overwrite=True)
    assert verify(folder).files["model.safetensors"] != before.files["model.safetensors"]
    assert [path.name for path in folder.parent.iterdir()] == ["first"]


class BrokenTokenizer(WordTokenizer):
    """Fails in the middle of a save, as a full disk would."""

    def save(self, path: Path) -> None:
        path.write_text("half of it")
        raise OSError(28, "No space left on device")


def test_a_save_that_fails_leaves_nothing_and_harms_nothing(tmp_path: Path) -> None:
    folder = write(tmp_path)
    before = verify(folder)
    for overwrite, version in ((True, "first"), (False, "second")):
        with pytest.raises(VersionError, match="No space left"):
            broken = (SOURCE, BrokenTokenizer(["i"]))
            save(tmp_path, "it-en", version, tiny(), broken, {}, overwrite=overwrite)
    assert verify(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["first"]


def test_a_card_with_an_unknown_key_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bleu"):
        save(tmp_path, "it-en", "first", tiny(), (SOURCE, TARGET), {"bleu": 61.5})
    assert not list((tmp_path / "it-en").iterdir())


@pytest.mark.parametrize("value", [1e6, float("nan")])
def test_a_weight_that_fp16_cannot_hold_is_not_written(tmp_path: Path, value: float) -> None:
    model = tiny()
    with torch.no_grad():
        model.output.bias[3] = value
    with pytest.raises(VersionError, match=r"output\.bias"):
        save(tmp_path, "it-en", "first", model, (SOURCE, TARGET), {})


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "source.json", "target.json"])
def test_a_changed_a_truncated_and_a_missing_file_are_named(tmp_path: Path, name: str) -> None:
    for number, damage in enumerate(("change", "truncate", "remove")):
        path = write(tmp_path, f"v{number}") / name
        content = path.read_bytes()
        if damage == "change":
            path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
        elif damage == "truncate":
            path.write_bytes(content[: len(content) // 2])
        else:
            path.unlink()
        with pytest.raises(VersionDamaged, match=name.replace(".", r"\.")):
            load(path.parent)


def test_a_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    bomb = pickle.dumps(Bomb())
    beside, inside = write(tmp_path, "beside"), write(tmp_path, "inside")
    (beside / "model.pt").write_bytes(bomb)
    with pytest.raises(VersionDamaged, match=r"model\.pt.*run code"):
        load(beside)
    put(inside, "model.safetensors", bomb)  # with a card that vouches for it
    with pytest.raises(VersionDamaged, match=r"model\.safetensors.*run code"):
        load(inside)
    assert not (tmp_path / "exploded").exists()


def test_a_file_cut_short_is_refused_even_if_the_card_vouches_for_it(tmp_path: Path) -> None:
    folder = write(tmp_path)
    content = (folder / "model.safetensors").read_bytes()
    for part in (content[:-10], content[:6], b""):
        put(folder, "model.safetensors", part)
        with pytest.raises(VersionDamaged, match="not a whole safetensors file"):
            load(folder)


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path)
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors["stranger"] = torch.zeros(1)
    tensors["output.bias"] = torch.zeros(2)
    tensors["source_embedding.weight"][0, 0] = torch.nan
    del tensors["encoder.norm.weight"]
    save_file(tensors, path)
    put(folder, "model.safetensors", path.read_bytes())
    with pytest.raises(VersionDamaged) as caught:
        load(folder)
    text = str(caught.value)
    assert "missing encoder.norm.weight" in text
    assert "unexpected stranger" in text
    assert "output.bias has shape [2]" in text
    assert "source_embedding.weight holds numbers that are not finite" in text


def test_settings_and_tokenizers_that_do_not_fit_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path)
    put(folder, "config.json", config(target_vocab_size=99).to_json().encode())
    with pytest.raises(VersionDamaged, match="target tokenizer has 40 pieces"):
        load(folder)
    put(folder, "config.json", json.dumps({**config().to_dict(), "heads": 3}).encode())
    with pytest.raises(VersionDamaged, match=r"unknown setting.*heads"):
        load(folder)
    put(folder, "config.json", config().to_json().encode())
    put(folder, "source.json", b'{"normaliser": "2031", "words": []}')
    with pytest.raises(VersionDamaged, match="unknown normaliser '2031'"):
        load(folder)


def test_files_that_do_not_belong_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "notes.txt").write_text("hello")
    with pytest.raises(VersionDamaged, match=r"notes\.txt, which is not in its card"):
        verify(folder)
    put(folder, "notes.txt", b"hello")
    with pytest.raises(VersionDamaged, match="a version consists of"):
        verify(folder)


def test_a_foreign_folder_and_a_missing_one_are_told_apart(tmp_path: Path) -> None:
    foreign = tmp_path / "it-en" / "foreign"
    foreign.mkdir(parents=True)
    (foreign / "config.json").write_text("{}")
    with pytest.raises(VersionDamaged, match=r"no card\.json"):
        load(foreign)
    (foreign / "pytorch_model.bin").write_bytes(b"PK\x03\x04")
    with pytest.raises(VersionDamaged, match=r"pytorch_model\.bin"):
        load(foreign)
    with pytest.raises(VersionNotFound):
        load(tmp_path / "it-en" / "nothing")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card.update(format=2), "format 2"),
        (lambda card: card.update(colour="red"), "colour"),
        (lambda card: card.pop("files"), "files"),
        (lambda card: card.update(files={"model.safetensors": None}), "SHA-256"),
        (lambda card: card.update(version="../../etc"), "not a version name"),
        (lambda card: card.update(version="second"), "rename it to it-en/second"),
        (lambda card: card.update(files={"../../secret": "00"}), "a version consists of"),
        (lambda card: card.update(created="yesterday"), "created must be date and time"),
        (lambda card: card.update(created="2026-11-28T10:00:00"), "with a time zone"),
        (lambda card: card.update(created=1764324000), "created must be date and time"),
        (lambda card: card.update(created="0001-01-01T00:00:00+14:00"), "created must be date and time"),
    ],
)
def test_a_forged_card_is_refused(tmp_path: Path, change: Callable[[dict], None], message: str) -> None:
    folder = write(tmp_path)
    change_card(folder, change)
    with pytest.raises(VersionDamaged, match=message):
        load(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b'{"pair": NaN', b"[" * 100_000])
def test_a_card_that_is_not_json_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = write(tmp_path)
    (folder / "card.json").write_bytes(content)
    with pytest.raises(VersionDamaged, match=r"card\.json"):
        verify(folder)


BAD_NAMES = ["", ".", "..", "../x", "a/b", "a\\b", "/etc", "a..b", ".hidden", "-x", "x.", "a b", "a\n", "è", "x" * 65]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_cannot_lead_out_of_the_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(VersionError, match="version name"):
        save(tmp_path, "it-en", name, tiny(), (SOURCE, TARGET), {})
    with pytest.raises(VersionError, match="version name"):
        find([tmp_path], "it-en", name)
    with pytest.raises(VersionError, match="language pair"):
        find([tmp_path], name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["current.json", "Current.JSON"])
def test_no_version_takes_the_place_of_the_pointer(tmp_path: Path, name: str) -> None:
    with pytest.raises(VersionError, match="the file that says which one is current"):
        save(tmp_path, "it-en", name, tiny(), (SOURCE, TARGET), {})
    with pytest.raises(VersionError, match="the file that says which one is current"):
        find([tmp_path], "it-en", name)
    assert not list(tmp_path.iterdir()), "the pointer could not be read any more"


def test_a_version_with_a_damaged_card_does_not_hide_the_others(tmp_path: Path) -> None:
    write(tmp_path)
    change_card(write(tmp_path, "odd"), lambda card: card.update(created="once upon a time"))
    found = {info.version: info.problem for info in list_versions([tmp_path])}
    assert found["first"] is None
    assert "created must be date and time" in (found["odd"] or "")


def test_the_place_of_an_error_can_be_left_out(tmp_path: Path) -> None:
    """Logs say where on the machine; a server's clients are told the rest."""
    folder = write(tmp_path)
    (folder / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(VersionDamaged) as caught:
        load(folder)
    assert str(folder) in str(caught.value)
    assert str(tmp_path) not in caught.value.problem and "model.safetensors" in caught.value.problem


@given(name=st.text(max_size=70))
def test_no_name_that_is_found_leaves_the_root(name: str) -> None:
    root = Path("/nowhere/root")
    try:
        find([root], "it-en", name)
    except VersionNotFound:
        assert (root / "it-en" / name).resolve().parent == root / "it-en"
    except VersionError:
        pass


def test_versions_are_found_in_the_first_root_that_has_them(tmp_path: Path) -> None:
    ours, bundled = tmp_path / "var", tmp_path / "bundled"
    default = write(bundled, "default")
    newer = write(ours, "newer")
    shadowing = write(ours, "both")
    write(bundled, "both", seed=2)
    assert find([ours, bundled], "it-en") == default
    assert find([ours, bundled], "it-en", "newer") == newer
    assert find([ours, bundled], "it-en", "both") == shadowing
    with pytest.raises(VersionNotFound, match="it-en/both, it-en/default, it-en/newer"):
        find([ours, bundled], "it-en", "nope")
    with pytest.raises(VersionNotFound, match="none at all"):
        find([tmp_path / "empty"], "en-it")


def test_a_listing_shows_damaged_versions_and_no_half_written_ones(tmp_path: Path) -> None:
    good, bad = write(tmp_path, "good"), write(tmp_path, "bad")
    (bad / "card.json").write_text("{}")
    (tmp_path / "it-en" / ".good.x1y2").mkdir()
    (tmp_path / "it-en" / "README.md").write_text("not a version")
    (tmp_path / "en-it" / "other").mkdir(parents=True)
    infos = list_versions([tmp_path, tmp_path / "missing"], "it-en")
    assert [info.version for info in infos] == ["bad", "good"]
    assert infos[0].card is None and "card.json" in str(infos[0].problem)
    assert infos[1].card is not None and infos[1].card.scores == {"bleu": 61.5}
    assert infos[1].size_bytes == sum(path.stat().st_size for path in good.iterdir())
    assert [info.pair for info in list_versions([tmp_path])] == ["en-it", "it-en", "it-en"]


def test_reading_does_not_touch_the_random_numbers_of_the_caller(tmp_path: Path) -> None:
    folder = write(tmp_path)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load(folder)
    assert torch.equal(torch.rand(1), expected)

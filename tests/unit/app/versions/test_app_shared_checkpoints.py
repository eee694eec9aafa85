"""Checkpoints that are copied while a training goes on: another machine finds all, or is told what is missing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from patience import wait_until

from app.errors import AppError, StoreDown
from app.versions.shared_checkpoints import Checkpoints, copied
from app.versions.shared_objects import Objects


def run_folder(tmp_path: Path, name: str) -> Path:
    return tmp_path / name / "it-en" / "toy"


def steps(path: Path) -> int:
    """What stands in for a checkpoint here is the number of its steps."""
    return int(path.read_text())


def checkpoints_of(url: str, folder: Path) -> Checkpoints:
    return Checkpoints(url, folder, steps)


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_what_is_there_at_the_end_goes_on_elsewhere(store_url: str, tmp_path: Path) -> None:
    here, there = run_folder(tmp_path, "here"), run_folder(tmp_path, "there")
    with copied(checkpoints_of(store_url, here)):
        write(here, last__safetensors="1", source__model="a", last__partial="half")
    assert checkpoints_of(store_url, there).fetch()
    assert read(there) == {"last.safetensors": "1", "source.model": "a"}
    assert not checkpoints_of(store_url, there).fetch(), "what the folder has is as far"


def test_the_checkpoint_with_more_steps_is_taken(store_url: str, tmp_path: Path) -> None:
    here, there = run_folder(tmp_path, "here"), run_folder(tmp_path, "there")
    write(here, last__safetensors="20", best_1_of_1="new", metrics="new")
    checkpoints_of(store_url, here).send()
    write(there, last__safetensors="30", metrics="own")
    assert not checkpoints_of(store_url, there).fetch()
    assert read(there) == {"last.safetensors": "30", "metrics": "own"}
    write(there, last__safetensors="10", best_1_of_2="old", best_2_of_2="old", job="mine")
    assert checkpoints_of(store_url, there).fetch()
    assert read(there) == {**read(here), "job": "mine"}, "and nothing of the weights that were best before"


def test_what_the_listing_tells_need_not_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint has three times the bytes of a model."""
    (tmp_path / "store").mkdir()
    url, there = f"file://{tmp_path / 'store'}", run_folder(tmp_path, "there")
    write(run_folder(tmp_path, "here"), last__safetensors="20", metrics="new")
    checkpoints_of(url, run_folder(tmp_path, "here")).send()
    fetched: list[str] = []
    fetch = Objects.fetch
    monkeypatch.setattr(Objects, "fetch", lambda self, name, file: (fetched.append(name), fetch(self, name, file))[1])
    write(there, last__safetensors="20")
    assert not checkpoints_of(url, there).fetch() and not fetched
    write(there, last__safetensors="19")
    assert checkpoints_of(url, there).fetch() and read(there)["last.safetensors"] == "20"


def test_a_listing_of_names_alone_is_one_of_ours(tmp_path: Path) -> None:
    """As it was written before it told the steps."""
    (tmp_path / "store").mkdir()
    url, there = f"file://{tmp_path / 'store'}", run_folder(tmp_path, "there")
    write(run_folder(tmp_path, "here"), last__safetensors="20", metrics="new")
    checkpoints_of(url, run_folder(tmp_path, "here")).send()
    listing = tmp_path / "store" / "it-en" / "toy" / "files.json"
    assert json.loads(listing.read_text()) == {"last.safetensors": 20, "metrics": None}
    listing.write_text(json.dumps(["last.safetensors", "metrics"]))
    write(there, last__safetensors="20")
    assert not checkpoints_of(url, there).fetch()
    write(there, last__safetensors="10")
    assert checkpoints_of(url, there).fetch()
    assert read(there) == {"last.safetensors": "20", "metrics": "new"}


def test_what_a_fetch_that_was_killed_has_left_goes_and_one_that_goes_on_stays(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    there = run_folder(tmp_path, "there")
    for name in ("dead", "alive"):
        write(there / f".fetched.{name}", last__safetensors="1")
    for path in (there / ".fetched.dead" / "last.safetensors", there / ".fetched.dead"):
        os.utime(path, (1000, 1000))
    assert not checkpoints_of(f"file://{tmp_path / 'store'}", there).fetch()
    assert [path.name for path in there.iterdir()] == [".fetched.alive"]


def test_weights_that_another_machine_has_removed_meanwhile_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "store").mkdir()
    url, there = f"file://{tmp_path / 'store'}", run_folder(tmp_path, "there")
    write(run_folder(tmp_path, "here"), last__safetensors="20")
    checkpoints_of(url, run_folder(tmp_path, "here")).send()
    write(there, last__safetensors="10", best="old")
    unlink = Path.unlink
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: (unlink(path), unlink(path, missing_ok))[1])
    assert checkpoints_of(url, there).fetch()
    assert read(there) == {"last.safetensors": "20"}


def test_while_the_store_is_away_a_run_goes_on_from_its_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store, url = tmp_path / "store", f"file://{tmp_path / 'store'}"
    here, there = run_folder(tmp_path, "here"), run_folder(tmp_path, "there")
    store.mkdir()
    write(here, last__safetensors="20")
    checkpoints_of(url, here).send()
    store.rename(tmp_path / "away")
    write(there, last__safetensors="10")
    resumed = checkpoints_of(url, there)
    assert not resumed.fetch()
    assert "goes on from the checkpoint that is here" in caplog.text
    (tmp_path / "away").rename(store)
    copy = store / "it-en" / "toy" / "last.safetensors"
    for step, expected in ((11, "20"), (19, "20"), (21, "21"), (22, "22")):
        write(there, last__safetensors=f"{step}\n")
        resumed.send()
        assert copy.read_text().strip() == expected, "what is farther stays until the run is as far"
    assert caplog.text.count("the copy has 20 steps") == 1
    assert not resumed.is_behind


def test_a_copy_that_breaks_off_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    url, there = f"file://{tmp_path / 'store'}", run_folder(tmp_path, "there")
    write(run_folder(tmp_path, "here"), last__safetensors="20", best="a", metrics="new")
    checkpoints_of(url, run_folder(tmp_path, "here")).send()
    (tmp_path / "store" / "it-en" / "toy" / "metrics").unlink()
    write(there, last__safetensors="10", best="old")
    with pytest.raises(AppError, match="lacks metrics"):
        checkpoints_of(url, there).fetch()
    assert read(there) == {"last.safetensors": "10", "best": "old"}


def test_what_is_gone_from_the_folder_is_not_fetched(store_url: str, tmp_path: Path) -> None:
    """Such as shards of the best weights, whose number has changed."""
    here, there = run_folder(tmp_path, "here"), run_folder(tmp_path, "there")
    sender = checkpoints_of(store_url, here)
    write(here, last__safetensors="1", best_1_of_2="a", best_2_of_2="b")
    sender.send()
    for path in here.glob("best*"):
        path.unlink()
    write(here, last__safetensors="2", best_1_of_1="c")
    sender.send()
    assert checkpoints_of(store_url, there).fetch()
    assert read(there) == {"last.safetensors": "2", "best_1_of_1": "c"}


def test_a_copy_that_the_folder_knows_nothing_of_would_be_lost(store_url: str, tmp_path: Path) -> None:
    here, there = run_folder(tmp_path, "here"), run_folder(tmp_path, "there")
    assert not checkpoints_of(store_url, here).would_be_lost
    write(here, last__safetensors="1")
    checkpoints_of(store_url, here).send()
    assert not checkpoints_of(store_url, here).would_be_lost
    assert checkpoints_of(store_url, there).would_be_lost


def test_without_a_checkpoint_there_is_nothing_to_fetch(store_url: str, tmp_path: Path) -> None:
    here, there = run_folder(tmp_path, "here"), run_folder(tmp_path, "there")
    write(here, source__model="a")
    checkpoints_of(store_url, here).send()
    assert not checkpoints_of(store_url, there).fetch()
    assert not there.exists()


def test_a_copy_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    url, there = f"file://{tmp_path / 'store'}", run_folder(tmp_path, "there")
    write(run_folder(tmp_path, "here"), last__safetensors="1", best="a")
    checkpoints_of(url, run_folder(tmp_path, "here")).send()
    (tmp_path / "store" / "it-en" / "toy" / "best").unlink()
    with pytest.raises(AppError, match="lacks best"):
        checkpoints_of(url, there).fetch()
    assert not (there / "last.safetensors").exists()
    for content in (b"{", b"7", b'["../x"]'):
        (tmp_path / "store" / "it-en" / "toy" / "files.json").write_bytes(content)
        with pytest.raises(AppError, match="is not one of ours"):
            checkpoints_of(url, there).fetch()


def test_a_store_that_is_away_is_told_once_and_caught_up_with(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.versions.shared_checkpoints.LOOK_EVERY_S", 0.01)
    here, there, url = run_folder(tmp_path, "here"), run_folder(tmp_path, "there"), f"file://{tmp_path / 'store'}"
    write(here, last__safetensors="1")
    with copied(checkpoints_of(url, here)):
        wait_until(lambda: "training goes on" in caplog.text, "it is told")
        (tmp_path / "store").mkdir()
        wait_until(lambda: Objects(url).read("it-en/toy/files.json"), "it is sent when the store is back")
    assert caplog.text.count("training goes on") == 1
    (tmp_path / "store").rename(tmp_path / "away")
    with pytest.raises(StoreDown):
        checkpoints_of(url, there).fetch()


def test_only_the_first_of_several_workers_sends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    (tmp_path / "store").mkdir()
    write(run_folder(tmp_path, "here"), last__safetensors="1")
    with copied(checkpoints_of(f"file://{tmp_path / 'store'}", run_folder(tmp_path, "here"))):
        pass
    assert [*(tmp_path / "store").iterdir()] == []

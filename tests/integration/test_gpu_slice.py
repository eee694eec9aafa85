"""`scripts/gpu-slice` as a person uses it: what travels to a GPU, both directions there, and what comes home."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import toy_corpus
from cli_kit import in_process, succeeded
from patience import wait_until
from rich.console import Console
from safetensors.torch import load_file

from model.translator import Translator
from model.versions.card import Card
from scripts.gpu_slice import main
from training.config import DIRECTIONS, TrainingConfig
from training.data.prepared import prepare
from training.run.warm_start import find_start
from training.slices.manifest import Manifest
from training.train import RunOptions, run

ROOT = Path(__file__).parents[2]
TINY = ROOT / "training" / "configs" / "tiny.toml"
SETTINGS = f"""
extends = "{TINY}"
version = "NAME"
[data]
source_vocab_size = 330
target_vocab_size = 320
[loop]
max_steps = 4
eval_steps = 2
shard_mib = 0.02
"""
FOREIGN = (
    "typer pydantic pydantic_settings fastapi starlette sqlalchemy uvicorn matplotlib sentencex lingua jinja2 httpx app"
)
SITE = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {FOREIGN.split()!r}:
            raise ModuleNotFoundError(f"a rented machine has no {{name}}", name=name)
sys.meta_path.insert(0, Refuse())
"""
"""What Python runs as it starts: it makes this environment as poor as that of a rented machine."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with settings, and `long`: a prepared set and a run of both directions."""
    folder = tmp_path_factory.mktemp("gpu")
    toy_corpus.write(folder / "data")
    for name in ("long", "slice"):
        (folder / f"{name}.toml").write_text(SETTINGS.replace("NAME", name))
    config = TrainingConfig.read(folder / "long.toml")
    (folder / "long").mkdir()
    prepare(config, folder / "data", folder / "long" / "set.zip", Console(quiet=True))
    for pair in DIRECTIONS:
        options = RunOptions(folder / "long/set.zip", pair, runs=folder / "long", out=folder, weights_only=True)
        assert run(folder / "long.toml", options) is None
    assert not list(folder.rglob("card.json")), "weights only: no version"
    (folder / "poor").mkdir()
    (folder / "poor" / "sitecustomize.py").write_text(SITE)
    return folder


def gpu_slice(place: Path, *arguments: str, status: int = 0) -> str:
    """What the script says in this process; it must end with `status`."""
    said = io.StringIO()
    with contextlib.chdir(place), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        ended = main(arguments)
    assert ended == status, said.getvalue()
    return said.getvalue()


def rented(place: Path, *arguments: str) -> str:
    """What the script says where there are no libraries of the server, nor any but PyTorch and a few."""
    path = os.pathsep.join((str(place / "poor"), str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-m", "scripts.gpu_slice", *arguments], cwd=place, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def slice_(place: Path) -> Path:
    """`place` after the whole way: `gpu` packed, `out` trained, `slice` brought home."""
    settings = ["--config", "slice.toml"]
    said = gpu_slice(place, "pack", "--from", "long", "--out", "gpu", "--mib", "3", *settings)
    assert "train --from gpu" in said
    trained = ["train", "--from", "gpu", "--out", "out", "--minutes", "4", "--max-steps", "2", *settings]
    said = rented(place, *trained)
    assert said.count("exit status 0") == 2, said
    said = gpu_slice(place, "home", "--from", "out", "--pack", "gpu", "--runs", "slice", *settings)
    assert said.count("--export") == 2
    return place


@pytest.mark.long
def test_both_directions_go_there_and_come_home_and_translate(slice_: Path) -> None:
    assert Manifest.read(slice_ / "gpu").starts == {pair: f"{pair}/long" for pair in DIRECTIONS}
    came = [path for path in (slice_ / "out").rglob("*") if path.is_file()]
    assert {path.name for path in came if path.suffix == ".zip"} == {"report.zip"}
    for pair, text in (("it-en", "Il capitano vede la barca."), ("en-it", "The captain sees the boat.")):
        folder = slice_ / "slice" / pair / "slice"
        assert {"metrics.jsonl", "log.txt", "slice.json", "source.model"} <= {path.name for path in folder.iterdir()}
        train = ["train", "slice.toml", "--pair", pair, "--data", "long/set.zip", "--runs", "slice"]
        succeeded(in_process(*train, "--export", "--out", "models", cwd=slice_))
        version = slice_ / "models" / pair / "slice"
        assert len(Translator.load(version, "cpu").translate([text])) == 1
        assert Card.read(version).parent == f"{pair}/long", "the card knows what the slice began from"
        config = TrainingConfig.read(slice_ / "slice.toml").for_pair(pair)
        assert find_start(str(folder), config).tensors.keys() == find_start(str(version), config).tensors.keys()


HASTY = """
import sys
from scripts.gpu_slice import main
from training.run import side_by_side
side_by_side.EVERY_S = 0.5
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.long
def test_a_slice_that_is_told_to_end_leaves_what_there_is(slice_: Path, tmp_path: Path) -> None:
    (tmp_path / "endless.toml").write_text((slice_ / "slice.toml").read_text() + "\n")
    config, out = tmp_path / "endless.toml", tmp_path / "out"
    config.write_text(config.read_text().replace("max_steps = 4", "max_minutes = 9\nmax_steps = 0"))
    train = ["train", "--from", str(slice_ / "gpu"), "--out", str(out), "--config", str(config)]
    process = subprocess.Popen(
        [sys.executable, "-c", HASTY, *train], cwd=slice_, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        wait_until(lambda: all(any(out.glob(f"{pair}/best-*")) for pair in DIRECTIONS), "both have scored", 120)
        process.terminate()
        said = process.communicate(timeout=120)[0]
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert said.count("exit status 0; interrupted at step") == 2, "both saved, and no process is left"
    assert not list(out.rglob(".*")), "nothing half copied"
    gpu_slice(slice_, "home", "--from", str(out), "--pack", "gpu", "--runs", str(tmp_path / "runs"))


def test_what_goes_there_is_the_last_weights_in_8_bits(slice_: Path) -> None:
    last = load_file(slice_ / "long/it-en/long/last.safetensors")
    packed = load_file(slice_ / "gpu/it-en/weights.safetensors")
    name = "source_embedding.weight"
    near = packed[name].float() * packed[f"{name}.scale"]
    assert (near - last[f"averages.{name}"]).abs().max() <= packed[f"{name}.scale"].max() * 0.501


def test_what_was_changed_on_the_way_is_refused(slice_: Path, tmp_path: Path) -> None:
    carried = shutil.copytree(slice_ / "gpu", tmp_path / "gpu")
    (carried / "it-en" / "source.model").write_bytes(b"cut")
    train = ["train", "--from", str(carried), "--out", str(tmp_path / "out"), "--config", "slice.toml"]
    assert "source.model is missing or was changed" in gpu_slice(slice_, *train, status=1)
    assert "must be more than" in gpu_slice(slice_, *train, "--minutes", "1", status=1)
    train[4] = "out"
    assert "give a new folder" in gpu_slice(slice_, *train, status=1)


def test_what_comes_home_must_fit_the_pack_and_not_be_there_already(slice_: Path, tmp_path: Path) -> None:
    home = ["home", "--from", "out", "--config", "slice.toml"]
    assert "exists already" in gpu_slice(slice_, *home, "--pack", "gpu", "--runs", "slice", status=1)
    other = shutil.copytree(slice_ / "gpu", tmp_path / "gpu")
    Manifest(dict.fromkeys(DIRECTIONS, "it-en/other"), Manifest.read(other).files).write(other)
    refused = gpu_slice(slice_, *home, "--pack", str(other), "--runs", "second", status=1)
    assert "was not trained from" in refused
    assert "has no weights" in gpu_slice(slice_, "home", "--from", "data", "--pack", "gpu", status=1)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--mib", "0.05"), "more than 0.05"),
        (("--from", "nothing"), "cannot read checkpoint"),
        (("--data", "nothing.zip"), "no prepared set nothing.zip"),
        (("--out", "data"), "no folder of `gpu-slice pack`"),
        (("--config", str(TINY)), "another architecture|prepared with other settings"),
    ],
)
def test_a_folder_that_cannot_be_made_is_refused_and_leaves_nothing(
    place: Path, arguments: tuple[str, ...], problem: str
) -> None:
    pack = ["pack", "--from", "long", "--out", "refused", "--config", "slice.toml"]
    said = gpu_slice(place, *pack, *arguments, status=1)
    assert any(words in said for words in problem.split("|")), said
    assert not list(place.glob("*refused*")), "nothing half made"

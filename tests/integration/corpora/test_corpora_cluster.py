"""A corpus, and a teacher's tables, on a Ray of this machine: the same bytes, though actors are killed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli_kit import failed as fails
from cli_kit import in_process, succeeded
from corpora_kit import arguments, bytes_below, make_corpus, shards_of
from patience import wait_until

from app.corpora.sharing import cluster
from app.corpora.sharing.processes import TRIES
from app.errors import AppError

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning", "ignore::ResourceWarning", "ignore:::ray"),
]


@pytest.fixture(scope="module")
def ray(tiny_data_dir: Path) -> Iterator[Any]:
    """Ray with two CPUs, whose processes see the tiny model."""
    import ray

    os.environ["TRAGHETTO_DATA_DIR"] = str(tiny_data_dir)
    ray.init(
        address="local", num_cpus=2, num_gpus=0, include_dashboard=False, log_to_driver=False, logging_level="error"
    )
    del os.environ["TRAGHETTO_DATA_DIR"]
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus") / "it")


@pytest.fixture
def run(tiny_data_dir: Path) -> Callable[..., Any]:
    return partial(in_process, TRAGHETTO_DATA_DIR=str(tiny_data_dir), TRAGHETTO_TORCH_THREADS="1")


def is_ours(process: int) -> bool:
    """Whether this process started it, or one that did."""
    while process > 1 and process != os.getpid():
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return process == os.getpid()


def actors() -> list[int]:
    """The processes of the actors that translate."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::MapWorker") and is_ours(int(path.parent.name)):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_killed_actors_lose_nothing(ray: Any, corpus: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    succeeded(run(*arguments(corpus, here)))
    killed: list[int] = []

    def kill() -> None:
        for shards in (4, 20):
            wait_until(lambda shards=shards: len(shards_of(there)) >= shards, "shards are done", 60)  # type: ignore[misc]
            wait_until(lambda: actors(), "there are actors", 60)
            killed.append(actors()[0])
            os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    ended = run(*arguments(corpus, there, "--cluster", "--processes", "2"))
    killer.join()
    succeeded(ended)
    assert len(killed) == 2
    assert bytes_below(there) == bytes_below(here)


def test_a_bad_line_ends_the_run_and_is_named(ray: Any, run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "42"}\n{oh\n')
    given = arguments(tmp_path / "a.jsonl", tmp_path / "b.jsonl", "--cluster")
    fails(run(*given), 1, "a.jsonl, line 2: it is not JSON")
    succeeded(run(*given, "--bad-lines", "keep"))
    assert (tmp_path / "b.jsonl").read_text() == '{"text": "42", "translation": "42"}\n{oh\n'
    fails(run(*given, "--force", "--model-version", "none"), 1, "there is no version none")


def test_a_piece_that_kills_is_named_after_a_few_tries(ray: Any) -> None:
    def make() -> Callable[[int], int]:
        return lambda piece: os.kill(os.getpid(), signal.SIGKILL) if piece == 1 else piece  # type: ignore[return-value]

    with pytest.raises(AppError, match=f"piece 1: the actor that translates died {TRIES} times"):
        list(cluster.on_cluster(make, [0, 1], 1, lambda index: f"piece {index}"))


def test_what_cannot_begin_is_told(ray: Any) -> None:
    def make() -> Callable[[int], int]:
        raise AppError("there is no model here")

    with pytest.raises(AppError, match="there is no model here"):
        list(cluster.on_cluster(make, [0], 1, str))


def test_teachers_say_the_same(ray: Any, run: Callable[..., Any], tmp_path: Path) -> None:
    import toy_corpus

    rows = ["\t".join(pair) + "\n" for pair in toy_corpus.pairs()[:40]]
    (tmp_path / "data").mkdir()
    (tmp_path / "data/tatoeba.train.tsv").write_text("".join(rows))
    (tmp_path / "data/tatoeba.test.tsv").write_text(rows[3])
    given = ("distil", "--pair", "it-en", "--data", tmp_path / "data", "--beam", "2", "--device", "cpu")
    succeeded(run(*given, "--out", tmp_path / "here.tsv.gz"))
    succeeded(run(*given, "--out", tmp_path / "there.tsv.gz", "--cluster"))
    import gzip

    here, there = (gzip.decompress((tmp_path / f"{name}.tsv.gz").read_bytes()) for name in ("here", "there"))
    assert here == there and here.count(b"\n") > 20


def test_results_can_be_taken_in_turn() -> None:
    assert list(cluster.in_turn(iter([(2, "c"), (0, "a"), (3, "d"), (1, "b")]))) == ["a", "b", "c", "d"]

"""A real `traghetto retrain`, stopped and killed at several moments: what is left, and whether the next one works."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from databases import migrated
from patience import eventually, wait_until
from retraining_kit import SHORT, small_sets, teach
from sqlalchemy import select
from stored import correction, store

from app.retraining.service import RetrainingService
from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import RetrainingRun
from app.versions.store import current_version
from model.versions import store as versions

PROGRAM = Path(sys.executable).parent / "traghetto"
TIMEOUT_S = 240.0
"""For a busy machine; an idle one needs some ten seconds."""
pytestmark = pytest.mark.timeout(1500)
"""More than the four runs of a test may need, each with its bounds."""
MANY = 150
"""How often the general set says its sentences: the gate looks at them for seconds, and is not missed."""
EXIT_REFUSED, EXIT_INTERRUPTED = 4, 130
FOLDS = "fold-*.safetensors"
MOMENTS = ("corrections.jsonl", FOLDS, "models/it-en/*/card.json")
"""Files that a run has in its folder: when it begins, when its folds are at work, when it has a candidate."""


class Begin(Protocol):
    def __call__(self, processes: int = 2, *more: str) -> subprocess.Popen[bytes]: ...


@pytest.fixture(scope="module")
def taught(tiny_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions with a tiny model that has learnt some sentences: one that knows nothing is not retrained."""
    root = tmp_path_factory.mktemp("taught")
    teach(tiny_data_dir / "models" / "it-en" / "default", root, SHORT)
    return root


@pytest.fixture
def begin(settings: Settings, tmp_path: Path) -> Iterator[Begin]:
    """Begins a run in a group of processes of its own, its folds included; none outlives a test that fails."""
    runs: list[subprocess.Popen[bytes]] = []
    said = tmp_path / "said"
    sets = small_sets(tmp_path / "sets")
    general = sets / "it-en" / "general.tsv"
    general.write_text(general.read_text() * MANY)
    environment = {**os.environ, "TRAGHETTO_DATA_DIR": str(settings.data_dir), "OMP_NUM_THREADS": "1"}

    def one(processes: int = 2, *more: str) -> subprocess.Popen[bytes]:
        command = [
            str(PROGRAM),
            "retrain",
            "--pair",
            "it-en",
            "--processes",
            str(processes),
            "--sets",
            str(sets),
            *more,
        ]
        with said.open("ab") as stderr:
            runs.append(subprocess.Popen(command, env=environment, stderr=stderr, start_new_session=True))
        return runs[-1]

    yield one
    sys.stdout.write(said.read_text()[-3000:])  # pytest shows it where a test has failed
    for run in runs:
        if not ended(run.pid):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()


@pytest.fixture
def settings(taught: Path, tmp_path: Path) -> Settings:
    """A data directory with that model and two approved corrections."""
    settings = Settings(data_dir=tmp_path / "data")
    shutil.copytree(taught, tmp_path / "data" / "models")
    migrated(settings.database)

    async def approve() -> None:
        database = Database(settings.database)
        await store(database, *(correction(source, target) for source, target in SHORT[:2]))
        await database.close()

    asyncio.run(approve())
    return settings


def reach(settings: Settings, moment: str, run: subprocess.Popen[bytes]) -> None:
    """Wait until the folder of the run has a file of that name."""
    folder = settings.data_dir / "retraining"
    wait_until(lambda: run.poll() is not None or any(folder.glob(f"*/{moment}")), f"the run has {moment}", TIMEOUT_S)
    assert run.poll() is None, f"ended with {run.returncode} before {moment}"


def states(settings: Settings) -> list[str]:
    """Of the runs, the oldest first."""

    async def read() -> list[str]:
        database = Database(settings.database)
        async with database.reading() as session:
            found = list((await session.scalars(select(RetrainingRun.state).order_by(RetrainingRun.started_at))).all())
        await database.close()
        return found

    return asyncio.run(read())


def versions_of(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.data_dir / "models" / "it-en").iterdir() if path.is_dir())


def ended(group: int) -> bool:
    """Whether no process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def left(settings: Settings) -> list[Path]:
    folder = settings.data_dir / "retraining"
    return list(folder.iterdir()) if folder.is_dir() else []


def test_a_run_that_is_killed_at_any_moment_leaves_nothing_that_the_next_does_not_clear(
    begin: Begin, settings: Settings, tmp_path: Path
) -> None:
    """kill -9 to all its processes: texts of users stay until the next run begins, and no longer."""
    for number, moment in enumerate(MOMENTS):
        run = begin(2 if moment == FOLDS else 1)  # processes of their own for the folds take time to start
        reach(settings, moment, run)
        wait_until(lambda before=number: len(states(settings)) > before, "the run, which has its texts, is recorded")
        assert run.poll() is None, f"{moment} was missed"
        assert len(left(settings)) == 1, "what the last one left is gone when the next begins"
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        wait_until(functools.partial(ended, run.pid), "the folds end with the run", 30)
        assert states(settings) == ["interrupted"] * number + ["running"], "nobody was there to say that it died"
        assert versions_of(settings) == ["default"] and current_version(settings, "it-en") == "default"
    last = begin(
        1, "--dry-run", "--sets", str(small_sets(tmp_path / "few"))
    )  # a model so small may pass the gate and then fail the self-test of a promotion
    assert last.wait(timeout=TIMEOUT_S) in (0, EXIT_REFUSED)
    *before, state = states(settings)
    assert before == ["interrupted"] * len(MOMENTS)
    assert (state, last.returncode) in (("kept", 0), ("rejected", EXIT_REFUSED))
    assert left(settings) == []
    for version in versions_of(settings):
        versions.verify(settings.data_dir / "models" / "it-en" / version)


@pytest.mark.parametrize("whole_group", [False, True], ids=["the run", "its group"])
def test_sigterm_is_ctrl_c(whole_group: bool, begin: Begin, settings: Settings) -> None:
    """A service manager stops a group, `kill` a process: either way nothing stays, and the record says so at once."""
    run = begin()
    reach(settings, FOLDS, run)
    stop: Callable[[int, int], None] = os.killpg if whole_group else os.kill
    stop(run.pid, signal.SIGTERM)
    assert run.wait(timeout=60) == EXIT_INTERRUPTED
    wait_until(lambda: ended(run.pid), "the folds end with the run", 30)
    assert (states(settings), left(settings), versions_of(settings)) == (["interrupted"], [], ["default"])


def test_a_server_that_stops_stops_its_retraining_and_nothing_stays(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAGHETTO_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    async def serve() -> None:
        database = Database(settings.database)
        run = asyncio.create_task(RetrainingService(settings, database).start("it-en"))
        at_work = (settings.data_dir / "retraining").glob

        def waited() -> bool:
            return run.done() or any(at_work(f"*/{FOLDS}"))

        await eventually(waited, "the folds are at work", TIMEOUT_S)
        assert not run.done()
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run
        await database.close()

    asyncio.run(serve())
    assert (states(settings), left(settings), versions_of(settings)) == (["interrupted"], [], ["default"])

"""A retraining that runs on one of two servers, which share a database and a store, but no folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import uuid
from pathlib import Path

import pytest
import stand_in_retrain
from corrections_kit import ADMIN_KEY, people_of
from databases import emptied
from fakes import problem
from patience import eventually
from runs_kit import PAIR, PATH, PATIENCE_S, approve, begun, make, watched
from sqlalchemy import URL, select

from app.retraining.stopping import stop_file
from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import INTERRUPTED, RUNNING, RetrainingRun

pytestmark = [pytest.mark.postgres, pytest.mark.long]


@pytest.fixture
def servers(shared_database: URL, tiny_data_dir: Path, tmp_path: Path) -> tuple[Settings, Settings]:
    """Each with a data directory of its own, and something to learn."""
    (tmp_path / "store").mkdir()
    shared = {"database_url": emptied(shared_database), "models_url": f"file://{tmp_path / 'store'}"}
    for name in ("one", "two"):
        shutil.copytree(tiny_data_dir / "models", tmp_path / name / "models")
    return tuple(
        Settings(data_dir=tmp_path / name, admin_key=ADMIN_KEY, device="cpu", torch_threads=1, **shared)  # type: ignore[arg-type]
        for name in ("one", "two")
    )  # type: ignore[return-value]


async def runs(settings: Settings) -> list[RetrainingRun]:
    database = Database(settings.database)
    async with database.reading() as session:
        found = list((await session.scalars(select(RetrainingRun))).all())
    await database.close()
    return found


async def test_a_run_is_watched_and_stopped_at_the_other_server(
    servers: tuple[Settings, Settings], control: Path
) -> None:
    one, two = servers
    await approve(one, "uno")
    async with people_of(make(one, control)) as here, people_of(make(two, control)) as there:
        id = await begun(here.admin)
        stopped = await there.admin.post(f"{PATH}/{id}/stop")
        assert (stopped.status_code, stopped.json()["id"]) == (202, id)
        first, *rest = await watched(here.admin, id)
        assert rest[-1][2]["state"] == INTERRUPTED
        assert stop_file(one, uuid.UUID(id)).exists(), "it was passed on"
        (begin, end) = await watched(there.admin, id)
        assert begin == first, "the same first event, by the same number"
        assert end[1:] == rest[-1][1:]
        assert [event for _, event, _ in await watched(there.admin, id, after=begin[0])] == ["end"]
        problem(await there.admin.post(f"{PATH}/{id}/stop"), 409, "conflict")
    (run,) = await runs(one)
    assert run.stop_asked_at is not None


async def test_a_run_of_the_command_line_is_stopped_at_the_other_server(
    servers: tuple[Settings, Settings], control: Path
) -> None:
    one, two = servers
    await approve(one, "uno")
    process = await asyncio.create_subprocess_exec(
        *stand_in_retrain.command(control), "--pair", PAIR, env={**os.environ, **one.to_environment()}
    )
    try:
        await eventually(lambda: _is_running(one), "it has begun", PATIENCE_S)
        (run,) = await runs(one)
        async with people_of(make(two, control)) as there:
            assert (await there.admin.post(f"{PATH}/{run.id}/stop")).status_code == 202
            assert (await watched(there.admin, str(run.id)))[-1][2]["state"] == INTERRUPTED
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() != 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _is_running(settings: Settings) -> bool:
    return [run.state for run in await runs(settings)] == [RUNNING]

"""Beginning, watching and stopping a retraining by HTTP, with real processes and a stand-in for the trainer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import stand_in_retrain
from corrections_kit import ADMIN_KEY, People, people_of
from databases import migrated
from fakes import FakeTranslator, client_at, fake_detect, problem, serving
from patience import eventually
from runs_kit import PAIR, PATH, PATIENCE_S, approve, begun, make, watched
from sqlalchemy import select

from app.access.keys import Keys
from app.http import events as http_events
from app.main import create_app
from app.retraining import following, progress, service, stopping
from app.retraining.leftovers import only_one
from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import INTERRUPTED, RUNNING, RetrainingRun
from app.versions.store import current_version

KEY = {"Authorization": f"Bearer {ADMIN_KEY}"}


@pytest.fixture
def settings(tiny_data_dir: Path, tmp_path: Path) -> Settings:
    """A data directory with the tiny model, and a database."""
    shutil.copytree(tiny_data_dir / "models", tmp_path / "data" / "models")
    chosen = Settings(data_dir=tmp_path / "data", admin_key=ADMIN_KEY, device="cpu", torch_threads=1)  # type: ignore[arg-type]
    migrated(chosen.database)
    return chosen


@pytest.fixture
async def people(settings: Settings, control: Path) -> AsyncIterator[People]:
    """The clients of a server that begins the stand-in."""
    async with people_of(make(settings, control)) as found:
        yield found


async def test_a_run_is_begun_watched_and_promoted(people: People, settings: Settings, control: Path) -> None:
    await approve(settings, "uno", "due")
    id = await begun(people.admin)
    one = (await people.admin.get(f"{PATH}/{id}")).json()
    assert (one["state"], one["parent"], one["corrections"]) == ("running", "default", 2)
    problem(await people.admin.post(PATH, json={"pair": PAIR}), 409, "conflict")
    (control / stand_in_retrain.GO).touch()
    told = await watched(people.admin, id)
    assert [number for number, _, _ in told] == sorted({number for number, _, _ in told})
    assert told[0][1:] == (
        "begun",
        {"pair": PAIR, "parent": "default", "candidate": one["candidate"], "corrections": 2},
    )
    stages = [(facts["stage"], facts["done"], facts["total"]) for _, event, facts in told if event == "stage"]
    assert stages[0] == ("reading", 0, 1) and ("training", 0, 4) in stages and stages[-1] == ("gating", 0, 2)
    assert next(facts["number"] for _, _, facts in told if facts.get("stage") == "training") == 2
    assert told[-1][1:] == ("end", {"state": "promoted", "candidate": one["candidate"], "log": ""})
    assert current_version(settings, PAIR) == one["candidate"]
    detail = (await people.admin.get(f"/v1/models/{PAIR}/{one['candidate']}")).json()
    assert (detail["run_id"], detail["status"], detail["lineage"], detail["corrections"]) == (
        id,
        "current",
        ["default"],
        2,
    )
    kept = b"".join(path.read_bytes() for path in (settings.data_dir / progress.FOLDER).iterdir())
    assert b"uno" not in kept and b"due" not in kept, "no text of anybody stays in these files"


async def test_who_comes_late_or_again_hears_what_was_before(people: People, settings: Settings, control: Path) -> None:
    await approve(settings, "uno")
    (control / stand_in_retrain.GO).touch()
    id = await begun(people.admin)
    first = await watched(people.admin, id)
    assert await watched(await people.reviewer(), id) == first
    assert await watched(people.admin, id, after=first[1][0]) == first[2:]
    assert await watched(people.admin, id, after=10**6) == first[-1:], "the end is told to everybody"


async def test_a_dry_run_leaves_the_promotion_to_people(people: People, settings: Settings, control: Path) -> None:
    await approve(settings, "uno")
    (control / stand_in_retrain.GO).touch()
    id = await begun(people.admin, dry_run=True)
    _, _, end = (await watched(people.admin, id))[-1]
    assert end["state"] == "kept" and current_version(settings, PAIR) == "default"
    statuses = {one["version"]: one["status"] for one in (await people.admin.get("/v1/models")).json()["models"]}
    assert statuses[end["candidate"]] == "candidate"


async def test_one_that_the_gate_refuses_says_why(people: People, settings: Settings, control: Path) -> None:
    await approve(settings, "uno")
    (control / stand_in_retrain.GO).touch()
    (control / stand_in_retrain.VERDICT).write_text(stand_in_retrain.REFUSED)
    _, _, end = (await watched(people.admin, await begun(people.admin)))[-1]
    assert end["state"] == "rejected" and "loses 3.1 BLEU" in end["log"]
    assert [run["has_report"] for run in (await people.admin.get(PATH)).json()["runs"]] == [True]


async def test_one_that_fails_is_told_without_its_words(people: People, settings: Settings, control: Path) -> None:
    await approve(settings, "uno")
    (control / stand_in_retrain.GO).touch()
    (control / stand_in_retrain.VERDICT).write_text(stand_in_retrain.FAILS)
    _, _, end = (await watched(people.admin, await begun(people.admin)))[-1]
    assert end["state"] == "failed"
    assert "RuntimeError" in end["log"] and "secret" not in end["log"]
    assert [run["has_report"] for run in (await people.admin.get(PATH)).json()["runs"]] == [False]


async def test_a_run_is_stopped_from_another_worker(people: People, settings: Settings, control: Path) -> None:
    await approve(settings, "uno")
    id = await begun(people.admin)
    async with people_of(make(settings, control)) as other:
        problem(await (await other.reviewer()).post(f"{PATH}/{id}/stop"), 403, "forbidden")
        stopped = await other.admin.post(f"{PATH}/{id}/stop")
        assert (stopped.status_code, stopped.json()["id"]) == (202, id)
        assert (await watched(other.admin, id))[-1][2]["state"] == INTERRUPTED
        problem(await other.admin.post(f"{PATH}/{id}/stop"), 409, "conflict")
    assert sorted(path.name for path in (settings.data_dir / "models" / PAIR).iterdir()) == ["default", "second"]
    again = await begun(people.admin)
    await people.admin.post(f"{PATH}/{again}/stop")
    assert (await watched(people.admin, again))[-1][2]["state"] == INTERRUPTED, "the next one must be able to begin"


async def test_a_run_ends_with_its_server(settings: Settings, control: Path) -> None:
    await approve(settings, "uno")
    async with people_of(make(settings, control)) as people:
        id = await begun(people.admin)
    database = Database(settings.database)
    async with database.reading() as session:
        (run,) = (await session.scalars(select(RetrainingRun))).all()
    await database.close()
    assert (str(run.id), run.state) == (id, INTERRUPTED)
    with only_one(settings):
        pass


DEAF = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
folder = pathlib.Path(os.environ["TRAGHETTO_DATA_DIR"]) / "progress"
folder.mkdir()
(folder / "pid").write_text(str(os.getpid()))
(folder / (sys.argv[sys.argv.index("--id") + 1] + ".jsonl")).write_text("")
time.sleep(120)
"""
"""A run that does not listen."""


async def test_one_that_does_not_stop_is_killed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "STOP_TIMEOUT_S", 0.1)
    await approve(settings, "uno")
    command = (sys.executable, "-c", DEAF)
    app = create_app(settings, lambda: {PAIR: FakeTranslator()}, detect=fake_detect, retrain=command)
    async with people_of(app) as people:
        id = await begun(people.admin)
        pid = int((settings.data_dir / progress.FOLDER / "pid").read_text())
        stopping.ask_here(settings, uuid.UUID(id))
        await eventually(lambda: not Path(f"/proc/{pid}").exists(), "it is killed")


async def test_with_nothing_to_learn_nothing_begins(people: People, settings: Settings) -> None:
    told = problem(await people.admin.post(PATH, json={"pair": PAIR}), 409, "conflict")
    assert "nothing to learn" in told["detail"]
    await approve(settings, "uno")
    with only_one(settings):
        told = problem(await people.admin.post(PATH, json={"pair": PAIR}), 409, "conflict")
    assert "another retraining runs" in told["detail"]
    assert (await people.admin.get(PATH)).json()["runs"] == []


async def test_a_program_that_does_not_begin_is_told(settings: Settings) -> None:
    await approve(settings, "uno")
    app = create_app(settings, lambda: {PAIR: FakeTranslator()}, detect=fake_detect, retrain=("false",))
    async with people_of(app) as people:
        problem(await people.admin.post(PATH, json={"pair": PAIR}), 500, "retraining-failed")


@pytest.mark.parametrize("body", [{}, {"pair": "fr-de"}, {"pair": PAIR, "dry_run": "x"}, {"pair": PAIR, "margin": 9}])
async def test_wrong_fields_are_refused(people: People, body: dict[str, Any]) -> None:
    problem(await people.admin.post(PATH, json=body), 422, "invalid-request")


async def test_who_may_do_what(people: People) -> None:
    id = uuid.uuid4()
    keys = Keys(people.app.state.services.database)
    admin_only = people.holding((await keys.create("admin only", ["admin"])).secret)
    reviewer, author = await people.reviewer(), await people.author()
    for client, status in ((reviewer, 403), (author, 403), (people.stranger, 401)):
        assert (await client.post(PATH, json={"pair": PAIR})).status_code == status
        assert (await client.post(f"{PATH}/{id}/stop")).status_code == status
    for client, status in ((reviewer, 404), (admin_only, 404), (author, 403), (people.stranger, 401)):
        assert (await client.get(f"{PATH}/{id}/events")).status_code == status
    assert (await admin_only.get(PATH)).status_code == 200
    assert (await people.admin.post(f"{PATH}/{id}/stop")).status_code == 404
    assert (await people.admin.get(f"{PATH}/{id}/events", headers={"Last-Event-ID": "x"})).status_code == 422


async def running(settings: Settings) -> str:
    """A run of another process, as the database has it."""
    run = RetrainingRun(pair=PAIR, parent="default", candidate="corrected-x-1", state=RUNNING)
    database = Database(settings.database)
    async with database.writing() as session:
        session.add(run)
    await database.close()
    return str(run.id)


async def test_a_run_that_was_killed_ends_for_who_watches(people: People, settings: Settings) -> None:
    id = await running(settings)
    progress.tell(settings, uuid.UUID(id), progress.BEGUN, pair=PAIR)
    assert [event for _, event, _ in await watched(people.admin, id)] == ["begun", "end"]
    other = await running(settings)
    problem(await people.admin.post(f"{PATH}/{other}/stop"), 409, "conflict")


async def test_what_stands_in_a_file_of_progress_is_passed_on_only_if_it_is_ours(
    people: People, settings: Settings
) -> None:
    id = await running(settings)
    path = progress.progress_file(settings, uuid.UUID(id))
    path.parent.mkdir()
    lines = ["[]", '{"event": 5}', '{"event": "other"}', "x" * 10_000, "[" * 100_000, '{"event": "stage", "done": NaN}',
             '{"event": "stage", "stage": "training", "done": 1, "total": 2, "text": "secret", "number": [1]}', "\xff",
             '{"event": "stage", "stage": "half']  # fmt: skip
    path.write_bytes("\n".join(lines).encode("latin-1"))
    found = [(event, facts) for _, event, facts in await watched(people.admin, id)]
    assert found[:-1] == [("stage", {"stage": "training", "done": 1, "total": 2})]


@contextlib.asynccontextmanager
async def listening(address: str, id: str) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of a stream, as they come."""
    async with client_at(address, headers=KEY) as client, client.stream("GET", f"{PATH}/{id}/events") as response:
        assert response.status_code == 200
        yield response.aiter_lines()


async def lines_until(lines: AsyncIterator[str], wanted: str) -> list[str]:
    found = []
    async with asyncio.timeout(PATIENCE_S):
        async for line in lines:
            found.append(line)
            if wanted in line:
                return found
    raise AssertionError(f"{wanted} did not come: {found}")


async def test_events_come_while_the_run_goes_on_and_hearts_beat(
    settings: Settings, control: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_events, "HEARTBEAT_S", 0.1)
    id = await running(settings)
    with only_one(settings), serving(make(settings, control)) as address:
        async with listening(address, id) as lines:
            await lines_until(lines, "event: begun")
            await lines_until(lines, ": still here")
            progress.tell(settings, uuid.UUID(id), progress.BEGUN, pair=PAIR)  # as the database has told it
            progress.tell(settings, uuid.UUID(id), progress.STAGE, stage="training", done=1, total=2)
            told = await lines_until(lines, "data: ")
            assert "event: stage" in told
            assert json.loads(told[-1].removeprefix("data: ")) == {"stage": "training", "done": 1, "total": 2}


async def test_a_server_that_goes_down_does_not_wait_for_watchers(settings: Settings, control: Path) -> None:
    """uvicorn would wait for all of the time that it may take, and then break the stream off."""
    id = await running(settings)
    with only_one(settings):
        with serving(make(settings, control)) as address:
            stream = listening(address, id)
            lines = await stream.__aenter__()
            await lines_until(lines, "retry: ")
        async with asyncio.timeout(PATIENCE_S):
            rest = [line async for line in lines]  # ends in good order: a broken stream raises
        assert not any("event: end" in line for line in rest), "the run goes on"
        await stream.__aexit__(None, None, None)


async def test_no_more_watchers_than_a_worker_can_serve(
    settings: Settings, control: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MOST_WATCHERS", 1)
    id = await running(settings)
    with only_one(settings), serving(make(settings, control)) as address:
        async with client_at(address, headers=KEY) as client:
            async with listening(address, id) as lines:
                await lines_until(lines, "retry: ")
                problem(await client.get(f"{PATH}/{id}/events"), 429, "busy")

            async def is_free() -> bool:
                async with client.stream("GET", f"{PATH}/{id}/events") as response:
                    return response.status_code == 200

            await eventually(is_free, "one that has gone makes room")

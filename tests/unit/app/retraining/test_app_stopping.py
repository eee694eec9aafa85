"""How who looks after a retraining hears that it is to end: by a file, and by the database."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from databases import migrated
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import DatabaseDown, told
from app.http.kinds import kind_of
from app.retraining.progress import BEGUN, tell
from app.retraining.service import RetrainingService
from app.retraining.stopping import Asked, AskedUnrecorded, ask_here, ask_to_stop, stop_file, stopping_when_asked
from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import RetrainingRun

ID = uuid.UUID(int=1)
NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:1/none"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a server with a database in which `ID` runs."""
    chosen = Settings(data_dir=tmp_path / "one")
    migrated(chosen.database)
    return chosen


async def begin(settings: Settings) -> Database:
    database = Database(settings.database)
    async with database.writing() as session:
        session.add(RetrainingRun(id=ID, pair="it-en", parent="default", candidate="c"))
    return database


@pytest.fixture
def heard() -> Iterator[threading.Event]:
    """Set when this process gets SIGTERM."""
    found = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: found.set())
    yield found
    signal.signal(signal.SIGTERM, before)


def test_the_file_ends_a_run_also_without_a_database(tmp_path: Path, heard: threading.Event) -> None:
    settings = Settings(data_dir=tmp_path, database_url=NOWHERE)
    with stopping_when_asked(settings, ID):
        ask_here(settings, ID)
        assert heard.wait(60)
    assert stop_file(settings, ID).exists()


def test_what_has_ended_is_stopped_no_more(
    settings: Settings, heard: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks at a database may wait for it for long."""
    looking, answers = threading.Event(), threading.Event()

    class SlowlyAsked(Asked):
        async def look(self) -> bool:
            looking.set()
            return await asyncio.to_thread(answers.wait, 60)

    monkeypatch.setattr("app.retraining.stopping.LOOK_EVERY_S", 0.01)
    monkeypatch.setattr("app.retraining.stopping.Asked", SlowlyAsked)
    with stopping_when_asked(settings, ID):
        assert looking.wait(60)
        (watcher,) = [one for one in threading.enumerate() if one.name == "stopping"]
    answers.set()
    watcher.join(60)
    assert not watcher.is_alive() and not heard.is_set()


async def test_who_is_asked_elsewhere_ends_a_run_here(
    settings: Settings, tmp_path: Path, heard: threading.Event
) -> None:
    database = await begin(settings)
    with stopping_when_asked(settings, ID):
        elsewhere = settings.model_copy(update={"data_dir": tmp_path / "two"})
        run = await ask_to_stop(elsewhere, database, ID)
        asked = run.stop_asked_at
        assert asked is not None and heard.wait(60)
    assert stop_file(settings, ID).exists(), "for whoever else looks after it"
    assert (await ask_to_stop(elsewhere, database, ID)).stop_asked_at == asked, "the first who asked counts"
    await database.close()


async def test_a_data_directory_that_is_full_keeps_nobody_from_hearing(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = await begin(settings)
    assert not await Asked(settings, database, ID).look()
    await ask_to_stop(settings.model_copy(update={"data_dir": tmp_path / "two"}), database, ID)
    (settings.data_dir / "progress").write_text("in the way")
    asked = Asked(settings, database, ID)
    assert [await asked.look() for _ in range(3)] == [True] * 3, (
        "it is not forgotten before the next look at the database"
    )
    assert "no file can say so" in caplog.text
    await database.close()


async def test_a_stop_that_is_stored_is_on_its_way_whatever_the_disk_says(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    database = await begin(settings)
    tell(settings, ID, BEGUN)
    stop_file(settings, ID).symlink_to("/nowhere/at/all")
    assert (await ask_to_stop(settings, database, ID)).stop_asked_at is not None
    assert "no file can say so" in caplog.text
    await database.close()


async def test_without_its_database_a_server_stops_what_runs_here_and_says_that_it_knows_no_more(
    tmp_path: Path,
) -> None:
    settings, database = Settings(data_dir=tmp_path, database_url=NOWHERE), Database(NOWHERE)
    service = RetrainingService(settings, database)
    with pytest.raises(DatabaseDown) as elsewhere:
        await service.stop_run(ID)
    assert "Nothing was stored" in told(elsewhere.value) and not stop_file(settings, ID).exists()
    tell(settings, ID, BEGUN)
    with pytest.raises(AskedUnrecorded) as here:
        await service.stop_run(ID)
    assert "it stops all the same" in told(here.value) and kind_of(here.value).status == 503
    assert stop_file(settings, ID).exists()
    await database.close()


async def test_a_database_that_is_away_asks_nothing_and_is_not_asked_all_the_time(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, tries = Database(NOWHERE), 0
    reading = database.reading

    def counted() -> AbstractAsyncContextManager[AsyncSession]:
        nonlocal tries
        tries += 1
        return reading()

    monkeypatch.setattr(database, "reading", counted)
    asked = Asked(settings, database, ID)
    assert [await asked.look() for _ in range(3)] == [False] * 3
    assert tries == 1
    monkeypatch.setattr("app.retraining.stopping.RETRY_S", 0.0)
    asked = Asked(settings, database, ID)
    assert [await asked.look() for _ in range(3)] == [False] * 3
    assert tries == 4
    assert caplog.text.count("is to stop is not known") == 2, "once by each who looks"
    ask_here(settings, ID)
    assert await asked.look(), "the file does without it"
    await database.close()


async def test_a_database_that_goes_away_ends_no_run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.retraining.service.LOOK_AFTER_S", 0.01)
    database = Database(NOWHERE)
    service = RetrainingService(settings, database, (sys.executable, "-c", "import time; time.sleep(1)"))
    assert await service.start("it-en") == 0, "it is watched to its end"
    await database.close()

"""LISTEN and NOTIFY on a real PostgreSQL: who listens is called at once, and again after whatever happened to it."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from databases import emptied
from patience import PATIENCE_S, eventually
from sqlalchemy import URL, make_url

from app.errors import DatabaseDown
from app.retraining.leftovers import AlreadyRunning, is_running, only_one
from app.settings import Settings
from app.storage.locks import Lock, held
from app.storage.notices import CHANNEL, Notices, notify

NOT_OURS = (
    "", "third", "[]", "7", "[" * 7000, '{"pair": "xx-yy", "version": "third", "is_coming": true}',
    '{"pair": "it-en"}', '{"pair": "it-en", "version": "../third", "is_coming": true}',
    '{"pair": ["it-en"], "version": "third", "is_coming": true}',
    '{"pair": "it-en", "version": "third", "is_coming": 1}',
)  # fmt: skip
NOBODY = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"


class Listener:
    """Counts how often it is called."""

    def __init__(self, url: str) -> None:
        self.calls = 0
        self.expected: list[tuple[str, str]] = []
        self.notices = Notices(url, [self._call], [self._expect])

    def _call(self) -> None:
        self.calls += 1

    def _expect(self, pair: str, version: str) -> None:
        self.expected.append((pair, version))


@asynccontextmanager
async def running(listener: Listener) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(listener.notices.run())
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def url(shared_database: URL) -> str:
    return emptied(shared_database)


def end_listeners(url: str) -> int:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query = %s",
            (f"LISTEN {CHANNEL}",),
        ).fetchone()
    return int(ended[0]) if ended else 0


@pytest.mark.postgres
async def test_all_who_listen_are_called_at_once(url: str) -> None:
    listeners = [Listener(url) for _ in range(2)]
    async with running(listeners[0]), running(listeners[1]):
        for listener in listeners:
            await asyncio.wait_for(listener.notices.listening.wait(), PATIENCE_S)
        assert [listener.calls for listener in listeners] == [1, 1], "something may have been missed before"
        began = time.monotonic()
        await asyncio.to_thread(notify, url, "it-en", "second")
        await eventually(lambda: [listener.calls for listener in listeners] == [2, 2], "both are called")
        assert time.monotonic() - began < 10
        assert [listener.expected for listener in listeners] == [[], []], "it is there, and nobody is to have it ready"


@pytest.mark.postgres
async def test_what_is_about_to_be_promoted_is_expected_and_nothing_else_is(url: str) -> None:
    listener = Listener(url)
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    async with running(listener):
        await asyncio.wait_for(listener.notices.listening.wait(), PATIENCE_S)
        with psycopg.connect(plain, autocommit=True) as connection:
            for payload in NOT_OURS:
                connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
        await asyncio.to_thread(notify, url, "it-en", "third", is_coming=True)
        await eventually(lambda: listener.calls == 2 + len(NOT_OURS), "all are heard")
    assert listener.expected == [("it-en", "third")]


@pytest.mark.postgres
async def test_a_connection_that_was_ended_comes_back_and_looks(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "traghetto.notices")
    listener = Listener(url)
    async with running(listener) as task:
        for count in (1, 2, 3):
            await asyncio.wait_for(listener.notices.listening.wait(), PATIENCE_S)
            await eventually(lambda count=count: listener.calls == 2 * count - 1, "it looks when it is back")
            await asyncio.to_thread(notify, url, "it-en", "second")
            await eventually(lambda count=count: listener.calls == 2 * count, "it hears")
            assert await asyncio.to_thread(end_listeners, url) == 1
            await eventually(lambda: not listener.notices.listening.is_set(), "it notices")
        assert not task.done()
    assert caplog.text.count("are not heard of") == caplog.text.count("are heard of again") + 1 == 3


async def test_a_database_that_is_down_is_told_once_and_stops_nobody(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.storage.notices.RETRY_S", (0.01,))
    listener = Listener(NOBODY)
    async with running(listener) as task:
        await asyncio.sleep(0.2)
        assert not task.done() and listener.calls == 0
    notify(NOBODY, "it-en", "second")
    assert caplog.text.count("are not heard of") == 1
    assert caplog.text.count("were not told") == 1


def test_a_database_that_accepts_and_says_nothing_holds_nobody_up(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.storage.notices.CONNECT_TIMEOUT_S", 0.1)
    monkeypatch.setattr("app.storage.notices.QUERY_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(
            "app.storage.notices.psycopg_arguments", lambda _: {"host": "127.0.0.1", "port": silent.getsockname()[1]}
        )
        notify(NOBODY, "it-en", "second", is_coming=True)
        assert "may not have been told" in caplog.text


async def test_on_sqlite_there_is_nothing_to_hear() -> None:
    await asyncio.wait_for(Listener("sqlite+aiosqlite:///x.db").notices.run(), PATIENCE_S)
    notify("sqlite+aiosqlite:///x.db", "it-en", "second")


@pytest.mark.postgres
def test_servers_with_a_data_directory_each_retrain_one_at_a_time(
    url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    one, two = (
        Settings(data_dir=tmp_path_factory.mktemp("server"), database_url=url, models_url="file:///shared/models")
        for _ in range(2)
    )
    with only_one(one):
        assert is_running(two)
        with pytest.raises(AlreadyRunning), only_one(two):
            pass
        alone = two.model_copy(update={"models_url": None})
        assert not is_running(alone), "whoever shares nothing waits for nobody"
    assert not is_running(two), "the lock is let go"
    with pytest.raises(DatabaseDown), held(NOBODY, Lock.RETRAINING):
        pass

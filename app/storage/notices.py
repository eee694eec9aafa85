"""Tells the server processes on one PostgreSQL at once that a version was pushed or promoted, or is about to be.

By LISTEN and NOTIFY. What is told is only that it is time to look, and what to have ready; everybody looks now and then
anyway, so that nothing depends on it. On SQLite, and behind a pool that shares connections between transactions, that
is all there is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from app.languages import PAIRS
from app.storage.db import is_sqlite
from model.errors import VersionError
from model.versions.card import check_name

log = logging.getLogger("traghetto.notices")

CHANNEL = "traghetto_models"
CONNECT_TIMEOUT_S = 2
QUERY_TIMEOUT_S = 5.0
RETRY_S = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Between tries to reach a database that is down; the last again and again."""
KEEPALIVES: dict[str, Any] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""A connection that says nothing for hours is dropped by what lies between; this one notices within a minute."""
FOR_GOOD = "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'"
"""PostgreSQL may end who is idle for long, and who only listens always is. Older servers have no such setting."""


def notify(url: str, pair: str, version: str, *, is_coming: bool = False) -> None:
    """Tell all who listen on the database at `url` about a version. If that cannot be, they find out by themselves.

    Blocks, for seconds at most, whatever the database does.

    Args:
        is_coming: it is about to be promoted, so that it is worth loading.
    """
    if is_sqlite(url):
        return
    told = json.dumps({"pair": pair, "version": version, "is_coming": is_coming})
    thread = threading.Thread(target=_notify, args=(url, told), name="notify", daemon=True)
    thread.start()
    thread.join(CONNECT_TIMEOUT_S + QUERY_TIMEOUT_S)
    if thread.is_alive():
        log.warning("the servers may not have been told, and will look within seconds: the database is slow")


def _notify(url: str, told: str) -> None:
    try:
        with psycopg.connect(**psycopg_arguments(url)) as connection:
            connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, told))
    except (psycopg.Error, OSError) as error:
        log.warning("the servers were not told, and will look within seconds: %s", type(error).__name__)


class Notices:
    """Listens, and calls. All of it belongs to one event loop."""

    def __init__(
        self, url: str, wake: Sequence[Callable[[], None]], expect: Sequence[Callable[[str, str], None]]
    ) -> None:
        """What is called must not block.

        Args:
            wake: called at each notice, and whenever some may have been missed.
            expect: called before them with the pair and the name of a version that is about to be promoted.
        """
        self._url, self._wake, self._expect = url, wake, expect
        self.listening = asyncio.Event()
        """Set while it does."""

    async def run(self) -> None:
        """Until cancelled, through whatever happens to the database; at once done on SQLite."""
        if is_sqlite(self._url):
            return
        failures, down = 0, False
        while True:
            try:
                async with listening(self._url, CHANNEL) as connection:
                    if down:
                        log.info("promotions are heard of again")
                    failures, down = 0, False
                    self.listening.set()
                    self._call(None)
                    async for notice in connection.notifies():
                        self._call(_coming(notice.payload))
            except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:  # `TimeoutError` too
                if not down:
                    log.warning("promotions are not heard of, but looked for: %s", type(error).__name__)
                down = True
            finally:
                self.listening.clear()
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
            failures += 1

    def _call(self, coming: tuple[str, str] | None) -> None:
        if coming is not None:
            for expect in self._expect:
                expect(*coming)
        for wake in self._wake:
            wake()


def _coming(payload: str) -> tuple[str, str] | None:
    """The pair and the version that is about to be promoted, if that is what was told, and by us."""
    try:
        told = json.loads(payload)
        pair, version, is_coming = told["pair"], told["version"], told["is_coming"]
        check_name(pair, version)
    except (ValueError, TypeError, KeyError, RecursionError, VersionError):
        return None
    return (pair, version) if is_coming is True and pair in PAIRS else None


@contextlib.asynccontextmanager
async def listening(url: str, channel: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection of its own that hears what is told on `channel`.

    Raises:
        psycopg.OperationalError, TimeoutError: the database cannot be reached.
    """
    async with await psycopg.AsyncConnection.connect(**psycopg_arguments(url)) as connection:
        async with asyncio.timeout(QUERY_TIMEOUT_S):
            await connection.execute(FOR_GOOD)
            await connection.execute(f"LISTEN {channel}")
        yield connection


def psycopg_arguments(url: str) -> dict[str, Any]:
    """What psycopg is told to reach the database of an SQLAlchemy URL."""
    parsed = make_url(url)
    _, arguments = parsed.get_dialect()().create_connect_args(parsed)
    return {**KEEPALIVES, **arguments, "autocommit": True, "connect_timeout": CONNECT_TIMEOUT_S}

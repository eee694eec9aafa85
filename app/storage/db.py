"""The database: SQLite in the data directory by default, PostgreSQL for real use. One code path for both.

SQLite is set up for a server: write-ahead log, a wait instead of "database is locked", commits that survive a power
cut, and transactions that take the write lock at once, since one that starts as a reader cannot be upgraded when
another has written meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal

import aiosqlite
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.errors import AppError, DatabaseDown

log = logging.getLogger("traghetto.database")

MIGRATIONS = Path(__file__).parents[2] / "migrations"
BUSY_TIMEOUT_MS = 10_000
CHECK_TIMEOUT_S = 2.0
WORK_TIMEOUT_S = 15.0
"""For one transaction, waiting for a connection and for the write lock included."""
CLOSE_TIMEOUT_S = BUSY_TIMEOUT_MS / 1000 + 1
"""For statements that run on when all is closed: SQLite's wait for a lock cannot be broken off."""
UNDEFINED_TABLE = "42P01"
"""PostgreSQL's word for a database that is not migrated; SQLite's is an `OperationalError`."""
NO_TEXTS: dict[str, Any] = {"hide_parameters": True}
"""Of every engine: what a statement was given are users' texts, which no error may tell, nor the log it goes to."""
READER: dict[str, Any] = {"reader": True}
"""Execution options of a connection that only reads: on SQLite it does not wait for the write lock."""

DatabaseState = Literal["ok", "down", "not migrated"]


class Database:
    """Connections to one database. Nothing is opened before the first use."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._workers: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        if is_sqlite(url):
            self._engine = create_async_engine(url, **NO_TEXTS)
            set_up_sqlite(self._engine.sync_engine)
            note_workers(self._engine.sync_engine, self._workers)
        else:
            timeout = int(CHECK_TIMEOUT_S)
            arguments = {"connect_timeout": timeout}
            self._engine = create_async_engine(url, pool_pre_ping=True, connect_args=arguments, **NO_TEXTS)
        self._line = asyncio.Lock() if is_sqlite(url) else None
        self._head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
        self.session = async_sessionmaker(self._engine, expire_on_commit=False, class_=AsyncSession)

    @property
    def engine(self) -> AsyncEngine:
        """For what is not done through `session`."""
        return self._engine

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """One transaction, committed at the end. On SQLite the writers of this process wait in line for each other,
        because SQLite's own wait is not fair.

        Raises:
            DatabaseDown: it cannot be reached, went away meanwhile, or is not migrated; nothing was stored.
        """
        line = self._line if self._line is not None else contextlib.nullcontext()
        with _down_as_503():
            async with asyncio.timeout(WORK_TIMEOUT_S), line, self.session.begin() as session:
                yield session

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session that only reads; on SQLite it waits for no writer.

        Raises:
            DatabaseDown: as `writing`.
        """
        with _down_as_503():
            async with asyncio.timeout(WORK_TIMEOUT_S), self.session() as session:
                await session.connection(execution_options=READER)
                yield session

    async def state(self) -> DatabaseState:
        """Ask the database for its schema version, within `CHECK_TIMEOUT_S`."""
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                return await self._state()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("the database does not answer: %s", type(error).__name__)
            return "down"

    async def _state(self) -> DatabaseState:
        async with self._engine.connect() as connection:
            await connection.execution_options(**READER)
            exists = await connection.run_sync(lambda sync: sync.dialect.has_table(sync, "alembic_version"))
            if not exists:
                return "not migrated"
            revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
            return "ok" if revision == self._head else "not migrated"

    async def close(self) -> None:
        """Close all connections. Waits for statements that were broken off: their threads still tell the event loop."""
        await self._engine.dispose()
        until = time.monotonic() + CLOSE_TIMEOUT_S
        for worker in [one for one in self._workers if one.is_alive()]:
            await asyncio.to_thread(worker.join, max(0.0, until - time.monotonic()))


@contextlib.contextmanager
def _down_as_503() -> Iterator[None]:
    """What a database that is away raises, as `DatabaseDown`. Faults of ours, such as a broken constraint, pass."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        if not is_outage(error):
            raise
        log.warning("the database does not answer: %s", type(error).__name__)
        raise DatabaseDown from error


def is_outage(error: Exception) -> bool:
    """Whether it is what a database raises that cannot be reached, went away or is not migrated, and no fault of
    ours."""
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout | OSError):  # `TimeoutError` is an `OSError`
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) == UNDEFINED_TABLE


def is_sqlite(url: str) -> bool:
    """Whether `url` names an SQLite file."""
    return make_url(url).get_backend_name() == "sqlite"


def shown(url: str | URL) -> str:
    """`url` for people: without its password, wherever it stands."""
    return make_url(url).difference_update_query(["password"]).render_as_string(hide_password=True)


def set_up_sqlite(engine: Engine) -> None:
    """Make every connection and transaction of an SQLite engine fit for a server."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # no implicit BEGIN: `_on_begin` does it
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        reader = connection.get_execution_options().get("reader", False)
        connection.exec_driver_sql("BEGIN" if reader else "BEGIN IMMEDIATE")


def note_workers(engine: Engine, workers: weakref.WeakSet[threading.Thread]) -> None:
    """Put the thread of each connection of an SQLite engine into `workers`: what broke off leaves it running."""

    def connect(*arguments: Any, **parameters: Any) -> aiosqlite.Connection:
        connection = aiosqlite.connect(*arguments, **parameters)
        connection._thread.daemon = True  # as SQLAlchemy has it
        workers.add(connection._thread)
        return connection

    @event.listens_for(engine, "do_connect")
    def _on_do_connect(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        parameters["async_creator_fn"] = connect


def alembic_config(url: str) -> Config:
    """What Alembic needs to work on the database at `url`."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["url"] = url
    return config


def migrate(url: str, revision: str = "head") -> None:
    """Bring the database at `url` to `revision`. Blocks; run it before the server listens.

    Raises:
        SQLAlchemyError: the database cannot be reached, or a migration failed and was rolled back.
        AppError: it is of a version that is not known here.
    """
    if is_sqlite(url):
        Path(make_url(url).database or "").absolute().parent.mkdir(parents=True, exist_ok=True)
    try:
        command.upgrade(alembic_config(url), revision)
    except CommandError as error:
        raise AppError(
            f"the database {shown(url)} is of a version of Traghetto that is not known here, perhaps a newer one: run "
            f"that, or restore a backup of before ({error})"
        ) from None

"""Migrated databases for tests, without the migrations: those take most of a second, and what they make is the same.

SQLite: the bytes of a file that was migrated once. PostgreSQL: one database for each process of tests, emptied before
each test. A test that changes tables, or looks at them, takes an empty one and migrates it (`corrections_kit.empty`).
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from app.settings import load_settings
from app.storage.db import is_sqlite, migrate
from app.storage.tables import Base, MemoryState

FILLED_BYTES = 8_000_000
"""A database above it is truncated: deleted rows stay in the files, and in the way of those who read whole tables."""


def migrated(url: str) -> str:
    """`url`, brought up to date as by `app.storage.db.migrate`; a file of SQLite that does not exist yet, by a copy."""
    file = Path(make_url(url).database or "")
    if not is_sqlite(url) or file.exists():
        migrate(url)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_migrated_file())
    return url


@functools.cache
def _migrated_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "migrated.db"
        migrate(load_settings(database_url=f"sqlite:///{file}").database)
        assert [path.name for path in file.parent.iterdir()] == [file.name], "something is not in the file yet"
        return file.read_bytes()


@contextlib.contextmanager
def new_database(server_url: str) -> Iterator[URL]:
    """An empty database with a random name on a server of PostgreSQL, dropped at the end."""
    server = make_url(server_url).set(drivername="postgresql")
    name = sql.Identifier(f"traghetto_test_{uuid.uuid4().hex}")
    with _connected(server) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            yield server.set(database=name.as_string().strip('"'))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def emptied(url: URL) -> str:
    """The URL of a migrated database on PostgreSQL as it was when it had just been migrated: no rows, nobody on it."""
    names = [table.name for table in reversed(Base.metadata.sorted_tables)]  # rows that refer to others first
    with _connected(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        if row is not None and row[0] > FILLED_BYTES:
            connection.execute(f"TRUNCATE {', '.join(names)}")
        else:
            connection.execute("; ".join(f"DELETE FROM {name}" for name in names))
        connection.execute(f"INSERT INTO {MemoryState.__tablename__} (id, version) VALUES (1, 0)")
    return load_settings(database_url=url.render_as_string(hide_password=False)).database


def _connected(url: URL) -> psycopg.Connection:
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)

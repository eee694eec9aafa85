"""A copy of the whole database in one file, made while others write, and put back into an empty place.

SQLite is copied through its own backup interface, which sees one moment of the database. For PostgreSQL its own
programs are run, `pg_dump` and `pg_restore`: nobody knows its catalogue better.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from alembic.script import ScriptDirectory
from sqlalchemy import URL

from app.errors import AppError
from app.storage.db import BUSY_TIMEOUT_MS, MIGRATIONS, is_sqlite, shown
from model.versions.disk import sync

CONNECT_TIMEOUT_S = 5
LOCK_WAIT_MS = 60_000
"""A migration may hold a table; a backup waits so long for it."""
SERVER_VERSION_UNIT = 10_000
"""PostgreSQL says 160004 for 16.4."""
USER_TABLES = (
    "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of database: how its copy is called in an archive, and who makes and reads it."""

    name: str
    file: str
    dump: Callable[[URL, Path], str]
    """Writes the copy to a path; gives the revision of the schema in it."""
    check_empty: Callable[[URL], None]
    load: Callable[[Path, URL], None]


def kind_of(url: str) -> Kind:
    """The kind of the database at `url`; its functions raise `AppError` with what is to be done."""
    return SQLITE if is_sqlite(url) else POSTGRES


def known_revisions() -> frozenset[str]:
    """The schemas that this program can bring up to date."""
    return frozenset(script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions())


# --- SQLite --------------------------------------------------------------------------------------------------------


def _file_of(url: URL) -> Path:
    return Path(url.database or "").absolute()


def _dump_sqlite(url: URL, target: Path) -> str:
    file = _file_of(url)
    if not file.is_file():
        raise AppError(f"there is no database at {file}; if that is right, leave it out with --no-database")
    try:
        with _sqlite(file, "rw") as source, _sqlite(target, "rwc") as copy:
            source.backup(copy)  # all pages in one step: writers go on meanwhile, in the write-ahead log
            copy.execute("PRAGMA journal_mode=DELETE")  # or a second file would belong to it
            (problem,) = copy.execute("PRAGMA quick_check(1)").fetchone()
            if problem != "ok":
                raise AppError(f"the database {file} is damaged: {problem}")
            return _revision(copy.execute, shown(url))
    except sqlite3.Error as error:
        raise AppError(f"the database {file} cannot be copied: {error}") from error


@contextlib.contextmanager
def _sqlite(file: Path, mode: str) -> Iterator[sqlite3.Connection]:
    address = f"{file.absolute().as_uri()}?mode={mode}"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_MS / 1000)) as connection:
        yield connection


def _check_no_file(url: URL) -> None:
    file = _file_of(url)
    parts = [file.with_name(file.name + part) for part in ("", "-wal", "-shm", "-journal")]
    if there := [part.name for part in parts if part.exists()]:  # SQLite would play an old log into the new file
        raise AppError(
            f"there is a database already, or a part of one, in {file.parent}: {', '.join(there)}; nothing was "
            "changed. Restore to another place, or move all of them away"
        )


def _load_sqlite(source: Path, url: URL) -> None:
    file = _file_of(url)
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.restored")
    try:
        temporary.touch(mode=0o600)  # it holds users' texts
        shutil.copyfile(source, temporary)  # not renamed: it may be on another disk
        sync(temporary)
        temporary.rename(file)
    finally:
        temporary.unlink(missing_ok=True)
    sync(file.parent)


# --- PostgreSQL ----------------------------------------------------------------------------------------------------


def _dump_postgres(url: URL, target: Path) -> str:
    with _connected(url) as connection:
        _check_tool("pg_dump", connection)
        before = _revision(connection.execute, shown(url))
        wait = f"--lock-wait-timeout={LOCK_WAIT_MS}"
        options = ("--format=custom", "--no-owner", "--no-privileges", wait, f"--file={target}")
        _run(url, "pg_dump", *options)
        if _revision(connection.execute, shown(url)) != before:
            raise AppError("the database was migrated meanwhile; make the backup again")
    return before


def _check_no_tables(url: URL) -> None:
    with _connected(url) as connection:
        _check_tool("pg_restore", connection)
        row = connection.execute(USER_TABLES).fetchone()
    if row is None or row[0]:
        raise AppError(f"the database {shown(url)} is not empty: nothing was changed. Restore to another one, which "
                       "TRAGHETTO_DATABASE_URL names, or drop it and create it anew")  # fmt: skip


def _load_postgres(source: Path, url: URL) -> None:
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    _run(url, "pg_restore", *options, str(source))


@contextlib.contextmanager
def _connected(url: URL) -> Iterator[psycopg.Connection]:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(address, connect_timeout=CONNECT_TIMEOUT_S, autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        raise AppError(f"the database {shown(url)} does not answer: {' '.join(str(error).split())}") from error


def _check_tool(tool: str, connection: psycopg.Connection) -> None:
    """Refuse to begin without the program, or with one that is older than the server."""
    if shutil.which(tool) is None:
        raise AppError(f"{tool} is not installed here: it comes with PostgreSQL's client (Debian: postgresql-client)")
    says = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) (\d+)", says)
    server = connection.info.server_version // SERVER_VERSION_UNIT
    if found is None or int(found[1]) < server:
        raise AppError(f"{tool} is older than the server: {says.strip() or 'it does not say its version'}, and the "
                       f"server is PostgreSQL {server}. Install the client of that version or a later one")  # fmt: skip


def _run(url: URL, tool: str, *arguments: str) -> None:
    """Run a program of PostgreSQL. Its arguments can be read by everybody on the machine, so they hold no password."""
    open_url = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    open_url = open_url.difference_update_query(["password"])
    secret = url.password or url.query.get("password")
    environment = {**os.environ, "LC_ALL": "C", "PGCONNECT_TIMEOUT": str(CONNECT_TIMEOUT_S)}
    if secret:
        environment["PGPASSWORD"] = str(secret)
    command = [tool, f"--dbname={open_url.render_as_string(hide_password=False)}", "--no-password", *arguments]
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        said = " ".join(done.stderr.decode(errors="replace").split()) or f"exit status {done.returncode}"
        raise AppError(f"{tool} failed on {shown(url)}: {said}")


# --- both ----------------------------------------------------------------------------------------------------------


def _revision(execute: Callable[..., sqlite3.Cursor | psycopg.Cursor], where: str) -> str:
    """The revision of the schema.

    Raises:
        AppError: there is none, or none that this program knows.
    """
    try:
        row = execute("SELECT version_num FROM alembic_version").fetchone()
    except (sqlite3.OperationalError, psycopg.errors.UndefinedTable):
        row = None
    if row is None:
        raise AppError(f"the database {where} was never migrated: there is nothing in it to keep")
    if row[0] not in known_revisions():
        raise AppError(
            f"the database {where} has the schema {row[0]}, of another version of this program: use that one"
        )
    return str(row[0])


SQLITE = Kind("SQLite", "database.sqlite", _dump_sqlite, _check_no_file, _load_sqlite)
POSTGRES = Kind("PostgreSQL", "database.dump", _dump_postgres, _check_no_tables, _load_postgres)
KINDS = {kind.file: kind for kind in (SQLITE, POSTGRES)}

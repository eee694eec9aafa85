"""`traghetto backup` and `traghetto restore` on both kinds of database, while others write, and ended early."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from cli_kit import PROGRAM, Ended, failed, in_process, succeeded
from corrections_kit import KINDS, empty
from databases import new_database
from sqlalchemy import text
from stored import correction, store

from app.access.keys import Keys
from app.settings import load_settings
from app.storage.db import Database, is_sqlite, migrate
from model.versions import pointers
from model.versions.store import verify

PAIR = "it-en"


@pytest.fixture(params=KINDS)
def kept_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new, migrated database of either kind, whose tools are there."""
    if request.param == "postgres" and shutil.which("pg_dump") is None:
        pytest.skip("needs pg_dump, of PostgreSQL's client")
    for url in empty(request, tmp_path):
        migrate(url)
        yield url


@pytest.fixture
def new_url(kept_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty place for a database of the same kind."""
    if is_sqlite(kept_url):
        yield f"sqlite:///{tmp_path / 'elsewhere' / 'restored.db'}"
        return
    with new_database(request.getfixturevalue("postgres_url")) as made:
        yield made.render_as_string(hide_password=False)


@pytest.fixture
def data_dir(tmp_path: Path, tiny_data_dir: Path) -> Path:
    """Two versions, the second promoted."""
    shutil.copytree(tiny_data_dir / "models", tmp_path / "data" / "models")
    pointers.promote((tmp_path / "data" / "models",), PAIR, "second")
    return tmp_path / "data"


def run(data_dir: Path, url: str, *arguments: str | Path) -> Ended:
    plain = url.replace("+aiosqlite", "").replace("+psycopg", "")
    return in_process(*arguments, TRAGHETTO_DATA_DIR=str(data_dir), TRAGHETTO_DATABASE_URL=plain)


async def filled(url: str) -> str:
    """Puts a correction and a key into the database; gives the key."""
    database = Database(url)
    await store(database, correction("Il gatto dorme.", "The cat is asleep."))
    made = await Keys(database).create("robot", ["review"])
    await database.close()
    return made.secret


async def rows(url: str, query: str) -> list[tuple[object, ...]]:
    database = Database(load_settings(database_url=url).database)
    async with database.reading() as session:
        found = [tuple(row) for row in (await session.execute(text(query))).all()]
    await database.close()
    return found


async def is_known(url: str, key: str) -> bool:
    database = Database(load_settings(database_url=url).database)
    found = await Keys(database).find(key)
    await database.close()
    return found is not None


def test_corrections_keys_and_the_promoted_version_come_back(
    kept_url: str, new_url: str, data_dir: Path, tmp_path: Path
) -> None:
    key = asyncio.run(filled(kept_url))
    file = tmp_path / "kept.tar.gz"
    assert succeeded(run(data_dir, kept_url, "backup", file)) == ""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    there = tmp_path / "there"
    done = run(data_dir, new_url, "restore", file, "--into", there)
    assert succeeded(done) == "" and "2 model versions" in done.stderr and "traghetto migrate" in done.stderr
    assert asyncio.run(is_known(new_url, key))
    assert asyncio.run(rows(new_url, "SELECT source_text, corrected_translation FROM corrections")) == [
        ("Il gatto dorme.", "The cat is asleep.")
    ]
    assert pointers.current((there / "models",), PAIR) == "second"
    verify(there / "models" / PAIR / "second")
    succeeded(run(there, new_url, "keys", "list"))  # the schema is up to date


def test_it_is_of_one_moment_while_others_write(kept_url: str, new_url: str, data_dir: Path, tmp_path: Path) -> None:
    """Each transaction stores two corrections: an odd number would be half a transaction."""
    ended = threading.Event()

    async def write() -> None:
        database, number = Database(kept_url), 0
        while not ended.is_set():
            await store(database, *(correction(f"Frase {number} {half}.", f"Sentence {number}.") for half in "ab"))
            number += 1
        await database.close()

    writer = threading.Thread(target=lambda: asyncio.run(write()))
    writer.start()
    try:
        time.sleep(0.5)
        for number in range(3):
            succeeded(run(data_dir, kept_url, "backup", tmp_path / f"{number}.tar.gz"))
    finally:
        ended.set()
        writer.join()
    succeeded(run(data_dir, new_url, "restore", tmp_path / "2.tar.gz", "--into", tmp_path / "there"))
    ((found,),) = asyncio.run(rows(new_url, "SELECT count(*) FROM corrections"))
    ((written,),) = asyncio.run(rows(kept_url, "SELECT count(*) FROM corrections"))
    assert isinstance(found, int) and isinstance(written, int)
    assert 0 < found <= written and found % 2 == 0


def test_a_database_that_is_not_empty_is_left_alone(kept_url: str, data_dir: Path, tmp_path: Path) -> None:
    asyncio.run(filled(kept_url))
    succeeded(run(data_dir, kept_url, "backup", tmp_path / "kept.tar.gz"))
    words = ("nothing was changed", "already" if is_sqlite(kept_url) else "is not empty")
    failed(run(data_dir, kept_url, "restore", tmp_path / "kept.tar.gz", "--into", tmp_path / "there"), 1, *words)
    assert not (tmp_path / "there").exists()
    assert len(asyncio.run(rows(kept_url, "SELECT id FROM corrections"))) == 1


def test_another_kind_of_database_is_refused(
    kept_url: str, data_dir: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    succeeded(run(data_dir, kept_url, "backup", tmp_path / "kept.tar.gz"))
    other = request.getfixturevalue("postgres_url") if is_sqlite(kept_url) else f"sqlite:///{tmp_path / 'x.db'}"
    done = run(data_dir, other, "restore", tmp_path / "kept.tar.gz", "--into", tmp_path / "there")
    failed(done, 1, "SQLite", "PostgreSQL", "nothing was changed")
    assert not (tmp_path / "there").exists() and not (tmp_path / "x.db").exists()


# --- PostgreSQL's programs -----------------------------------------------------------------------------------------


@pytest.fixture
def fakes(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def fake(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


@pytest.mark.postgres
@pytest.mark.parametrize("tool", ["pg_dump", "pg_restore"])
def test_tools_that_are_missing_or_old_are_told(
    postgres_url: str, data_dir: Path, tmp_path: Path, fakes: Path, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_database(postgres_url) as made:
        url = load_settings(database_url=made.render_as_string(hide_password=False)).database
        migrate(url)
        file = tmp_path / "kept.tar.gz"
        if tool == "pg_restore":
            if shutil.which("pg_dump") is None:
                pytest.skip("needs pg_dump, of PostgreSQL's client")
            succeeded(run(data_dir, url, "backup", file))
        command = ("backup", file) if tool == "pg_dump" else ("restore", file, "--into", tmp_path / "there")
        monkeypatch.setenv("PATH", str(fakes))
        failed(run(data_dir, url, *command), 1, f"{tool} is not installed", "postgresql-client")
        fake(fakes, tool, f"echo '{tool} (PostgreSQL) 9.6.1'")
        failed(run(data_dir, url, *command), 1, f"{tool} is older than the server", "9.6.1")
    assert not (tmp_path / "there").exists() and file.exists() == (tool == "pg_restore")


@pytest.mark.postgres
@pytest.mark.parametrize("where", ["login", "query"])
def test_no_password_is_among_the_arguments(
    postgres_url: str, where: str, data_dir: Path, tmp_path: Path, fakes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody on the machine can read them."""
    with new_database(postgres_url) as made:
        migrate(load_settings(database_url=made.render_as_string(hide_password=False)).database)
        secret = "geheim"
        given = made.set(password=secret) if where == "login" else made.update_query_dict({"password": secret})
        url = given.render_as_string(hide_password=False)
        fake(fakes, "pg_dump", f'echo "$@" >> {tmp_path}/said; echo "$PGPASSWORD" > {tmp_path}/password\n'
             'echo "pg_dump (PostgreSQL) 99.1"; [ "$1" = --version ] || { echo broken >&2; exit 1; }')  # fmt: skip
        monkeypatch.setenv("PATH", f"{fakes}:{os.environ['PATH']}")
        done = run(data_dir, url, "backup", tmp_path / "kept.tar.gz")
        failed(done, 1, "pg_dump failed", "broken")
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert "--dbname=postgresql://" in said and secret not in said + done.stderr
    assert (tmp_path / "password").read_text(encoding="utf-8").strip() == secret
    assert not (tmp_path / "kept.tar.gz").exists()


@pytest.mark.postgres
def test_a_dump_that_does_not_go_in_changes_nothing(
    postgres_url: str, data_dir: Path, tmp_path: Path, fakes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("pg_dump") is None:
        pytest.skip("needs pg_dump, of PostgreSQL's client")
    with new_database(postgres_url) as made, new_database(postgres_url) as other:
        url = load_settings(database_url=made.render_as_string(hide_password=False)).database
        migrate(url)
        with psycopg.connect(made.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute("CREATE TABLE zzz (x int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        succeeded(run(data_dir, url, "backup", tmp_path / "kept.tar.gz"))
        with psycopg.connect(other.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'")  # in the way, but no table
        there = other.render_as_string(hide_password=False)
        done = run(data_dir, there, "restore", tmp_path / "kept.tar.gz", "--into", tmp_path / "there")
        failed(done, 1, "pg_restore failed", "already exists")
        with psycopg.connect(there, autocommit=True) as connection:
            assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
    assert not (tmp_path / "there").exists()


# --- ended early ---------------------------------------------------------------------------------------------------


def started(data_dir: Path, file: Path, *before: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "TRAGHETTO_DATA_DIR": str(data_dir)}
    command = [*before, str(PROGRAM), "backup", str(file)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def large(data_dir: Path) -> Path:
    """A data directory that takes seconds to pack."""
    migrate(load_settings(data_dir=data_dir).database)
    folder = data_dir / "models" / PAIR / "default"
    with (folder / "more.bin").open("wb") as file:
        for _ in range(300):
            file.write(os.urandom(1_000_000))
    return data_dir


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_backup_leaves_no_file(large: Path, tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "out").mkdir()
    with started(large, tmp_path / "out" / "kept.tar.gz") as process:
        ends = time.monotonic() + 60
        while not list((tmp_path / "out").glob(".kept.tar.gz.*/archive")) and time.monotonic() < ends:
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit, of util-linux")
def test_a_disk_that_is_full_is_told(large: Path, tmp_path: Path) -> None:
    """Held to files of 2 MB, which fails as a full disk does."""
    (tmp_path / "out").mkdir()
    with started(large, tmp_path / "out" / "kept.tar.gz", "prlimit", "--fsize=2000000") as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "kept.tar.gz cannot be written: File too large" in said and "Traceback" not in said
    assert list((tmp_path / "out").iterdir()) == []


def test_arguments_that_cannot_be(data_dir: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'none.db'}"
    failed(run(data_dir, url, "backup", tmp_path / "x.tar.gz"), 1, "there is no database", "--no-database")
    failed(run(data_dir, url, "backup", tmp_path / "no" / "x.tar.gz"), 1, "cannot be written", "No such file")
    failed(run(tmp_path / "nothing", url, "backup", "--no-database", tmp_path / "x.tar.gz"), 1, "nothing to keep")
    failed(run(tmp_path / "new", url, "restore", tmp_path / "x.tar.gz"), 1, "x.tar.gz: No such file")
    (tmp_path / "x.tar.gz").write_text("ciao", encoding="utf-8")
    failed(run(tmp_path / "new", url, "restore", tmp_path / "x.tar.gz"), 1, "damaged, or not a backup")
    assert not (tmp_path / "new").exists()


def test_an_archive_comes_in_by_stdin(data_dir: Path, tmp_path: Path) -> None:
    succeeded(run(data_dir, f"sqlite:///{tmp_path / 'x.db'}", "backup", "--no-database", tmp_path / "kept.tar.gz"))
    command, whole = [str(PROGRAM), "restore", "-", "--into"], (tmp_path / "kept.tar.gz").read_bytes()
    cut = subprocess.run([*command, str(tmp_path / "a")], input=whole[:-500], capture_output=True, check=False)
    assert cut.returncode == 1 and b"damaged, or not a backup" in cut.stderr and not (tmp_path / "a").exists()
    done = subprocess.run([*command, str(tmp_path / "b")], input=whole, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert pointers.current((tmp_path / "b" / "models",), PAIR) == "second"


def test_a_backup_leaves_the_database_of_a_server_as_it_is(data_dir: Path, tmp_path: Path) -> None:
    """Its write-ahead log stays where it is, though the copy has none."""
    file = data_dir / "traghetto.db"
    migrate(load_settings(data_dir=data_dir).database)
    connection = sqlite3.connect(file)
    connection.execute("UPDATE memory_state SET version = 7")
    connection.commit()
    assert file.with_name("traghetto.db-wal").stat().st_size > 0
    succeeded(run(data_dir, f"sqlite:///{file}", "backup", tmp_path / "kept.tar.gz"))
    assert file.with_name("traghetto.db-wal").stat().st_size > 0
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    url = f"sqlite:///{tmp_path / 'new.db'}"
    succeeded(run(tmp_path / "new", url, "restore", tmp_path / "kept.tar.gz"))
    assert asyncio.run(rows(url, "SELECT version FROM memory_state")) == [(7,)]

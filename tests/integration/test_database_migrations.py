"""The database on SQLite and on a real PostgreSQL: migrations both ways, and that they agree with the tables."""

from __future__ import annotations

import datetime as dt
import sqlite3
import uuid
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from fakes import FakeTranslator, body, client_of, make_app
from sqlalchemy import Engine, create_engine, inspect, make_url, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from app.errors import AppError
from app.settings import load_settings
from app.storage.consent_log import ConsentLog
from app.storage.db import MIGRATIONS, Database, alembic_config, migrate, shown
from app.storage.tables import Base, LoggedTranslation, now


@pytest.fixture
def url(empty_url: str) -> str:
    """Here one on which no migration has run."""
    return empty_url


def blocking(url: str) -> Engine:
    """An engine for looking into the database."""
    parsed = make_url(url)
    return create_engine(parsed.set(drivername=parsed.drivername.replace("+aiosqlite", "")), poolclass=NullPool)


def tables(url: str) -> set[str]:
    with blocking(url).connect() as connection:
        return set(inspect(connection).get_table_names())


def test_tables_and_migrations_agree(url: str) -> None:
    migrate(url)
    with blocking(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        difference = compare_metadata(context, Base.metadata)
    assert difference == [], "app/storage/tables.py and migrations/versions differ: write a migration"


def test_every_migration_goes_down_with_data_and_up_again(url: str) -> None:
    revisions = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    migrate(url)
    insert = (
        "INSERT INTO logged_translations (id, created_at, source, target, source_text, translation, model_version) "
        "VALUES (:id, '2026-01-01 00:00:00', 'it', 'en', 'perché', 'why', NULL)"
    )
    with blocking(url).begin() as connection:
        connection.execute(text(insert), {"id": uuid.uuid4().hex})
    for _ in revisions:
        command.downgrade(alembic_config(url), "-1")
    assert tables(url) == {"alembic_version"}
    migrate(url)
    assert tables(url) == {"alembic_version", *Base.metadata.tables}


def test_constraints_have_names_by_the_convention(url: str) -> None:
    migrate(url)
    with blocking(url).connect() as connection:
        seen = inspect(connection)
        for table in Base.metadata.tables:
            assert seen.get_pk_constraint(table)["name"] == f"pk_{table}"
            # PostgreSQL lists the index of a unique constraint too
            assert all(
                str(index["name"]).startswith((f"ix_{table}_", f"uq_{table}_")) for index in seen.get_indexes(table)
            )


def test_migrating_twice_changes_nothing(url: str) -> None:
    migrate(url)
    migrate(url)
    assert "logged_translations" in tables(url)


async def test_the_state_tells_what_is_missing(url: str) -> None:
    database = Database(url)
    try:
        assert await database.state() == "not migrated"
        migrate(url)
        assert await database.state() == "ok"
    finally:
        await database.close()


async def test_old_rows_are_purged_and_times_keep_their_zone(url: str) -> None:
    migrate(url)
    database = Database(url)
    old, fresh = now() - dt.timedelta(days=31), now() - dt.timedelta(days=29)
    async with database.session.begin() as session:
        for moment in (old, fresh):
            session.add(
                LoggedTranslation(created_at=moment, source="it", target="en", source_text="a", translation="b")
            )
    assert await ConsentLog(database, retention_days=30).purge() == 1
    async with database.session() as session:
        rows = (await session.scalars(select(LoggedTranslation))).all()
    assert [row.created_at for row in rows] == [fresh]
    await database.close()


async def logged_texts(url: str) -> list[tuple[str, str, str | None]]:
    database = Database(url)
    async with database.session() as session:
        rows = (await session.scalars(select(LoggedTranslation).order_by(LoggedTranslation.source_text))).all()
    await database.close()
    return [(row.source_text, row.translation, row.model_version) for row in rows]


async def test_only_texts_with_consent_are_stored(url: str, tmp_path: Path) -> None:
    migrate(url)
    async with client_of(make_app(tmp_path, database_url=url)) as client:
        await client.post("/v1/translate", json=body("privato"))
        answer = await client.post("/v1/translate", json=body(["così 🚢", "è. Già."], log_consent=True))
    assert [item["logged"] for item in answer.json()["translations"]] == [True, True]
    assert await logged_texts(url) == [("così 🚢", "COSÌ 🚢", "fake-1"), ("è. Già.", "È. GIÀ.", "fake-1")]


@pytest.mark.parametrize("kind", ["unreachable", "not migrated"])
async def test_translation_goes_on_without_a_database(kind: str, tmp_path: Path) -> None:
    urls = {"unreachable": "postgresql://nobody@127.0.0.1:1/none", "not migrated": f"sqlite:///{tmp_path / 'empty.db'}"}
    from app.main import create_app
    from app.settings import Settings

    app = create_app(Settings(data_dir=tmp_path, database_url=urls[kind]), lambda: {"it-en": FakeTranslator()})
    async with client_of(app) as client:
        answer = await client.post("/v1/translate", json=body("ciao", log_consent=True))
        ready = await client.get("/health/ready")
    (translation,) = answer.json()["translations"]
    assert (translation["text"], translation["logged"]) == ("CIAO", False), "the answer must say that it was not stored"
    assert (ready.status_code, ready.json()["database"]) == (200, "down" if kind == "unreachable" else kind)


def test_a_database_that_cannot_be_reached_is_an_error_when_migrating() -> None:
    with pytest.raises(OperationalError):
        migrate("postgresql+psycopg://nobody@127.0.0.1:1/none")


def test_a_database_of_a_newer_version_is_told_without_its_password(tmp_path: Path) -> None:
    url = load_settings(database_url=f"sqlite:///{tmp_path / 'new.db'}").database
    migrate(url)
    with sqlite3.connect(tmp_path / "new.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '29991231_later'")
    with pytest.raises(AppError, match="perhaps a newer one: run that, or restore a backup of before"):
        migrate(url)
    assert shown("postgresql://anna:segreto@h/d?password=segreto&connect_timeout=3") == (
        "postgresql://anna:***@h/d?connect_timeout=3"
    )


async def test_sqlite_is_set_up_for_a_server(tmp_path: Path) -> None:
    database = Database(load_settings(database_url=f"sqlite:///{tmp_path / 'test.db'}").database)
    async with database.engine.connect() as connection:
        found = {
            name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    await database.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 10000, "foreign_keys": 1}


async def test_a_sqlite_transaction_takes_the_write_lock_at_once(tmp_path: Path) -> None:
    file = tmp_path / "test.db"
    migrate(f"sqlite+aiosqlite:///{file}")
    database = Database(f"sqlite+aiosqlite:///{file}")
    other = sqlite3.connect(file, timeout=0)
    try:
        async with database.session.begin() as session:
            await session.execute(select(LoggedTranslation))  # only a read: the lock must be held all the same
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
            assert await database.state() == "ok", "a reader must not wait for the writer"
    finally:
        other.close()
        await database.close()

"""`traghetto keys` as people and scripts run it."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli_kit import Ended, as_program, failed, in_process, succeeded
from databases import migrated

from app.access.keys import KEY_CHARS, KEY_START, Keys
from app.settings import load_settings
from app.storage.db import Database, migrate
from app.storage.tables import UsageDay

done, fails = succeeded, failed


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with an empty, migrated database."""
    migrated(load_settings(data_dir=tmp_path).database)
    return tmp_path


def run(data_dir: Path, *arguments: str, **environment: str) -> Ended:
    return in_process("keys", *arguments, **({"TRAGHETTO_DATA_DIR": str(data_dir)} | environment))


def found(data_dir: Path, secret: str) -> Any:
    async def find() -> Any:
        database = Database(load_settings(data_dir=data_dir).database)
        try:
            return await Keys(database).find(secret)
        finally:
            await database.close()

    return asyncio.run(find())


def test_a_key_is_printed_once_listed_and_revoked(data_dir: Path) -> None:
    """Where the key is shown, and where it must not be, by the program in processes of its own."""
    program = partial(as_program, "keys", TRAGHETTO_DATA_DIR=str(data_dir))
    made = program("create", "Anna [revisora] è", "--scope", "review", "--scope", "correct")
    secret = done(made).removesuffix("\n")
    assert secret.startswith(KEY_START) and len(secret) == KEY_CHARS, "the key must stand alone on stdout"
    assert secret not in made.stderr and "cannot be shown again" in made.stderr
    assert found(data_dir, secret).scopes == {"review", "correct"}
    table = program("list")
    assert secret not in done(table)
    assert "Anna [revisora] è" in table.stdout and "correct review" in table.stdout and secret[:16] in table.stdout
    (row,) = json.loads(done(run(data_dir, "list", "--json")))
    assert (row["prefix"], row["trusted"], row["revoked_at"]) == (secret[:16], False, None)
    done(run(data_dir, "revoke", secret[:16]))
    assert found(data_dir, secret) is None
    (row,) = json.loads(done(run(data_dir, "list", "--json")))
    assert row["revoked_at"]


def test_json_holds_the_key(data_dir: Path) -> None:
    made = json.loads(done(run(data_dir, "create", "robot", "--scope", "admin", "--trusted", "--json")))
    assert (made["name"], made["scopes"], made["trusted"]) == ("robot", ["admin"], True)
    assert found(data_dir, made["key"]).trusted
    done(run(data_dir, "revoke", made["id"]))
    assert found(data_dir, made["key"]) is None


def test_an_empty_list_says_how_to_begin(data_dir: Path) -> None:
    empty = run(data_dir, "list")
    assert done(empty) == "" and "traghetto keys create" in empty.stderr
    assert json.loads(done(run(data_dir, "list", "--json"))) == []


def test_wrong_arguments_are_refused(data_dir: Path) -> None:
    fails(run(data_dir, "create", "Anna"), 2, "--scope")
    fails(run(data_dir, "create", "Anna", "--scope", "everything"), 2, "everything")
    fails(run(data_dir, "create", " ", "--scope", "review"), 1, "name")
    leaked = KEY_START + "x" * (KEY_CHARS - len(KEY_START))
    refused = run(data_dir, "revoke", leaked)
    fails(refused, 1, "traghetto keys list")
    assert leaked not in refused.stderr


def test_a_database_that_cannot_be_used_says_what_to_do(tmp_path: Path) -> None:
    fails(run(tmp_path / "new", "list"), 1, "traghetto migrate")
    assert not (tmp_path / "new").exists(), "asking must not make a database"
    migrate(load_settings(data_dir=tmp_path).database, "+1")
    fails(run(tmp_path, "create", "Anna", "--scope", "review"), 1, "traghetto migrate")
    away = run(tmp_path, "list", TRAGHETTO_DATABASE_URL="postgresql://somebody:geheim@127.0.0.1:1/nothing")
    fails(away, 1, "127.0.0.1:1/nothing", "does not answer")
    assert "geheim" not in away.stderr


def test_limits_are_set_changed_and_taken_back(data_dir: Path) -> None:
    secret = done(run(data_dir, "create", "Anna", "--scope", "translate", "--requests", "5/minute",
                      "--characters-per-month", "1000")).strip()  # fmt: skip
    assert (found(data_dir, secret).requests, found(data_dir, secret).characters_per_month) == ("5/minute", 1000)
    told = run(data_dir, "limit", secret[:16], "--requests", "9/second;100/hour")
    assert "9/second;100/hour; 1,000 characters/month" in told.stderr
    assert (found(data_dir, secret).requests, found(data_dir, secret).characters_per_month) == (
        "9/second;100/hour", 1000,
    )  # fmt: skip
    assert "9/second;100/hour" in done(run(data_dir, "list"))
    done(run(data_dir, "limit", secret[:16], "--characters-per-month", "0", "--anew"))
    assert (found(data_dir, secret).requests, found(data_dir, secret).characters_per_month) == (None, 0)
    fails(run(data_dir, "limit", secret[:16], "--requests", "often"), 1, "is not a rate such as 100/minute")
    fails(run(data_dir, "limit", "traghetto_nobody", "--requests", "1/minute"), 1, "There is no key")


def test_usage_is_shown_for_all_and_for_one_by_day(data_dir: Path) -> None:
    assert "nothing was translated" in run(data_dir, "usage").stderr
    secret = done(run(data_dir, "create", "Anna", "--scope", "translate")).strip()
    name = str(found(data_dir, secret).key_id)

    async def use() -> None:
        database = Database(load_settings(data_dir=data_dir).database)
        async with database.writing() as session:
            for client, day, characters in ((name, 3, 1200), (name, 4, 34), ("anonymous", 4, 5000), (name, 28, 7)):
                month = 10 if day == 28 else 11
                session.add(UsageDay(client=client, day=dt.date(2026, month, day), requests=1, characters=characters))
        await database.close()

    asyncio.run(use())
    table = done(run(data_dir, "usage", "--month", "2026-11", TRAGHETTO_CHARACTERS_PER_MONTH="9000")).splitlines()
    assert table[1].split() == ["anonymous", "1", "5,000"]
    assert table[2].split() == [name, "Anna", "2", "1,234", "9,000"]
    days = done(run(data_dir, "usage", secret[:16], "--month", "2026-11"))
    assert ["2026-11-03", "Anna", "1", "1,200"] in [line.split() for line in days.splitlines()]
    assert "anonymous" not in days
    rows = json.loads(done(run(data_dir, "usage", "--month", "2026-10", "--json")))
    assert rows == [{"day": "2026-10-28", "client": name, "requests": 1, "characters": 7}]
    fails(run(data_dir, "usage", "--month", "October"), 1, "must be a month such as 2026-11")

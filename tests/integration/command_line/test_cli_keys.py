"""`traghetto keys` as people and scripts run it."""

from __future__ import annotations

import asyncio
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

"""What an error of the database says: never what a statement was given, for that is what users wrote."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import IntegrityError

from app.storage.db import Database, migrate
from app.storage.tables import LoggedTranslation

SECRET = "La mia diagnosi è segreta."


async def test_an_error_of_a_statement_tells_no_text(database: Database) -> None:
    same = uuid.uuid4()
    with pytest.raises(IntegrityError) as raised:
        for _ in range(2):
            async with database.writing() as session:
                row = LoggedTranslation(id=same, source="it", target="en", source_text=SECRET, translation=SECRET)
                session.add(row)
    assert SECRET not in str(raised.value)


def test_migrations_hide_what_they_move(empty_url: str) -> None:
    seen: list[Engine] = []

    def note(connection: Connection, *_: Any) -> None:
        seen.append(connection.engine)

    event.listen(Engine, "engine_connect", note)
    try:
        migrate(empty_url)
    finally:
        event.remove(Engine, "engine_connect", note)
    assert seen and all(engine.hide_parameters for engine in seen)

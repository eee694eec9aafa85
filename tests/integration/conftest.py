"""What tests with a real database share: one of either kind, and people who correct."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from corrections_kit import KINDS, People, app_on, empty, fresh, people_of
from databases import new_database
from sqlalchemy import URL

from app.settings import load_settings
from app.storage.db import Database, migrate


@pytest.fixture(scope="session")
def shared_database(postgres_url: str) -> Iterator[URL]:
    """A migrated database on PostgreSQL, for tests that have it one after the other (`databases.emptied`)."""
    with new_database(postgres_url) as made:
        migrate(load_settings(database_url=made.render_as_string(hide_password=False)).database)
        yield made


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database of either kind, without rows; its tables may not be changed."""
    return fresh(request, tmp_path)


@pytest.fixture(params=KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new, empty database of either kind."""
    yield from empty(request, tmp_path)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """That of `url`, as another process would open it: nothing tells a server what is written here."""
    opened = Database(url)
    yield opened
    await opened.close()


@pytest.fixture
async def people(url: str, tmp_path: Path) -> AsyncIterator[People]:
    """The clients of a server on `url`."""
    async with people_of(app_on(url, tmp_path)) as found:
        yield found

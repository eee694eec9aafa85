"""A server of both directions, for each dialect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fakes import FakeTranslator, client_of, make_app, serving


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server with small limits."""
    both = FakeTranslator(), FakeTranslator("en-it")
    async with client_of(make_app(tmp_path, *both, max_body_bytes=50_000, max_alternatives=3)) as one:
        yield one


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server listens that needs no key to translate."""
    both = FakeTranslator(), FakeTranslator("en-it")
    with serving(make_app(tmp_path_factory.mktemp("dialect"), *both)) as one:
        yield one

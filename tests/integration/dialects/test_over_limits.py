"""The real clients, over a rate and over a quota: each raises what it knows, and DeepL's tells what was used."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import deepl
import pytest
from fakes import FakeTranslator, make_app, serving
from google.api_core.exceptions import Forbidden
from google.cloud import translate_v2
from google.oauth2.credentials import Credentials
from libretranslatepy import LibreTranslateAPI

from app.access.keys import KeyLimits, Keys
from app.settings import load_settings
from app.storage.db import Database

TEXT = "ciao a tutti"


def key_with(data_dir: Path, limits: KeyLimits) -> str:
    async def make() -> str:
        database = Database(load_settings(data_dir=data_dir).database)
        try:
            return (await Keys(database).create("a client", ["translate"], limits=limits)).secret
        finally:
            await database.close()

    return asyncio.run(make())


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("limits")


@pytest.fixture(scope="module")
def address(data_dir: Path) -> Iterator[str]:
    with serving(make_app(data_dir, FakeTranslator(), FakeTranslator("en-it"), admin_key="0123456789abcdef")) as one:
        yield one


@pytest.fixture
def spent(address: str, data_dir: Path) -> str:
    """A key whose quota is used up but for three characters."""
    key = key_with(data_dir, KeyLimits(characters_per_month=len(TEXT) + 3))
    assert LibreTranslateAPI(f"{address}/", api_key=key).translate(TEXT, "it", "en") == TEXT.upper()
    return key


@pytest.fixture
def hasty(address: str, data_dir: Path) -> str:
    """A key that may ask once an hour, and has."""
    key = key_with(data_dir, KeyLimits(requests="1/hour"))
    LibreTranslateAPI(f"{address}/", api_key=key).translate(TEXT, "it", "en")
    return key


def test_deepl(address: str, spent: str, hasty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepl.http_client, "max_network_retries", 0)
    client = deepl.DeepLClient(spent, server_url=address, send_platform_info=False)
    with pytest.raises(deepl.QuotaExceededException, match="Quota"):
        client.translate_text(TEXT, target_lang="EN-GB")
    used = client.get_usage()
    assert (used.character.count, used.character.limit) == (len(TEXT), len(TEXT) + 3)
    assert not used.any_limit_reached
    with pytest.raises(deepl.TooManyRequestsException, match="1 requests from one key within 1 hour"):
        deepl.DeepLClient(hasty, server_url=address, send_platform_info=False).translate_text(TEXT, target_lang="EN-GB")


def test_google(address: str, spent: str, hasty: str) -> None:
    for key, told in ((spent, "may translate 15 characters in a month"), (hasty, "1 requests from one key")):
        client = translate_v2.Client(credentials=Credentials(key), client_options={"api_endpoint": address})
        with pytest.raises(Forbidden, match=told):
            client.translate(TEXT, target_language="en")


def test_libretranslate(address: str, spent: str, hasty: str) -> None:
    for key, status in ((spent, 403), (hasty, 429)):
        with pytest.raises(HTTPError) as raised:
            LibreTranslateAPI(f"{address}/", api_key=key).translate(TEXT, "it", "en")
        assert raised.value.code == status
        assert int(raised.value.headers["Retry-After"]) > 0
        raised.value.close()

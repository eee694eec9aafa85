"""DeepL's API as its clients use it: the official one against a running server, and what others send."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import deepl
import httpx
import pytest
from fakes import FakeTranslator, client_of, make_app, serving

KEY = "0123456789abcdef"
ASKED = {"text": ["ciao a tutti"], "source_lang": "IT", "target_lang": "EN-US"}


def official(address: str, key: str = KEY) -> deepl.DeepLClient:
    return deepl.DeepLClient(key, server_url=address, send_platform_info=False)


@pytest.fixture(autouse=True)
def one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepl.http_client, "max_network_retries", 0)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that lets nobody in without a key."""
    both = FakeTranslator(), FakeTranslator("en-it")
    with serving(make_app(tmp_path_factory.mktemp("deepl"), *both, admin_key=KEY, open_scopes="none")) as one:
        yield one


def message(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    found = response.json()
    assert list(found) == ["message"]
    return str(found["message"])


# --- the official client ----------------------------------------------------------------------------------------------


def test_the_official_client_translates(address: str) -> None:
    one = official(address).translate_text("ciao a tutti", target_lang="EN-GB")
    assert isinstance(one, deepl.TextResult)
    assert (one.text, one.detected_source_lang, one.billed_characters) == ("CIAO A TUTTI", "IT", 12)
    both = official(address).translate_text(["the dog and the cat sleep", "no"], source_lang="EN", target_lang="IT")
    assert isinstance(both, list)
    assert [each.text for each in both] == ["THE DOG AND THE CAT SLEEP", "NO"]


def test_the_official_client_translates_markup(address: str) -> None:
    marked = official(address).translate_text(
        "<p>ciao <x>Rete</x></p>", source_lang="IT", target_lang="EN-US", tag_handling="xml", ignore_tags=["x"]
    )
    assert isinstance(marked, deepl.TextResult)
    assert marked.text == "<p>CIAO <x>Rete</x></p>"


def test_the_official_client_knows_the_languages(address: str) -> None:
    api = official(address)
    assert [(one.code, one.name) for one in api.get_source_languages()] == [("EN", "English"), ("IT", "Italian")]
    targets = api.get_target_languages()
    assert [one.code for one in targets] == ["EN-GB", "EN-US", "IT"]
    assert not any(one.supports_formality for one in targets)


def test_the_official_client_reads_errors(address: str) -> None:
    with pytest.raises(deepl.AuthorizationException):
        official(address, "wrong").translate_text("ciao", target_lang="EN-US")
    with pytest.raises(deepl.DeepLException, match="Value for 'target_lang' not supported"):
        official(address).translate_text("ciao", target_lang="DE")
    with pytest.raises(deepl.DeepLException, match="at most 10000 are allowed"):
        official(address).translate_text("x" * 10_001, target_lang="EN-US")


# --- what others send -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        {"json": ASKED},
        {"json": {**ASKED, "text": "ciao a tutti"}},
        {"data": ASKED},
        {"params": ASKED},
        {"data": {**ASKED, "split_sentences": "0", "preserve_formatting": "1", "formality": "more", "context": "c"}},
        {"json": {**ASKED, "target_lang": "en", "source_lang": None, "show_billed_characters": True}},
        {"json": ASKED, "headers": {"Authorization": f"Bearer {KEY}"}},
        {"json": {**ASKED, "auth_key": KEY}},
        {"json": ASKED, "headers": {"Authorization": f"DeepL-Auth-Key {KEY}"}},
    ],
)
async def test_fields_and_keys_are_read_wherever_they_are(tmp_path: Path, sent: dict[str, Any]) -> None:
    async with client_of(make_app(tmp_path, admin_key=KEY)) as client:
        answer = await client.post("/v2/translate", **sent)
    assert (answer.status_code, answer.json()) == (
        200,
        {"translations": [{"detected_source_language": "IT", "text": "CIAO A TUTTI", "billed_characters": 12}]},
    )


async def test_texts_come_back_in_their_order(client: httpx.AsyncClient) -> None:
    async def told(**more: Any) -> list[str]:
        answer = await client.post("/v2/translate", data={**ASKED, **more})
        return [one["text"] for one in answer.json()["translations"]]

    assert await told(text=["uno", "due", "uno"]) == ["UNO", "DUE", "UNO"]
    assert await told(text="a\nb") == ["A\nB"]
    assert await told(text="ciao", target_lang="IT") == ["ciao"], "the same language"
    assert await told(text="<i>uno</i> due", tag_handling="html", ignore_tags="i,b") == ["<i>uno</i> DUE"]
    assert await told(text="<i>uno</i> due", tag_handling="html", ignore_tags=["a,i", "b"]) == ["<i>uno</i> DUE"]
    assert await told(text="ciao", split_sentences="") == ["CIAO"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"text": None}, "Parameter 'text' not specified."),
        ({"text": []}, "Parameter 'text' not specified."),
        ({"target_lang": None}, "Parameter 'target_lang' not specified."),
        ({"target_lang": "XX"}, "Value for 'target_lang' not supported."),
        ({"source_lang": "EN-GB"}, "Value for 'source_lang' not supported."),
        ({"tag_handling": "markdown"}, "Value for 'tag_handling' not supported."),
        ({"split_sentences": "2"}, "Value for 'split_sentences' not supported."),
        ({"split_sentences": {}}, "Value for 'split_sentences' not supported."),
        ({"glossary_id": "g"}, "'glossary_id' is not supported."),
        ({"custom_instructions": ["be brief"]}, "'custom_instructions' is not supported."),
        (
            {"tag_handling": "xml", "ignore_tags": ["x"] * 101},
            "ignore_tags has 101 tags; at most 100 are allowed",
        ),
        ({"target_lang": "IT", "text": ["x"] * 101}, "text has 101 texts; at most 100 are allowed"),
        ({"text": [1]}, "text must be a string or a list of strings"),
        ({"text": ["x"] * 101}, "text has 101 texts; at most 100 are allowed"),
    ],
)
async def test_what_is_wrong_is_told(client: httpx.AsyncClient, change: dict[str, Any], told: str) -> None:
    assert message(await client.post("/v2/translate", json={**ASKED, **change}), 400) == told


async def test_no_error_is_told_otherwise(client: httpx.AsyncClient) -> None:
    assert "not valid JSON" in message(await client.post("/v2/translate", content=b"{"), 400)
    assert "50000 bytes" in message(await client.post("/v2/translate", json={"text": "x" * 60_000}), 413)
    assert message(await client.post("/v2/translate", json={**ASKED, "text": "boom"}), 500)
    assert "type" in message(await client.get("/v2/languages", params={"type": "both"}), 400)
    assert message(await client.get("/v2/languages", headers={"Authorization": "DeepL-Auth-Key wrong"}), 403)

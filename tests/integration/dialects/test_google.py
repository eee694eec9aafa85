"""Google's translation API (v2) as its clients use it: the official one against a running server, and others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes import client_of, make_app, serving
from google.api_core.exceptions import BadRequest, Forbidden
from google.auth import api_key
from google.auth.credentials import AnonymousCredentials
from google.cloud import translate_v2
from google.oauth2.credentials import Credentials

PATH = "/language/translate/v2"
KEY = "0123456789abcdef"
ASKED = {"q": "ciao a tutti", "source": "it", "target": "en", "format": "text"}


def official(address: str, credentials: Any = None) -> translate_v2.Client:
    options = {"api_endpoint": address}
    return translate_v2.Client(credentials=credentials or AnonymousCredentials(), client_options=options)


def error(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    found = response.json()["error"]
    assert found["code"] == status
    assert found["errors"][0]["message"] == found["message"]
    return str(found["message"])


def test_the_official_client_translates(address: str) -> None:
    api = official(address)
    one = api.translate("ciao a tutti", target_language="en", format_="text")
    assert one == {"translatedText": "CIAO A TUTTI", "detectedSourceLanguage": "it", "input": "ciao a tutti"}
    both = api.translate(["uno", "due"], target_language="en", source_language="it", model="nmt")
    assert [each["translatedText"] for each in both] == ["UNO", "DUE"]
    assert both[0]["model"] == "nmt" and "detectedSourceLanguage" not in both[0]
    assert api.translate("<b>uno</b> due", target_language="en")["translatedText"] == "<b>UNO</b> DUE"


def test_the_official_client_detects_and_knows_languages(address: str) -> None:
    api = official(address)
    assert api.detect_language("the dog") == {"language": "en", "confidence": 0.9, "input": "the dog"}
    assert [found["language"] for found in api.detect_language(["uno", "¿qué?", "..."])] == ["it", "es", "und"]
    assert api.get_languages("it") == [{"language": "en", "name": "Inglese"}, {"language": "it", "name": "Italiano"}]


def test_the_official_client_reads_errors(address: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="Invalid Value"):
        official(address).translate("ciao", target_language="de")
    with serving(make_app(tmp_path, admin_key=KEY, open_scopes="none")) as closed:
        assert official(closed, Credentials(KEY)).translate("ciao", target_language="en")["translatedText"] == "CIAO"
        assert (
            official(closed, api_key.Credentials(KEY)).translate("no", target_language="en")["translatedText"] == "NO"
        )
        for wrong in (Credentials("wrong"), api_key.Credentials("wrong")):
            with pytest.raises(BadRequest, match="API key not valid"):
                official(closed, wrong).translate("ciao", target_language="en")
        with pytest.raises(Forbidden, match="without a key"):
            official(closed).translate("ciao", target_language="en")


@pytest.mark.parametrize(
    "sent",
    [
        {"method": "POST", "json": ASKED},
        {"method": "POST", "json": {**ASKED, "model": None, "cid": []}},
        {"method": "POST", "data": ASKED},
        {"method": "GET", "params": ASKED},
        {"method": "POST", "json": {**ASKED, "source": "it-IT", "target": "en-US"}},
        {"method": "POST", "json": ASKED, "params": {"key": KEY}},
    ],
)
async def test_fields_are_read_wherever_they_are(tmp_path: Path, sent: dict[str, Any]) -> None:
    async with client_of(make_app(tmp_path, admin_key=KEY)) as client:
        answer = await client.request(url=PATH, **sent)
    assert (answer.status_code, answer.json()) == (
        200,
        {"data": {"translations": [{"translatedText": "CIAO A TUTTI"}]}},
    )


async def test_several_texts_by_the_query(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH, params={"q": ["uno", "due"], "source": "it", "target": "en"})
    assert [one["translatedText"] for one in answer.json()["data"]["translations"]] == ["UNO", "DUE"]
    same = await client.get(PATH, params={"q": "ciao", "source": "it", "target": "it"})
    assert same.json() == {"data": {"translations": [{"translatedText": "ciao"}]}}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"q": None}, "Required Text"),
        ({"q": []}, "Required Text"),
        ({"target": None}, "Missing parameter: target"),
        ({"target": 5}, "Invalid Value"),
        ({"format": "pdf"}, "Invalid Value"),
        ({"q": ["fine", 1]}, "q must be a string or a list of strings"),
        ({"q": ["x" * 10_001]}, "q[0] has 10001 characters; at most 10000 are allowed"),
    ],
)
async def test_what_is_wrong_is_told(client: httpx.AsyncClient, change: dict[str, Any], told: str) -> None:
    assert error(await client.post(PATH, json={**ASKED, **change}), 400) == told


async def test_an_answer_is_no_larger_than_its_request(client: httpx.AsyncClient) -> None:
    much = {**ASKED, "q": ["x"] * 100, "model": "m" * 10_000}
    assert len((await client.post(PATH, json=much)).content) < 10_000
    for count, status in ((100, 200), (101, 400)):
        copied = await client.post(PATH, json={**ASKED, "q": ["x"] * count, "target": "it"})
        assert copied.status_code == status
    assert "U+0000" in error(await client.post(PATH, json={**ASKED, "q": "a\0", "target": "it"}), 400)
    assert error(await client.post(PATH, json=ASKED, params={"key": ["a", "b"]}), 400)


async def test_no_error_is_told_otherwise(client: httpx.AsyncClient) -> None:
    assert "not valid JSON" in error(await client.post(PATH, content=b"{"), 400)
    assert "50000 bytes" in error(await client.post(PATH, json={"q": "x" * 60_000}), 413)
    assert error(await client.post(PATH, json={**ASKED, "q": "boom"}), 500)
    assert error(await client.post(PATH, json=ASKED, params={"key": "wrong"}), 400)
    assert error(await client.post(PATH, json=ASKED, headers={"Authorization": "Bearer wrong"}), 400)
    assert "101 texts" in error(await client.post(f"{PATH}/detect", json={"q": ["x"] * 101}), 400)
    assert "U+0000" in error(await client.post(f"{PATH}/detect", json={"q": ["x\x00"]}), 400)

"""LibreTranslate's API as its clients use it: theirs against a running server, and what they send in every form."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import httpx
import pytest
from fakes import FakeTranslator, client_of, make_app, serving
from libretranslatepy import LibreTranslateAPI

KEY = "0123456789abcdef"
ASKED = {"q": "ciao a tutti", "source": "it", "target": "en"}


def error(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    found = response.json()
    assert list(found) == ["error"]
    return str(found["error"])


# --- the real client --------------------------------------------------------------------------------------------------


def test_its_own_client_translates_and_detects(address: str) -> None:
    api = LibreTranslateAPI(f"{address}/")
    assert api.translate("perché no?", "it", "en") == "PERCHÉ NO?"
    assert api.detect("the cat") == [{"confidence": 90.0, "language": "en"}]
    assert api.languages() == [
        {"code": "en", "name": "English", "targets": ["en", "it"]},
        {"code": "it", "name": "Italian", "targets": ["en", "it"]},
    ]


def test_its_own_client_is_told_of_errors(address: str) -> None:
    with pytest.raises(HTTPError) as raised:
        LibreTranslateAPI(f"{address}/").translate("ciao", "it", "zz")
    assert raised.value.code == 400
    assert json.load(raised.value) == {"error": "zz is not supported"}
    raised.value.close()


def test_its_own_client_has_a_key(tmp_path: Path) -> None:
    with serving(make_app(tmp_path, admin_key=KEY, open_scopes="none")) as address:
        assert LibreTranslateAPI(f"{address}/", api_key=KEY).translate("ciao", "it", "en") == "CIAO"
        for key, status in (("wrong", 403), ("chiave-è", 403), (KEY.replace("9", "€"), 403), (None, 400)):
            with pytest.raises(HTTPError) as raised:
                LibreTranslateAPI(f"{address}/", api_key=key).translate("ciao", "it", "en")
            assert raised.value.code == status
            raised.value.close()


# --- what is sent, and how --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        {"json": ASKED},
        {"data": ASKED},
        {"files": {name: (None, value) for name, value in ASKED.items()}},
        {"params": ASKED},
        {"params": {"q": "something else", "source": "it"}, "data": {"q": ASKED["q"], "target": "en"}},
        {"content": json.dumps(ASKED), "headers": {"Content-Type": "application/x-www-form-urlencoded"}},  # curl -d
        {"json": {**ASKED, "source": "IT", "format": "text", "api_key": None}},
        {"json": {**ASKED, "api_key": ""}},
    ],
)
async def test_fields_are_read_wherever_they_are(client: httpx.AsyncClient, sent: dict[str, Any]) -> None:
    answer = await client.post("/translate", **sent)
    assert (answer.status_code, answer.json()) == (200, {"translatedText": "CIAO A TUTTI"})


async def test_lists_alternatives_and_languages_come_in_its_shapes(client: httpx.AsyncClient) -> None:
    async def told(**more: Any) -> Any:
        return (await client.post("/translate", json={**ASKED, **more})).json()

    italian, english = {"confidence": 90.0, "language": "it"}, {"confidence": 90.0, "language": "en"}
    assert await told(q="ciao", source="auto", alternatives=2) == {
        "translatedText": "CIAO", "detectedLanguage": italian, "alternatives": ["CIAO (1)", "CIAO (2)"],
    }  # fmt: skip
    assert await told(q=["ciao", "the dog and the cat sleep"], source="auto", alternatives=1) == {
        "translatedText": ["CIAO", "the dog and the cat sleep"], "detectedLanguage": [italian, english],
        "alternatives": [["CIAO (1)"], []],
    }  # fmt: skip
    assert await told(q="<b>ciao</b>", format="html", alternatives=2) == {
        "translatedText": "<b>CIAO</b>", "alternatives": [],
    }  # fmt: skip
    assert await told(target="it") == {"translatedText": ASKED["q"]}, "the same language is allowed"
    assert await told(q="due\r\nrighe") == {"translatedText": "DUE\nRIGHE"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"q": None}, "Invalid request: missing q parameter"),
        ({"q": []}, "Invalid request: missing q parameter"),
        ({"source": ""}, "Invalid request: missing source parameter"),
        ({"target": None}, "Invalid request: missing target parameter"),
        ({"source": "zz"}, "zz is not supported"),
        ({"target": "auto"}, "auto is not supported"),
        ({"format": "pdf"}, "pdf format is not supported"),
        ({"alternatives": 9}, "Invalid request: alternatives parameter must be <= 3"),
        ({"alternatives": True}, "Invalid request: alternatives parameter is not a number"),
        ({"alternatives": -1}, "Invalid request: alternatives parameter is not a number"),
        ({"q": ["x"] * 101, "target": "it"}, "Invalid request: q has 101 texts; at most 100 are allowed"),
        ({"alternatives": "many"}, "Invalid request: alternatives parameter is not a number"),
        ({"q": "x" * 10_001}, "Invalid request: request (10001) exceeds text limit (10000)"),
        ({"q": [1]}, "Invalid request: q must be a string or a list of strings"),
        ({"q": ["fine", "not\x00fine"]}, "Invalid request: q[1] holds the control character U+0000 at character 4"),
        ({"source": ["it"]}, "Invalid request: source must be a string"),
    ],
)
async def test_what_is_wrong_is_told_in_its_words(client: httpx.AsyncClient, change: dict[str, Any], told: str) -> None:
    assert error(await client.post("/translate", json={**ASKED, **change}), 400) == told


@pytest.mark.parametrize(
    ("sent", "status", "told"),
    [
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "not valid JSON"),
        ({"content": b"[1]", "headers": {"Content-Type": "application/json"}}, 400, "must be a JSON object"),
        ({"data": {"q": "x" * 60_000}}, 413, "50000 bytes"),
        (
            {"content": b"q=%ff", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            400,
            "cannot be read",
        ),
        ({"files": {"q": ("a.txt", b"ciao")}}, 400, "Too many files"),
        ({"json": {**ASKED, "q": "boom"}}, 500, ""),
        ({"content": b'{"q": "x", "source": "it", "target": "en", "alternatives": 1e999}'}, 400, "not a number"),
        ({"content": b"", "headers": {"Content-Type": "multipart/form-data; boundary=x; charset=utf-7"}}, 400, "UTF-8"),
    ],
)
async def test_no_error_is_told_otherwise(
    client: httpx.AsyncClient, sent: dict[str, Any], status: int, told: str
) -> None:
    assert told in error(await client.post("/translate", **sent), status)


async def test_a_full_server_says_when_to_come_back(tmp_path: Path) -> None:
    held = FakeTranslator()
    async with client_of(make_app(tmp_path, held, queue_tokens=1, deadline_s=1)) as client:
        held.gate.clear()
        waiting = [client.post("/translate", json={**ASKED, "q": f"uno due tre {number}"}) for number in range(4)]
        answers = await asyncio.gather(*waiting)
        held.gate.set()
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    for answer in refused:
        assert error(answer, 429).startswith("Slowdown: ")
        assert int(answer.headers["Retry-After"]) >= 1


async def test_a_suggestion_waits_for_a_reviewer(client: httpx.AsyncClient) -> None:
    sent = {"q": "ciao", "s": "hello there", "source": "it", "target": "en"}
    assert (await client.post("/suggest", json=sent)).json() == {"success": True}
    (stored,) = (await client.get("/v1/corrections")).json()["corrections"]
    assert (stored["source_text"], stored["machine_translation"]) == ("ciao", "CIAO")
    assert (stored["corrected_translation"], stored["status"], stored["model_version"]) == (
        "hello there", "pending", "fake-1",
    )  # fmt: skip
    assert "missing s parameter" in error(await client.post("/suggest", json={**sent, "s": ""}), 400)
    assert error(await client.post("/suggest", data=sent), 400), "another site's form could send it"
    assert error(await client.post("/suggest", params=sent), 400), "and so could an address"
    assert len((await client.get("/v1/corrections")).json()["corrections"]) == 1


async def test_a_key_with_letters_is_the_same_in_a_body_and_in_a_header(tmp_path: Path) -> None:
    key = "perché-no-perché-no"
    async with client_of(make_app(tmp_path, admin_key=key, open_scopes="none")) as client:
        in_body = await client.post("/translate", json={**ASKED, "api_key": key})
        in_head = await client.post("/translate", json=ASKED, headers={"Authorization": f"Bearer {key}".encode()})
        assert (in_body.status_code, in_head.status_code) == (200, 200)
        assert error(await client.post("/translate", json={**ASKED, "api_key": key.replace("é", "?")}), 403)


async def test_who_may_not_translate_cannot_by_a_suggestion(tmp_path: Path) -> None:
    sent = {"q": "ciao", "s": "hello there", "source": "it", "target": "en"}
    async with client_of(make_app(tmp_path, admin_key=KEY, open_scopes="correct")) as client:
        assert "API key" in error(await client.post("/suggest", json=sent), 400)


async def test_what_its_page_asks_for(client: httpx.AsyncClient) -> None:
    settings = (await client.get("/frontend/settings")).json()
    assert (settings["charLimit"], settings["keyRequired"], settings["suggestions"]) == (10_000, False, True)
    assert (await client.get("/health")).json() == {"status": "ok"}
    described = await client.get("/spec", follow_redirects=True)
    assert {"/translate", "/detect", "/languages"} <= set(described.json()["paths"])
    assert (await client.post("/detect", json={"q": "¿qué?"})).json() == [{"confidence": 0.0, "language": "es"}]

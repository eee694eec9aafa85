"""Translations that are begun: `prefix`, and alternatives that differ in the word after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fakes import ask, body, client_of, make_app, one, problem

from app.main import create_app
from app.settings import Settings
from model.config import SearchConfig
from model.translator import Translator
from model.versions.store import find

TEXT = "Il gatto dorme sul divano."


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(make_app(tmp_path)) as one:
        yield one


async def test_the_translation_goes_on_from_the_prefix_as_one_sentence(client: httpx.AsyncClient) -> None:
    answer = await one(client, body("il gatto. il cane.", prefix="A CAT. ", details=True))
    assert answer["text"] == "A CAT. IL CANE."
    assert [sentence["source_text"] for sentence in answer["details"]["sentences"]] == ["il gatto. il cane."]


async def test_the_alternatives_differ_in_the_next_word(client: httpx.AsyncClient) -> None:
    answer = await one(client, body("il gatto dorme", prefix="THE ", alternatives=2))
    assert [answer["text"], *(other["text"] for other in answer["alternatives"])] == [
        "THE GATTO DORME", "THE W1 DORME", "THE W2 DORME",
    ]  # fmt: skip
    answer = await one(client, body("il gatto", prefix="", alternatives=1))
    assert answer["alternatives"][0]["text"] == "W1 GATTO"


async def test_memory_is_not_asked(client: httpx.AsyncClient) -> None:
    correction = {
        "source": "it", "target": "en", "source_text": "il gatto", "machine_translation": "IL GATTO",
        "corrected_translation": "the cat",
    }  # fmt: skip
    sent = await client.post("/v1/corrections", json=correction)
    assert (await client.post(f"/v1/corrections/{sent.json()['id']}/approve")).status_code == 200
    assert (await one(client, body("il gatto")))["text"] == "the cat"
    assert (await one(client, body("il gatto", prefix="A ")))["text"] == "A GATTO"


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (body(["a"], prefix="b"), "goes with one text, not with a list"),
        (body("a", prefix="b", format="html"), "goes with plain text, not with html"),
        (body("a", prefix="à" * 301), "has 602 bytes; at most 600 are allowed"),
        (body("a", prefix="x" * 9000), "has 9000 characters; at most 600 are allowed"),
        (body("a", prefix="\x00"), "holds the control character U+0000"),
        (body("a", prefix=5), "must be a string"),
    ],
)
async def test_wrong_prefixes_are_named(client: httpx.AsyncClient, payload: dict, says: str) -> None:
    found = problem(await ask(client, payload), 422, "invalid-request")
    assert [error["field"] for error in found["errors"]] == ["prefix"]
    assert says in found["errors"][0]["message"]


async def test_the_real_translator_begins_as_it_is_told(tiny_data_dir: Path) -> None:
    alone = Translator.load(find([tiny_data_dir / "models"], "it-en"), "cpu", threads=1)
    settings = Settings(data_dir=tiny_data_dir)
    async with client_of(create_app(settings)) as client:
        for prefix in ("", "The cat ", "The cat sl", "x" * 600, "The cat sleeps on the sofa. " * 10, "   ", "😀 "):
            answer = await one(client, body(TEXT, prefix=prefix, alternatives=3))
            texts = [answer["text"], *(other["text"] for other in answer["alternatives"])]
            assert [text for text in texts if not text.startswith(prefix.strip())] == []
            assert len(set(texts)) == len(texts)
            begun = await one(client, body(TEXT, prefix=prefix))
            search = SearchConfig(beam=settings.default_beam)
            assert begun["text"] == alone.translate_sentences([TEXT], search, [prefix])[0].text

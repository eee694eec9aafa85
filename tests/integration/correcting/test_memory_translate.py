"""`POST /v1/translate` with approved corrections: what answers, what the answer says, what stays as it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from fakes import FakeTranslator, ask, body, client_of, make_app, one, problem
from stored import correction, store

from app.main import create_app
from app.settings import Settings

CORRECTIONS = {
    "Ho fame.": "I'm hungry.",
    "Sei stanco?": "Are you tired?",
    "Sei stanco.": "You are tired.",
    "Piove. Ho fame.": "It rains, and I'm hungry.",
    "forse": "perhaps",
    "Offro the e biscotti oggi.": "I offer tea and biscuits.",
}


class Server(NamedTuple):
    """A running server with `CORRECTIONS` in memory."""

    client: httpx.AsyncClient
    translator: FakeTranslator
    ids: dict[str, str]

    @property
    def translated(self) -> list[str]:
        """What the model was asked, but for the warm-up."""
        return [text for batch in self.translator.batches[1:] for text in batch]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    translator = FakeTranslator()
    app = make_app(tmp_path, translator)
    database = app.state.services.database
    rows = [correction(source, target) for source, target in CORRECTIONS.items()]
    ids = await store(database, *rows, correction("I'm cold.", "Ho freddo.", pair="en-it"))
    async with client_of(app) as client:
        yield Server(client, translator, {source: str(id_) for source, id_ in zip(CORRECTIONS, ids, strict=False)})


async def test_the_contract_of_a_text_from_memory(server: Server) -> None:
    assert await one(server.client, body("Ho fame.")) == {
        "text": "I'm hungry.",
        "source": "it",
        "target": "en",
        "model_version": None,
        "from_memory": True,
        "score": None,
        "truncated": False,
        "correction_ids": [server.ids["Ho fame."]],
    }
    assert server.translated == []


async def test_details_of_a_mixed_text(server: Server) -> None:
    answer = await one(server.client, body("due parole. Ho fame!", details=True))
    assert answer["text"] == "DUE PAROLE. I'm hungry!"
    assert (answer["from_memory"], answer["model_version"], answer["score"]) == (False, "fake-1", -0.25)
    assert answer["correction_ids"] == [server.ids["Ho fame."]]
    first, second = answer["details"]["sentences"]
    assert (first["from_memory"], first["correction_id"], first["words"][0]["text"]) == (False, None, "DUE")
    assert second == {
        "source_text": "Ho fame!",
        "span": [12, 20],
        "text": "I'm hungry!",
        "score": None,
        "from_memory": True,
        "correction_id": server.ids["Ho fame."],
        "truncated": False,
        "words": [],
        "alignment": [],
        "warnings": [],
    }
    assert server.translated == ["due parole."]


async def test_memory_can_be_switched_off(server: Server) -> None:
    answer = await one(server.client, body("Ho fame.", memory=False))
    assert (answer["text"], answer["from_memory"], answer["model_version"]) == ("HO FAME.", False, "fake-1")
    assert "correction_ids" not in answer
    problem(await ask(server.client, body("Ho fame.", memory="no")), 422, "invalid-request")


async def test_the_whole_text_goes_before_its_sentences(server: Server) -> None:
    answer = await one(server.client, body(" \tPiove.\n\nHo  fame. \n", details=True))
    assert answer["text"] == " \tIt rains, and I'm hungry. \n"
    (sentence,) = answer["details"]["sentences"]
    assert sentence["source_text"] == "Piove.\n\nHo  fame."
    assert answer["correction_ids"] == [server.ids["Piove. Ho fame."]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ho fame.  Ho fame!\n\n\tsei stanco?\r\n", "I'm hungry.  I'm hungry!\n\n\tare you tired?\r\n"),
        ("Ho fame.\u00a0 Vieni.", "I'm hungry.\u00a0 VIENI."),
        (" Ho fame", " I'm hungry"),
        ("Sei stanco.", "You are tired."),
        ("Sei stanco", "You are tired"),
        ("Forse!", "Perhaps!"),
        ("HO FAME.", "HO FAME."),
        ("Ho fame, molta.", "HO FAME, MOLTA."),
        ("", ""),
        (" \n", " \n"),
    ],
)
async def test_separators_case_and_marks(server: Server, text: str, expected: str) -> None:
    assert (await one(server.client, body(text)))["text"] == expected


async def test_all_sentences_from_memory_are_all_of_the_text(server: Server) -> None:
    answer = await one(server.client, body("Ho fame. Sei stanco? Ho fame."))
    assert (answer["from_memory"], answer["model_version"], answer["score"]) == (True, None, None)
    assert answer["correction_ids"] == [server.ids["Ho fame."], server.ids["Sei stanco?"]]


async def test_a_text_without_a_sentence_is_not_from_memory(server: Server) -> None:
    assert (await one(server.client, body(" ")))["from_memory"] is False


async def test_alternatives_keep_what_memory_says(server: Server) -> None:
    answer = await one(server.client, body("Vieni. Ho fame.", alternatives=2))
    assert [item["text"] for item in answer["alternatives"]] == [
        "VIENI. (1) I'm hungry.",
        "VIENI. (2) I'm hungry.",
    ]
    assert (await one(server.client, body("Ho fame.", alternatives=2)))["alternatives"] == []


async def test_auto_asks_the_memory_of_the_detected_direction(server: Server) -> None:
    answer = await one(server.client, {"text": "Ho fame.", "source": "auto", "target": "en"})
    assert (answer["text"], answer["source"], answer["from_memory"]) == ("I'm hungry.", "it", True)
    text = "the wind is cold here."
    answer = await one(server.client, {"text": text, "source": "auto", "target": "en"})
    assert (answer["text"], answer["from_memory"]) == (text, False)


async def test_memory_is_asked_before_a_text_is_left_as_it_is(server: Server) -> None:
    """A wrong guess of the language can be mended by a correction, too."""
    answer = await one(server.client, {"text": "Offro the e biscotti oggi.", "source": "auto", "target": "en"})
    assert (answer["text"], answer["source"], answer["from_memory"]) == ("I offer tea and biscuits.", "it", True)
    assert answer["detected"]["language"] == "en"


async def test_memory_answers_html_by_its_sentences(server: Server) -> None:
    """The whole of it would come back without its entities; a text without tags is HTML, too."""
    answer = await one(server.client, body("<p>Ho fame.</p>", format="html"))
    assert (answer["text"], answer["from_memory"]) == ("<p>I'm hungry.</p>", True)
    assert (await one(server.client, body("Ho fame.", format="html")))["text"] == "I'm hungry."


async def test_a_pair_without_a_model_stays_unavailable(server: Server) -> None:
    problem(await ask(server.client, {"text": "I'm cold.", "source": "en", "target": "it"}), 422, "pair-unavailable")


async def test_memory_answers_while_the_model_is_busy(server: Server) -> None:
    server.translator.entered.clear()
    server.translator.gate.clear()
    waiting = asyncio.create_task(ask(server.client, body("Vieni.")))
    try:
        assert await asyncio.to_thread(server.translator.entered.wait, 20)
        answer = await asyncio.wait_for(one(server.client, body("Ho fame.")), 10)
        assert answer["text"] == "I'm hungry."
        assert not waiting.done()
    finally:
        server.translator.gate.set()
        await waiting


async def test_the_answer_of_memory_is_logged_with_consent(server: Server) -> None:
    assert (await one(server.client, body("Ho fame.", log_consent=True)))["logged"] is True


async def test_the_health_check_asks_the_model(tmp_path: Path) -> None:
    translator = FakeTranslator()
    app = make_app(tmp_path, translator)
    await store(app.state.services.database, correction("Ciao.", "Hi."))
    async with client_of(app) as client:
        assert (await one(client, body("Ciao.")))["from_memory"] is True
        app.state.services.engine._decoder.last_success = -1e9
        await client.get("/health/ready")
    assert "Ciao." in translator.batches[-1]


async def test_a_database_that_never_answers_holds_up_only_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.translating.service.MEMORY_WAIT_S", 0.2)
    app = create_app(Settings(data_dir=tmp_path), lambda: {"it-en": FakeTranslator()})
    never = asyncio.Event()
    monkeypatch.setattr(app.state.services.memory_sync, "run", never.wait)
    async with client_of(app) as client:
        for _ in range(2):
            assert (await one(client, body("Ho fame.")))["text"] == "HO FAME."


async def test_hits_and_rows_are_counted(server: Server) -> None:
    await one(server.client, body("Ho fame. Vieni. Ho fame!"))
    text = (await server.client.get("/metrics")).text
    assert 'traghetto_memory_hits_total{pair="it-en"} 2.0' in text
    assert "traghetto_memory_rows 7.0" in text

"""Many clients at once over real sockets: nothing lost, nothing mixed up, batches shared, the gone forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import migrated
from fakes import FakeTranslator, body, client_at, client_of, fake_detect, make_app, serving
from patience import eventually

from app.main import create_app
from app.settings import Settings
from model.text.plan import plan_text
from model.translator import Translator
from model.versions.store import find

CLIENTS = 64
ROUNDS = 6
REAL_ROUNDS = 2
"""With the real translator, which then says it all once more, sentence by sentence."""


def texts_of(client: int, turn: int) -> list[str]:
    """Every client sends its own sentences, and one that all share."""
    return [f"cliente {client} turno {turn}. frase due di {client}!", "frase di tutti."]


async def one_client(address: str, number: int, rounds: int = ROUNDS) -> list[tuple[list[str], list[str]]]:
    """What client `number` sent and what it got."""
    seen = []
    async with client_at(address) as client:
        for turn in range(rounds):
            sent = texts_of(number, turn)
            response = await client.post("/v1/translate", json=body(sent))
            assert response.status_code == 200, response.text
            seen.append((sent, [item["text"] for item in response.json()["translations"]]))
    return seen


async def metric(address: str, name: str) -> float:
    async with client_at(address) as client:
        lines = (await client.get("/metrics")).text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(name))


async def test_64_clients_each_get_their_own_answers_from_shared_batches(tmp_path: Path) -> None:
    translator = FakeTranslator(seconds_per_batch=0.01)
    with serving(make_app(tmp_path, translator)) as address:
        seen = await asyncio.gather(*(one_client(address, number) for number in range(CLIENTS)))
        batches = await metric(address, "traghetto_batch_sentences_count")
        decoded = await metric(address, "traghetto_batch_sentences_sum")
    answers = [pair for client in seen for pair in client]
    assert len(answers) == CLIENTS * ROUNDS, "an answer was lost"
    assert all(got == [text.upper() for text in sent] for sent, got in answers), "a client got another's translation"
    assert decoded / batches > 4, f"{decoded:.0f} sentences in {batches:.0f} batches: requests are not batched together"
    assert decoded < CLIENTS * ROUNDS * 3, "the sentence that all share was decoded for each of them"
    everything = [text for batch in translator.batches for text in batch]
    assert decoded == len(everything) - 2, "the metrics must count what was decoded (2 for the warm-up)"


async def test_64_clients_of_the_real_translator_get_what_each_would_get_alone(tiny_data_dir: Path) -> None:
    """The engine, two decoding threads and the real network, together."""
    settings = Settings(data_dir=tiny_data_dir, torch_threads=2, default_beam=1)
    migrated(settings.database)
    with serving(create_app(settings, detect=fake_detect)) as address:
        seen = await asyncio.gather(*(one_client(address, number, REAL_ROUNDS) for number in range(CLIENTS)))
    alone = Translator.load(find([tiny_data_dir / "models"], "it-en"), "cpu", threads=1)
    answers = {text: answer for client in seen for sent, got in client for text, answer in zip(sent, got, strict=True)}
    assert len(answers) == CLIENTS * REAL_ROUNDS + 1, "an answer was lost"
    assert len(set(answers.values())) > CLIENTS // 2, "the translations hardly differ: nothing was tested"
    for text, answer in answers.items():
        sentences = plan_text(text, "it").sentences
        assert answer == " ".join(alone.translate([sentence])[0].text for sentence in sentences)


async def test_overload_is_a_429_with_retry_after_and_passes(tmp_path: Path) -> None:
    translator = FakeTranslator()
    app = make_app(tmp_path, translator, queue_tokens=10)
    async with client_of(app) as client:
        await client.post("/v1/translate", json=body("misura"))
        translator.gate.clear()
        translator.entered.clear()
        running = asyncio.create_task(client.post("/v1/translate", json=body("in corso")))
        assert await asyncio.to_thread(translator.entered.wait, 5)
        waiting = asyncio.create_task(client.post("/v1/translate", json=body("a b c d e f g h i l")))
        scheduler = app.state.services.engine._scheduler
        await eventually(lambda: scheduler.waiting_tokens == 10, "it waits in the queue")
        refused = await client.post("/v1/translate", json=body("troppo"))
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["type"] == "/problems/overloaded"
        translator.gate.set()
        assert [(await task).status_code for task in (running, waiting)] == [200, 200], "what was accepted must be done"
        assert (await client.post("/v1/translate", json=body("troppo"))).status_code == 200


async def test_past_the_deadline_is_a_503_in_time(tmp_path: Path) -> None:
    translator = FakeTranslator()
    async with client_of(make_app(tmp_path, translator, deadline_s=0.2)) as client:
        await client.post("/v1/translate", json=body("prima"))
        translator.gate.clear()
        started = time.monotonic()
        late = await client.post("/v1/translate", json=body("tardi"))
        assert (late.status_code, late.json()["type"]) == (503, "/problems/deadline-exceeded")
        assert "retry-after" in late.headers
        assert time.monotonic() - started < 2
        translator.gate.set()
        assert (await client.post("/v1/translate", json=body("dopo"))).status_code == 200


async def test_clients_that_went_away_are_not_translated_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.http.disconnect.CHECK_EVERY_S", 0.01)
    translator = FakeTranslator()
    app = make_app(tmp_path, translator)
    scheduler = app.state.services.engine._scheduler
    with serving(app) as address:
        async with client_at(address) as client:
            await client.post("/v1/translate", json=body("prima"))
            translator.gate.clear()
            translator.entered.clear()
            running = asyncio.create_task(client.post("/v1/translate", json=body("in corso")))
            assert await asyncio.to_thread(translator.entered.wait, 5)
            with _sent(address, b'{"text": "sparito", "source": "it", "target": "en"}'):
                await eventually(lambda: scheduler.waiting_units == 1, "its sentence waits")
            await eventually(lambda: scheduler.waiting_units == 0, "it has left the queue")
            stays = asyncio.create_task(client.post("/v1/translate", json=body("resta")))
            await eventually(lambda: scheduler.waiting_units == 1, "the other waits")
            translator.gate.set()
            assert (await running).status_code == 200
            assert (await stays).json()["translations"][0]["text"] == "RESTA"
    decoded = [text for batch in translator.batches for text in batch]
    assert "resta" in decoded and "sparito" not in decoded


async def test_a_client_that_leaves_while_it_sends_is_no_fault_of_the_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(make_app(tmp_path)) as address:
        async with client_at(address) as client:
            with _sent(address, b'{"text": "mezz', declared=1000):
                await client.get("/health/live")  # which came later: the server has read the first half
            assert (await client.post("/v1/translate", json=body("ciao"))).status_code == 200
    assert "fault" not in caplog.text


async def test_a_body_that_never_comes_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.main.BODY_TIMEOUT_S", 0.1)
    with serving(make_app(tmp_path)) as address, _sent(address, b"{", declared=1000) as connection:
        reader, writer = await asyncio.open_connection(sock=connection)
        async with asyncio.timeout(20):
            head, content = await reader.readuntil(b"\r\n\r\n"), await reader.readuntil(b"}")
        writer.close()
    assert head.startswith(b"HTTP/1.1 408 ") and json.loads(content)["type"] == "/problems/body-too-slow"


@contextlib.contextmanager
def _sent(address: str, content: bytes, declared: int | None = None) -> Iterator[socket.socket]:
    """A client that has sent `content` as the body, or its beginning, and leaves at the end."""
    host, port = address.removeprefix("http://").split(":")
    head = f"POST /v1/translate HTTP/1.1\r\nHost: x\r\nContent-Length: {declared or len(content)}\r\n\r\n".encode()
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head + content)
        yield connection


async def test_a_too_large_body_gets_its_answer_over_a_socket(tmp_path: Path) -> None:
    with serving(make_app(tmp_path, max_body_bytes=2048)) as address:
        async with client_at(address) as client:
            response = await client.post("/v1/translate", json=body("x" * 3000))
            assert response.status_code == 413
            assert (await client.post("/v1/translate", json=body("ciao"))).status_code == 200


async def test_a_long_document_does_not_hold_up_a_short_request(tmp_path: Path) -> None:
    translator = FakeTranslator(seconds_per_batch=0.05)
    async with client_of(make_app(tmp_path, translator, batch_sentences=4)) as client:
        document = " ".join(f"Frase numero {number}." for number in range(200))
        long = asyncio.create_task(client.post("/v1/translate", json=body(document)))
        await eventually(lambda: len(translator.batches) > 1, "the document is being translated")
        assert (await client.post("/v1/translate", json=body("Breve."))).status_code == 200
        assert not long.done(), "the short request waited for the whole document"
        assert (await long).json()["translations"][0]["text"] == document.upper()

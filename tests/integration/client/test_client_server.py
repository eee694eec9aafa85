"""The Python client against a running server: what it sends is understood, and what the server says is read."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
import traghetto_client
from corrections_kit import ADMIN_KEY, PATH
from fakes import FakeTranslator, make_app, serving
from fastapi import FastAPI
from patience import wait_until
from pydantic import BaseModel
from traghetto_client import (
    ApiError,
    AsyncTraghetto,
    ConnectionFailed,
    FieldError,
    InvalidRequest,
    NotAuthorised,
    Settings,
    Traghetto,
    Unavailable,
)

from app.http.schemas import corrections, models, translation, usage
from app.settings import Settings as ServerSettings

PROPOSAL: Any = {
    "source": "it",
    "target": "en",
    "source_text": "Il traghetto parte alle nove.",
    "machine_translation": "The ferry part at nine.",
    "corrected_translation": "The ferry leaves at nine.",
    "model_version": "default",
}


def lines(count: int) -> list[str]:
    return [f"Questa è la riga {number}." for number in range(count)]


# --- what it sends is understood --------------------------------------------------------------------------------------


def test_a_list_of_any_length_comes_back_in_order(address: str) -> None:
    texts = [*lines(1030), "Il mare è calmo stamattina."]
    with Traghetto(address) as client:
        found = client.translate(texts, source="it", target="en")
    assert [one.text for one in found] == [*(line.upper() for line in texts[:-1]), "The sea is calm this morning."]
    assert {one.model_version for one in found} == {"default"}


async def test_so_it_does_with_asyncio(address: str) -> None:
    async with AsyncTraghetto(f"{address}/") as client:
        found, one = await asyncio.gather(
            client.translate(lines(730), target="en"), client.translate("Le chiavi sono sul tavolo.", target="en")
        )
    assert [one.text for one in found] == [line.upper() for line in lines(730)]
    assert (one.text, one.source, one.target) == ("The keys are on the table.", "it", "en")
    assert one.detected is not None and one.detected.language == "it"


def test_every_option_is_taken(address: str) -> None:
    with Traghetto(address) as client:
        found = client.translate(
            "<p>ciao <code>x = 1</code></p>", source="it", target="en", format="html", split="auto", beam=2,
            alternatives=1, details=True, memory=False, log_consent=True, ignore_tags=("kbd",),
        )  # fmt: skip
        assert found.text == "<p>CIAO <code>x = 1</code></p>"
        assert found.details is not None and found.details.sentences[0].source_text
        assert (found.logged, len(found.alternatives)) == (True, 1)
        begun = client.translate("ciao a tutti", source="it", target="en", prefix="Hello ", alternatives=1)
        assert begun.text == "Hello A TUTTI"


def test_a_server_under_a_path_is_found(phrasebook: FastAPI) -> None:
    async def under_a_path(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            assert scope["path"].startswith("/tools/translate/")
            path = scope["path"].removeprefix("/tools/translate")
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await phrasebook(scope, receive, send)

    with serving(under_a_path) as address, Traghetto(f"{address}/tools/translate") as client:
        assert client.translate("Il treno è in ritardo.", target="en").text == "The train is late."
        assert client.ready().status == "ready"


# --- what the server says is read -------------------------------------------------------------------------------------


def test_a_correction_goes_its_way(address: str) -> None:
    with Traghetto(address, key=ADMIN_KEY) as client:
        sent = client.correct(**PROPOSAL)
        assert (sent.status, sent.corrected_translation) == ("pending", PROPOSAL["corrected_translation"])
        key = {"Authorization": f"Bearer {ADMIN_KEY}"}
        assert httpx.post(f"{address}{PATH}/{sent.id}/approve", headers=key).status_code == 200
        assert client.correction(sent.id).state == "in memory"
        found = client.translate(PROPOSAL["source_text"], target="en")
    assert (found.text, found.from_memory, found.correction_ids) == ("The ferry leaves at nine.", True, (sent.id,))
    assert (found.model_version, found.score) == (None, None)


def test_models_usage_and_readiness(tiny_data_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_data_dir / "models", tmp_path / "models")
    with serving(make_app(tmp_path, FakeTranslator())) as address, Traghetto(address) as client:
        found = {(one.pair, one.version): one for one in client.models()}
        second = found["it-en", "second"]
        assert (second.current, second.status, second.scores[0]["bleu"]) == (False, "candidate", 25.0)
        assert found["it-en", "default"].current
        assert (client.ready().status, client.ready().models) == ("ready", {"it-en": "fake-1"})
        client.translate("ciao a tutti", target="en")
        used = client.usage()
    assert (used.client, used.requests, used.characters) == ("local", 1, len("ciao a tutti"))
    assert used.period.start.day == used.period.end.day == 1


def test_errors_say_what_the_server_says(address: str) -> None:
    with Traghetto(address, settings=Settings(max_texts=50)) as client:
        with pytest.raises(InvalidRequest) as raised:
            client.translate([*lines(120), "a" * 10_001], target="en", beam=99)
        error = raised.value
        assert (error.status, error.type, error.title) == (422, "invalid-request", "A field of the request is wrong")
        assert FieldError("beam", "is 99; at most 8 is allowed", 8) in error.errors

        with pytest.raises(
            InvalidRequest, match=r"text\[120\]: has 10001 characters; at most 10000 are allowed"
        ) as raised:
            client.translate([*lines(120), "a" * 10_001], target="en")
        assert raised.value.errors == (
            FieldError("text[120]", "has 10001 characters; at most 10000 are allowed", 10000),
        )

        with pytest.raises(InvalidRequest) as raised:
            client.translate("a\ud800", target="en")
        assert raised.value.type == "malformed-json"
        with pytest.raises(NotAuthorised):
            client.models()
        with pytest.raises(ApiError) as raised:
            client.correction("no-such-id")
        assert (raised.value.status, raised.value.type) == (404, "not-found")


def test_a_wrong_key_is_refused_and_told_to_nobody(address: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    wrong = "a-wrong-key-that-nobody-may-see"
    with Traghetto(address, key=wrong) as client, pytest.raises(NotAuthorised) as raised:
        client.translate("ciao", target="en")
    assert raised.value.status == 401
    assert "httpcore" in {record.name.partition(".")[0] for record in caplog.records}, (
        "what httpx logs must be looked at"
    )
    assert wrong not in caplog.text + repr(client) + repr(raised.value)


# --- retries ----------------------------------------------------------------------------------------------------------


def test_it_comes_again_when_it_is_told_to(refusing: Any) -> None:
    address, app = refusing
    pauses: list[float] = []
    with Traghetto(address, sleep=pauses.append) as client:
        assert client.translate("Il treno è in ritardo.", target="en").text == "The train is late."
    assert (pauses, app.refused) == ([1.0], 1)


async def test_a_correction_whose_answer_was_lost_is_stored_once(losing: Any) -> None:
    address, app = losing
    async with AsyncTraghetto(address, key=ADMIN_KEY, settings=Settings(random=lambda: 0.01)) as client:
        sent = await client.correct(**PROPOSAL)
    assert app.refused == 1
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {ADMIN_KEY}"}) as plain:
        await plain.get(f"{address}{PATH}")  # the first answer of this route is lost too
        stored = (await plain.get(f"{address}{PATH}")).json()["corrections"]
    assert [one["id"] for one in stored] == [sent.id]


def test_where_nobody_listens_it_gives_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    pauses: list[float] = []
    with (
        Traghetto(f"http://127.0.0.1:{port}", sleep=pauses.append) as client,
        pytest.raises(ConnectionFailed) as raised,
    ):
        client.translate("ciao", target="en")
    assert len(pauses) == 4
    assert f"127.0.0.1:{port}" in str(raised.value)


def test_a_server_that_does_not_come_to_it_is_unavailable(tmp_path: Path) -> None:
    slow = FakeTranslator()
    app = make_app(tmp_path, slow, deadline_s=0.2)
    with serving(app) as address, Traghetto(address, settings=Settings(tries=1)) as client:
        wait_until(lambda: client.ready().status == "ready", "the test server translates")
        slow.gate.clear()
        with pytest.raises(Unavailable) as raised:
            client.translate("ciao", target="en")
        slow.gate.set()
    assert (raised.value.status, raised.value.type, raised.value.retry_after_s) == (503, "deadline-exceeded", 1)


# --- what both sides know ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "left_out"),
    [
        ("Translation", translation.TranslationOut, set()),
        ("Details", translation.DetailsOut, set()),
        ("Sentence", translation.SentenceOut, set()),
        ("Word", translation.WordOut, set()),
        ("Alternative", translation.AlternativeOut, set()),
        ("Detected", translation.DetectedOut, set()),
        ("Readiness", translation.ReadyOut, set()),
        ("FieldError", translation.ProblemField, set()),
        ("Model", models.ModelOut, set()),
        ("Period", usage.Period, set()),
        ("Usage", usage.UsageOut, {"days"}),
        ("Correction", corrections.CorrectionOut,
         {"author_key", "confirmed_by", "reviewer", "reviewed_at", "rivals"}),
    ],
)  # fmt: skip
def test_answers_have_the_fields_of_the_server(ours: str, theirs: type[BaseModel], left_out: set[str]) -> None:
    """A field that is new there is to be added here, or to be left out on purpose."""
    assert {field.name for field in dataclasses.fields(getattr(traghetto_client, ours))} == {
        *theirs.model_fields
    } - left_out


def test_requests_have_the_fields_of_the_server() -> None:
    options = {*traghetto_client.Options.__annotations__, "text", "target"}
    assert options == set(translation.TranslateBody.model_fields)
    assert set(traghetto_client.Proposal.__annotations__) == set(corrections.SubmitBody.model_fields)


def test_long_lists_are_split_as_the_server_wants_them() -> None:
    theirs = ServerSettings.model_fields
    assert Settings().max_texts == theirs["max_texts"].default
    assert Settings().max_chars == theirs["max_request_chars"].default
    assert Settings().timeout_s > theirs["deadline_s"].default

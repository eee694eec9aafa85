"""The routes beside `/v1/translate`: health, metrics, models, descriptions, pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fakes import FakeTranslator, ask, body, client_of, make_app, one, problem
from patience import eventually

from app.http.schemas.translation import EXAMPLE_ANSWER, EXAMPLE_REQUEST, Problem, TranslateAnswer, TranslateBody

KEY = "0123456789abcdef"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(make_app(tmp_path, admin_key=KEY)) as running:
        yield running


async def test_the_type_of_a_problem_can_be_looked_up(client: httpx.AsyncClient) -> None:
    found = problem(await ask(client, body([])), 422, "invalid-request")
    assert (await client.get(found["type"])).json()["usual_status"] == 422
    assert (await client.get("/problems/nothing")).status_code == 404


async def test_health_and_metrics(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/live")).json() == {"status": "alive"}
    await one(client, body("Parola segreta."))
    await client.get("/scan/" + "x" * 50)
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"], ready.json()["database"]) == (200, "ready", "ok")
    text = (await client.get("/metrics")).text
    assert 'traghetto_requests_total{dialect="v1",route="/v1/translate",status="200"} 1.0' in text
    assert 'traghetto_requests_total{dialect="other",route="unmatched",status="404"} 1.0' in text
    assert 'traghetto_sentences_total{pair="it-en",version="fake-1"} 1.0' in text
    assert "traghetto_batch_sentences_count 1.0" in text
    assert "segreta" not in text and "scan" not in text, "labels must not hold texts or addresses"


async def test_not_ready_until_the_models_are_warm(tmp_path: Path) -> None:
    translator = FakeTranslator()
    translator.gate.clear()
    async with client_of(make_app(tmp_path, translator, deadline_s=0.1)) as client:
        assert (await client.get("/health/live")).status_code == 200
        ready = await client.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (503, "loading")
        problem(await ask(client, body("presto")), 503, "not-ready")
        translator.gate.set()
        assert (await ask(client, body("ora"))).status_code == 200, "a request waits for the models within its deadline"
        assert (await client.get("/health/ready")).status_code == 200


async def test_a_late_answer_names_the_deadline_of_the_settings(tmp_path: Path) -> None:
    translator = FakeTranslator()
    async with client_of(make_app(tmp_path, translator, deadline_s=0.3)) as client:
        await one(client, body("prima"))
        translator.gate.clear()
        found = problem(await ask(client, body("tardi")), 503, "deadline-exceeded")
        translator.gate.set()
    assert found["detail"] == "The translation was not ready within 0.3 s."


async def test_ready_really_translates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.http.routes.health.FRESH_S", 0.2)
    translator = FakeTranslator()
    async with client_of(make_app(tmp_path, translator)) as client:
        await one(client, body("ciao"))
        translator.fails = True
        monkeypatch.setattr("app.http.routes.health.FRESH_S", 0.0001)
        ready = await client.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (503, "not translating")


async def test_a_failed_model_is_said_everywhere(tmp_path: Path) -> None:
    async with client_of(make_app(tmp_path, FakeTranslator(fails=True))) as client:
        problem(await ask(client, body("ciao")), 503, "not-ready")
        assert (await client.get("/health/ready")).json()["status"] == "failed"
        assert (await client.get("/health/live")).status_code == 503


class Leaving(FakeTranslator):
    """Ends the engine's thread in a way that is no failure of the model."""

    def translate_sentences(self, *_: object) -> list:  # type: ignore[override]
        raise SystemExit


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_an_engine_whose_thread_has_ended_is_not_alive(tmp_path: Path) -> None:
    async with client_of(make_app(tmp_path, Leaving())) as client:

        async def ended() -> bool:
            return (await client.get("/health/live")).status_code != 200

        await eventually(ended, "the thread ends in its own time")
        live = await client.get("/health/live")
        assert (live.status_code, live.json()) == (503, {"status": "failed"})


async def test_models_need_a_key_or_the_owner_of_the_machine(client: httpx.AsyncClient, tmp_path: Path) -> None:
    problem(await client.get("/v1/models"), 401, "not-authorised")
    problem(
        await client.get("/v1/models", headers={"Authorization": "Bearer wrong-wrong-wrong"}), 401, "not-authorised"
    )
    listed = await client.get("/v1/models", headers={"Authorization": f"Bearer {KEY}"})
    assert listed.status_code == 200
    async with client_of(make_app(tmp_path / "other")) as keyless:
        assert (await keyless.get("/v1/models")).json() == listed.json()
        problem(await keyless.get("/v1/models", headers={"Via": "1.1 proxy"}), 403, "admin-closed")


async def test_models_on_disk_are_listed(tiny_data_dir: Path) -> None:
    async with client_of(make_app(tiny_data_dir, FakeTranslator(version="second"), admin_key=KEY)) as client:
        listed = await client.get("/v1/models", headers={"Authorization": f"Bearer {KEY}"})
    found = {model["version"]: model["loaded"] for model in listed.json()["models"] if model["pair"] == "it-en"}
    assert (found["default"], found["second"]) == (False, True)


async def test_the_description_fits_what_is_answered(client: httpx.AsyncClient) -> None:
    api = (await client.get("/openapi.json")).json()
    operation = api["paths"]["/v1/translate"]["post"]
    assert set(operation["responses"]) == {
        "200",
        "400",
        "401",
        "403",
        "408",
        "413",
        "415",
        "422",
        "429",
        "431",
        "500",
        "503",
    }
    assert operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/TranslateBody")
    TranslateBody.model_validate(EXAMPLE_REQUEST)
    TranslateAnswer.model_validate(EXAMPLE_ANSWER, strict=True)
    full = await ask(client, body("a. b.", alternatives=1, details=True, log_consent=True))
    shown = TranslateAnswer.model_validate_json(full.content).model_dump(exclude_unset=True, mode="json")
    assert shown == full.json(), "an answer must hold nothing that the description does not know"
    Problem.model_validate((await ask(client, {})).json())


async def test_pages_load_nothing_from_other_hosts(client: httpx.AsyncClient) -> None:
    for path in ("/", "/docs"):
        page = await client.get(path)
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "://" not in page.text, "a page must not name another host"
        for link in [part.split('"')[0] for part in page.text.split('href="')[1:] + page.text.split('src="')[1:]]:
            assert (await client.get(link)).status_code == 200, link

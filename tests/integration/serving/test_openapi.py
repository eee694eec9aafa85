"""The API is what its description says: schemathesis asks a live server whatever that allows, and what it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes import FakeTranslator, client_of, make_app, serving

from app.http.kinds import KINDS

KEY = "0123456789abcdef"
CONFIG = Path(__file__).parents[2] / "schemathesis.toml"
UNLIMITED: dict[str, Any] = {"requests_per_address": "none", "characters_per_address": "none"}
EXAMPLES = 12
NOT_ASKED = "promote|rollback|/v1/retraining$"
WHO: dict[str, tuple[dict[str, Any], list[str]]] = {
    "with a key": (UNLIMITED | {"admin_key": KEY}, ["--header", f"Authorization: Bearer {KEY}"]),
    "a stranger": (UNLIMITED | {"admin_key": KEY}, []),
    "the owner": ({}, []),
}


@pytest.mark.long
@pytest.mark.parametrize(("settings", "more"), WHO.values(), ids=WHO)
def test_schemathesis_finds_nothing(settings: dict[str, Any], more: list[str], tmp_path: Path) -> None:
    """Promotion and retraining are left out: there are no other versions here, and a run takes its time."""
    both = FakeTranslator(), FakeTranslator("en-it")
    with serving(make_app(tmp_path, *both, **settings)) as address:
        arguments = [
            "--config-file", str(CONFIG), "run", f"{address}/openapi.json", "--max-examples", str(EXAMPLES),
            "--no-color", "--seed", "1", "--request-timeout", "30", "--exclude-path-regex", NOT_ASKED, *more,
        ]  # fmt: skip
        found = subprocess.run(
            [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", *arguments],
            cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
    assert found.returncode == 0, found.stdout[-8000:] + found.stderr[-2000:]
    assert "Test cases:" in found.stdout


async def _described(tmp_path: Path, **settings: Any) -> dict[str, Any]:
    async with client_of(make_app(tmp_path, **settings)) as client:
        answer: dict[str, Any] = (await client.get("/openapi.json")).json()
    return answer


async def test_errors_are_described_as_problem_details(tmp_path: Path) -> None:
    described = await _described(tmp_path)
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            if not path.startswith("/v1/"):
                continue
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert list(response["content"]) == ["application/problem+json"], (method, path, status)
    assert "HTTPValidationError" not in str(described)
    statuses = set(described["paths"]["/v1/translate"]["post"]["responses"])
    assert {str(kind.status) for kind in KINDS.values()} - statuses <= {"404", "409"}


async def test_what_needs_no_key_is_described_for_this_server(tmp_path: Path) -> None:
    def may_be_keyless(described: dict[str, Any], path: str, method: str) -> bool:
        return {} in described["paths"][path][method]["security"]

    owner = await _described(tmp_path / "owner")
    public = await _described(tmp_path / "public", admin_key=KEY)
    closed = await _described(tmp_path / "closed", admin_key=KEY, open_scopes="none")
    for path, method, expected in (
        ("/v1/models", "get", (True, False, False)),
        ("/v1/corrections/bulk", "post", (True, False, False)),
        ("/v1/translate", "post", (True, True, False)),
        ("/v1/corrections/{correction_id}", "delete", (True, True, False)),
    ):
        assert tuple(may_be_keyless(one, path, method) for one in (owner, public, closed)) == expected, path


async def test_the_limits_of_this_server_are_described(tmp_path: Path) -> None:
    described = await _described(tmp_path, max_chars=77, max_request_chars=100, max_texts=7, max_alternatives=2)
    properties = described["components"]["schemas"]["TranslateBody"]["properties"]
    assert [part.get("maxLength") for part in properties["text"]["anyOf"]] == [77, None]
    assert properties["text"]["anyOf"][1]["maxItems"] == 7
    assert properties["alternatives"]["maximum"] == 2
    answered = described["components"]["schemas"]["TranslationOut"]["properties"]["text"]
    assert "maxLength" not in answered, "a translation may be longer than its text"
    form = described["paths"]["/v2/translate"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert form["properties"]["text"]["anyOf"][0]["maxLength"] == 77


async def test_a_wrong_method_is_told_all_that_are_right(tmp_path: Path) -> None:
    async with client_of(make_app(tmp_path)) as client:
        for path, methods in (
            ("/language/translate/v2", "GET, HEAD, POST"),
            ("/v1/corrections/bulk", "POST"),
            ("/v1/corrections/x", "DELETE, GET, HEAD, PATCH"),
        ):
            answer: httpx.Response = await client.put(path)
            assert (answer.status_code, answer.headers["allow"]) == (405, methods)

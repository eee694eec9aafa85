"""Bodies are read in one step, and refused in two: both must know the same bodies as good ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from app.errors import AppError
from app.http.json_body import _validated, read_json
from app.http.schemas.corrections import BulkBody, EditBody, SubmitBody
from app.http.schemas.translation import TranslateBody

MODELS = (TranslateBody, SubmitBody, EditBody, BulkBody)
GOOD = {"text": "Ciao.", "source": "it", "target": "en"}
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["it", "en", "auto", "html", "none", "00000000-0000-4000-8000-000000000000"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def request_with(raw: bytes) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": raw, "more_body": False}

    return Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[type[BaseModel], bytes]:
    model = draw(st.sampled_from(MODELS))
    names = st.sampled_from([*model.model_fields, "unknown"])
    body = draw(st.dictionaries(names, values, max_size=4))
    return model, json.dumps(GOOD | body if draw(st.booleans()) and model is TranslateBody else body).encode()


@given(bodies())
@settings(max_examples=300, deadline=None)
def test_one_step_accepts_what_two_accept(asked: tuple[type[BaseModel], bytes]) -> None:
    model, raw = asked
    try:
        careful: BaseModel | None = _validated(request_with(raw), raw, model)
    except AppError:
        careful = None
    try:
        quick: BaseModel | None = model.model_validate_json(raw)
    except ValidationError:
        quick = None
    assert quick == careful


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b'{"text": "\\ud800", "source": "it", "target": "en"}', "not valid JSON"),
        (b'{"text": "\xff", "source": "it", "target": "en"}', "not valid JSON"),
        (b'{"text": "a", "source": "it", "target": "en", "beam": NaN}', "not valid JSON"),
        (b'["text"]', "must be a JSON object"),
        (b'{"text": 1, "source": "it", "target": "en"}', "text"),
    ],
)
async def test_what_is_wrong_is_told(raw: bytes, told: str) -> None:
    with pytest.raises(AppError, match=told):
        await read_json(request_with(raw), TranslateBody)


async def test_a_default_is_not_shared() -> None:
    first, second = [await read_json(request_with(json.dumps(GOOD).encode()), TranslateBody) for _ in range(2)]
    assert first.ignore_tags == [] and first.ignore_tags is not second.ignore_tags
    assert TranslateBody.model_json_schema()["properties"]["ignore_tags"]["default"] == []

"""Fields of a request: whatever a form or a query holds is read as it was written."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from app.errors import InvalidRequest, MalformedJson
from app.http.dialects.values import FORM, read_values


def request(body: bytes = b"", kind: str = "", query: str = "") -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", kind.encode())] if kind else []
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": query.encode(), "headers": headers}
    return Request(scope, receive)


texts = st.text(st.characters(codec="utf-8"), max_size=30)
fields = st.lists(st.tuples(texts.filter(bool), texts), max_size=8)


def listed(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


@given(fields, fields)
async def test_forms_and_queries_are_read_as_they_were_written(body: list, query: list) -> None:
    sent = request(urlencode(body).encode(), FORM, urlencode(query))
    assert await read_values(sent) == {**listed(query), **listed(body)}


@given(st.dictionaries(texts, st.one_of(st.none(), texts, st.lists(texts), st.integers(-9, 9), st.booleans())))
async def test_json_is_read_whatever_its_type(body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    for kind in ("application/json", "text/plain", FORM, ""):
        assert await read_values(request(raw, kind)) == body


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (request(b"{", "application/json"), MalformedJson),
        (request(b'["a"]', "application/json"), MalformedJson),
        (request(b'{"a": NaN}', "application/json"), MalformedJson),
        (request(b"a=%ff", FORM), InvalidRequest),
        (request("a=è".encode("latin-1"), FORM), InvalidRequest),
        (request(b"&".join([b"a=1"] * 1001), FORM), InvalidRequest),
        (request(query="a=%ff"), InvalidRequest),
        (request(b"--x", "multipart/form-data"), InvalidRequest),
        (request(b"no part", "multipart/form-data; boundary=x"), InvalidRequest),
    ],
)
async def test_what_cannot_be_read_is_told(sent: Request, error: type[Exception]) -> None:
    with pytest.raises(error):
        await read_values(sent)


async def test_letters_may_come_as_they_are() -> None:
    """`curl -d` escapes nothing."""
    assert await read_values(request("q=perché no&a=%C3%A8".encode(), FORM)) == {"q": "perché no", "a": "è"}


async def test_nothing_has_no_fields() -> None:
    assert await read_values(request()) == {}

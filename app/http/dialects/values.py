"""Reads the fields of a request wherever a client puts them: JSON, a form of either kind, the query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from app.errors import FieldError, InvalidRequest, MalformedJson
from app.http.json_body import json_object

FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
MAX_FIELDS = 1000
"""Of one form."""

Values = Mapping[str, Any]
"""By name: what JSON says; of a form or a query the text, or a list where there are several of one name."""


async def read_values(request: Request) -> Values:
    """The fields of `request`; the body goes before the query. JSON is read whatever its declared type.

    Raises:
        MalformedJson: a body that is declared as JSON, or looks like it, and is not a JSON object.
        InvalidRequest: a form that cannot be read.
        BodyTooLarge, BodyTooSlow: raised while reading.
    """
    queried = _listed(_pairs(request.scope["query_string"], "query"))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == MULTIPART:
        return {**queried, **_listed(await _parts(request))}
    raw = await request.body()
    if kind == FORM and not raw.lstrip().startswith(b"{"):
        return {**queried, **_listed(_pairs(raw, "body"))}
    return {**queried, **_object(raw)} if raw.strip() else queried


def strings_of(values: Values, name: str) -> list[str]:
    """The strings of a field that may be one, or several; none where it is absent.

    Raises:
        InvalidRequest: it is something else.
    """
    found = values.get(name)
    strings = found if isinstance(found, list) else [] if found is None else [found]
    if not all(isinstance(one, str) for one in strings):
        raise InvalidRequest([FieldError(name, "must be a string or a list of strings")])
    return strings


def string_of(values: Values, name: str) -> str | None:
    """The string of a field; None where it is absent or empty.

    Raises:
        InvalidRequest: it is something else.
    """
    found = values.get(name)
    if found is not None and not isinstance(found, str):
        raise InvalidRequest([FieldError(name, "must be a string")])
    return found or None


def _object(raw: bytes) -> Values:
    try:
        return json_object(raw)
    except ValueError as error:
        raise MalformedJson(f"The body is not valid JSON: {error}.") from None


def _pairs(raw: bytes, where: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:  # not UTF-8, or too many
        raise InvalidRequest([FieldError(where, f"cannot be read: {error}")]) from None


async def _parts(request: Request) -> list[tuple[str, str]]:
    _, options = parse_options_header(request.headers["content-type"])
    if options.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8"):
        raise InvalidRequest([FieldError("body", "must be UTF-8")])
    try:
        async with request.form(max_files=0, max_fields=MAX_FIELDS, max_part_size=1 << 30) as form:
            return [(name, value) for name, value in form.multi_items() if not isinstance(value, UploadFile)]
    except MultiPartException as error:
        raise InvalidRequest([FieldError("body", f"cannot be read: {error.message}")]) from None
    except HTTPException as error:  # which the library makes of it where there is an app
        raise InvalidRequest([FieldError("body", f"cannot be read: {error.detail}")]) from None


def _listed(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}

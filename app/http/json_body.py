"""Reads a JSON request body strictly: UTF-8, no NaN, no lone surrogates, no unknown fields."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from app.errors import AppError, InvalidRequest, MalformedJson, UnsupportedBody, field_errors

Body = TypeVar("Body", bound=BaseModel)


async def read_json(request: Request, model: type[Body]) -> Body:
    """The body of `request` as a `model`.

    What is JSON is read whatever its declared type: `curl -d` sends another.

    Raises:
        UnsupportedBody: not JSON, nor declared as that.
        MalformedJson: not JSON (RFC 8259), with the place.
        InvalidRequest: JSON, but not of this shape; names each field.
        BodyTooLarge, BodyTooSlow: raised while reading.
    """
    raw = await request.body()
    try:
        return model.model_validate_json(raw)
    except ValidationError:
        return _validated(request, raw, model)


def _validated(request: Request, raw: bytes, model: type[Body]) -> Body:
    """The same in two steps, which take longer and tell better what is wrong."""
    try:
        values = json_object(raw)
    except ValueError as error:
        raise _not_json(request, error) from None
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InvalidRequest(field_errors(error.errors(include_input=False, include_url=False))) from None


def json_object(raw: bytes) -> dict[str, Any]:
    """The object that `raw` is in JSON.

    Raises:
        ValueError: it is not JSON.
        MalformedJson: it is, but no object.
    """
    values = from_json(raw, allow_inf_nan=False)
    if not isinstance(values, dict):
        raise MalformedJson("The body must be a JSON object.")
    return values


def _not_json(request: Request, error: ValueError) -> AppError:
    declared = request.headers.get("content-type", "")
    kind = declared.partition(";")[0].strip().lower()
    if kind in ("", "application/json") or kind.endswith("+json"):
        return MalformedJson(f"The body is not valid JSON: {error}.")
    return UnsupportedBody(
        declared, f"It is not JSON, which this route reads: send that, as `Content-Type: application/json` ({error})."
    )

"""Reads a JSON request body strictly: UTF-8, no NaN, no lone surrogates, no unknown fields."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from app.errors import BodyTooSlow, InvalidRequest, MalformedJson, field_errors

Body = TypeVar("Body", bound=BaseModel)

BODY_TIMEOUT_S = 20.0
"""For all of a body to arrive."""


async def read_json(request: Request, model: type[Body]) -> Body:
    """The body of `request` as a `model`.

    The declared content type is not looked at: `curl -d` sends another, and what is not JSON fails anyway.

    Raises:
        MalformedJson: not JSON (RFC 8259), with the place.
        InvalidRequest: JSON, but not of this shape; names each field.
        BodyTooLarge, BodyTooSlow: raised while reading.
    """
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            raw = await request.body()
    except TimeoutError:
        raise BodyTooSlow(BODY_TIMEOUT_S) from None
    try:
        values = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedJson(f"The body is not valid JSON: {error}.") from None
    if not isinstance(values, dict):
        raise MalformedJson("The body must be a JSON object.")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InvalidRequest(field_errors(error.errors(include_input=False, include_url=False))) from None

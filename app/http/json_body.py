"""Reads a JSON request body strictly: UTF-8, no NaN, no lone surrogates, no unknown fields."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from app.errors import BodyTooSlow, FieldError, InvalidRequest, MalformedJson

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


def field_errors(problems: Iterable[Any]) -> list[FieldError]:
    """One error for each field. A field that may be a string or a list is reported once, not once for each choice."""
    found: dict[str, FieldError] = {}
    for problem in problems:
        location = problem["loc"]
        field = _field_name(location)
        if len(location) > 1 and location[1] == "str":
            found[field] = FieldError(field, "must be a string or a list of strings")
            continue
        if len(location) > 2:  # an element of the list: the list itself was right
            found.pop(_field_name(location[:1]), None)
        if field not in found:
            found[field] = FieldError(field, _message(problem))
    return list(found.values())


def _field_name(location: tuple[Any, ...]) -> str:
    name = str(location[0]) if location else "body"
    return name + "".join(f"[{part}]" for part in location[1:] if isinstance(part, int))


def _message(problem: Any) -> str:
    message = str(problem["msg"])
    replaced = {
        "missing": "is required",
        "extra_forbidden": "is not a known field",
        "string_type": "must be a string",
    }
    return replaced.get(problem["type"], message.replace("Input should be", "must be", 1))

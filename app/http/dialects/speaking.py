"""What all dialects share: a route that reads fields wherever they are, and answers, or refuses, in its own words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from fastapi import Request
from pydantic_core import to_json
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from app.access.client import Client
from app.errors import AppError, InvalidRequest
from app.http.deps import services_of
from app.http.dialects.values import FORM, MULTIPART, Values, read_values
from app.http.disconnect import ClientGone
from app.http.kinds import kind_of
from app.http.problems import CLIENT_CLOSED_REQUEST
from app.translating.limits import FIT, TranslationRequest, check_texts
from app.translating.result import TranslatedText

TEXT: Mapping[str, Any] = {"type": "string", "pattern": FIT}
"""Describes a field with a text."""
KEY: Mapping[str, Any] = {"type": "string", "description": "Or as `Authorization: Bearer KEY`."}
ERRORS = {
    408: "The body did not arrive", 413: "The body is too large", 429: "There is too much to do",
    500: "The translation failed", 503: "Translations cannot be had now",
}  # fmt: skip
JSON = "application/json"

Answer = Callable[[Request, Values], Awaitable[Any]]
Tell = Callable[[AppError], Response]


class DialectError(AppError):
    """An answer that is an error in one dialect only."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def speaks(tell: Tell) -> Callable[[Answer], Callable[[Request], Awaitable[Response]]]:
    """Makes a route of a function that gives what is to be answered as JSON, or raises what `tell` words."""

    def routed(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def route(request: Request) -> Response:
            try:
                return said(200, await answer(request, await read_values(request)))
            except (ClientGone, ClientDisconnect):
                return Response(status_code=CLIENT_CLOSED_REQUEST)
            except AppError as error:
                return tell(error)

        route.__name__, route.__doc__ = answer.__name__, answer.__doc__
        return route

    return routed


def said(status: int, answer: Any, headers: Mapping[str, str] | None = None) -> Response:
    """`answer` as JSON."""
    return Response(to_json(answer), status, headers, media_type=JSON)


async def translated(request: Request, client: Client, wanted: TranslationRequest) -> list[TranslatedText]:
    """The translations; given up when the client has gone. `wanted` must not be of one language."""
    services = services_of(request)
    return await services.disconnects.guard(request.receive, services.translation.translate(wanted, client))


def copied(request: Request, wanted: TranslationRequest) -> list[str]:
    """The texts of what is wanted in its own language, which are as they are.

    Raises:
        InvalidRequest: they pass a limit.
    """
    check_texts(wanted, services_of(request).settings)
    return list(wanted.texts)


async def pairs(request: Request) -> list[tuple[str, str]]:
    """Source and target of each direction that is served.

    Raises:
        NotReady, ShuttingDown: that cannot be said now.
    """
    engine = services_of(request).engine
    await engine.wait_ready(0)
    return [(source, target) for source, _, target in (pair.partition("-") for pair in engine.versions)]


def worded(error: AppError) -> tuple[int, str]:
    """Status and text of `error`, for services that know neither 415 nor 422."""
    if isinstance(error, DialectError):
        return error.status, str(error)
    status = kind_of(error).status
    if isinstance(error, InvalidRequest):
        return 400, "; ".join(f"{each.field} {each.message}" for each in error.errors)
    return 400 if status in (415, 422) else status, str(error)


def texts(one: Mapping[str, Any] = TEXT, each: Mapping[str, Any] = TEXT, *, least: int = 1) -> Mapping[str, Any]:
    """Describes a field with one text, or several, `least` of them at least."""
    return {"anyOf": [one, {"type": "array", "items": each, "minItems": least}]}


def one_of(codes: Iterable[str], *, optional: bool = True) -> Mapping[str, Any]:
    """Describes a field that is one of `codes`; where it is optional an empty one is none."""
    return {"type": "string", "enum": [*codes, *([""] if optional else [])]}


def takes(
    *required: str, in_forms: Mapping[str, Mapping[str, Any]] | None = None, **fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Describes the fields of a body. In JSON those that are not `required` may be null; those `in_forms` differ."""
    nullable = {
        name: field if name in required else {"anyOf": [field, {"type": "null"}]} for name, field in fields.items()
    }
    forms = object_of(*required, **{**fields, **(in_forms or {})})
    content = {JSON: object_of(*required, **nullable), FORM: forms, MULTIPART: forms}
    return {"requestBody": {"required": True, "content": {kind: {"schema": one} for kind, one in content.items()}}}


def asks(*required: str, **fields: Mapping[str, Any]) -> dict[str, Any]:
    """Describes the same in a query."""
    described = [
        {"name": name, "in": "query", "required": name in required, "schema": field} for name, field in fields.items()
    ]
    return {"parameters": described}


def object_of(*required: str, **fields: Mapping[str, Any]) -> dict[str, Any]:
    """Describes an object with `fields`."""
    return {"type": "object", "properties": fields, "required": list(required)}


def errors_of(schema: Mapping[str, Any], own: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """Describes errors that have `schema`: those of one service by status, and those of all."""
    content = {JSON: {"schema": schema}}
    return {status: {"description": about, "content": content} for status, about in (own | ERRORS).items()}

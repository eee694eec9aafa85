"""Errors as RFC 9457 problem details, and the pages that describe each kind."""

from __future__ import annotations

import http
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.errors import (
    AppError,
    BodyTooLarge,
    BodyTooSlow,
    HeadTooLarge,
    InvalidRequest,
    LimitReached,
    NotAuthorised,
    QuotaExceeded,
    ServiceError,
    TooManyConnections,
    TooManyRequests,
    field_errors,
)
from app.http.kinds import KINDS, kind_of
from app.http.schemas.translation import KindOut

CLIENT_CLOSED_REQUEST = 499
"""Status for the metrics; nobody is there to read it."""
MEDIA_TYPE = "application/problem+json"

router = APIRouter(tags=["errors"])

TellHttp = Callable[[int, str], Response]
"""Words a status and what is wrong."""


def problem_response(error: AppError) -> Response:
    """The answer to `error`."""
    kind = kind_of(error)
    extra: dict[str, Any] = {}
    if isinstance(error, InvalidRequest):
        extra["errors"] = [_field(item.field, item.message, item.limit) for item in error.errors]
    if isinstance(error, LimitReached | QuotaExceeded | TooManyRequests):
        extra["limit"] = error.setting
    return _response(f"/problems/{kind.slug}", kind.title, kind.status, str(error), extra, headers_of(error))


def headers_of(error: AppError) -> dict[str, str]:
    """What every dialect says of `error` in the head."""
    headers: dict[str, str] = {}
    if isinstance(error, ServiceError) and error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, BodyTooLarge | BodyTooSlow | HeadTooLarge | TooManyConnections):
        headers["Connection"] = "close"  # the rest of the body is not read, or nothing more is
    if isinstance(error, NotAuthorised):
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def _field(field: str, message: str, limit: float | None) -> dict[str, Any]:
    return {"field": field, "message": message} | ({} if limit is None else {"limit": limit})


def _response(
    type_: str, title: str, status: int, detail: str, extra: dict[str, Any], headers: dict[str, str]
) -> Response:
    body = {"type": type_, "title": title, "status": status, "detail": detail, **extra}
    return Response(to_json(body), status, headers, media_type=MEDIA_TYPE)


async def _on_app_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, AppError):
        raise error
    return problem_response(error)


async def _on_validation_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    problems = [{**problem, "loc": problem["loc"][1:]} for problem in error.errors()]  # without "body", "query"
    return problem_response(InvalidRequest(field_errors(problems)))


async def _on_http_error(
    routes: Sequence[APIRoute], told_below: Mapping[str, TellHttp], request: Request, error: Exception
) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    details = {
        404: f"There is nothing at {request.url.path[:200]}.",
        405: f"{request.method} is not possible here.",
    }
    detail = details.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    if error.status_code == 405:
        headers["Allow"] = _methods_at(path, routes) or headers.get("Allow", "GET, HEAD")
    for prefix, tell in told_below.items():
        if path.startswith(prefix):
            response = tell(error.status_code, detail)
            response.headers.update(headers)
            return response
    return _response("about:blank", http.HTTPStatus(error.status_code).phrase, error.status_code, detail, {}, headers)


def _methods_at(path: str, routes: Iterable[APIRoute]) -> str:
    """Those that any route at `path` takes: the framework tells those of the first one only."""
    there = [route for route in routes if route.path_regex.match(path)]
    named = [route for route in there if route.path == path]  # goes before those that any name would fit
    methods = {method for route in named or there for method in route.methods or ()}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


async def _on_crash(_request: Request, _error: Exception) -> Response:
    return crash_response()


def crash_response() -> Response:
    """The answer when the server itself is at fault."""
    return _response("about:blank", "Internal Server Error", 500, "The server made a mistake; it is logged.", {}, {})


def bad_request_response(detail: str) -> Response:
    """The answer to what is not HTTP."""
    return _response("about:blank", "Bad Request", 400, detail, {}, {"Connection": "close"})


def install(app: FastAPI, routes: Sequence[APIRoute], told_below: Mapping[str, TellHttp]) -> None:
    """Answer every error of `app`, which has `routes`, as a problem; `told_below` some paths what is not there, or not
    by this method, is told in other words."""
    app.add_exception_handler(AppError, _on_app_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, partial(_on_http_error, routes, told_below))
    app.add_exception_handler(Exception, _on_crash)


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": "; ".join(sorted(kind.title for kind in KINDS.values() if kind.status == status)),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in sorted({kind.status for kind in KINDS.values()})
}
"""By status, what a route may answer besides its own; for the OpenAPI description."""


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Those of `RESPONSES` that one route may give."""
    return {status: RESPONSES[status] for status in statuses}


@router.get("/problems/{slug}", summary="What a kind of error means", responses=responses(404))
async def describe(slug: str) -> KindOut:
    """The description that an error's `type` points to."""
    for error, kind in KINDS.items():
        if kind.slug == slug:
            return KindOut(title=kind.title, usual_status=kind.status, meaning=(error.__doc__ or "").strip())
    raise HTTPException(404)

"""What OpenAPI says of this server beyond what FastAPI finds: errors as problem details, what needs no key here, and
the limits that its operator chose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from app.http.problems import responses
from app.http.schemas.translation import Problem
from app.scopes import ALL_SCOPES, Scope
from app.settings import Settings

REF = "#/components/schemas/{model}"
ANY_TIME = (431, 503)
"""Statuses that every route of ours may answer: for a head that is too large, and too many connections."""
OF_CLIENTS = (401, 403, 429)
"""... that asks who the client is."""
OF_BODIES = (400, 408, 413, 415, 422)
"""... that reads a body."""
TEXTS = ("text", "q", "s", "source_text", "machine_translation", "corrected_translation")

Json = dict[str, Any]


def described(schema: Json, routes: Sequence[APIRoute], settings: Settings, open_to_all: frozenset[Scope]) -> Json:
    """`schema`, FastAPI's own description, made true. `open_to_all`: what needs no key on this server."""
    scopes = {(route.path, method): _scope(route.dependant) for route in routes for method in route.methods or ()}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            scope = scopes.get((path, method.upper()))
            if path.startswith("/v1/"):
                _add_errors(operation, scope)
            if scope in open_to_all and "security" in operation:
                operation["security"].append({})  # or none
            _replace_validation(operation)
    components = schema["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    problem = Problem.model_json_schema(ref_template=REF)
    components.update(problem.pop("$defs"), Problem=problem)
    for operation in (operation for methods in schema["paths"].values() for operation in methods.values()):
        for properties in _properties(operation.get("requestBody"), components):
            _limit(properties, settings)
    return schema


def open_scopes(settings: Settings, *, has_owner: bool) -> frozenset[Scope]:
    """What a request without a key may have: all of it where this machine's owner needs none."""
    return ALL_SCOPES if has_owner else settings.open_to_all


def _scope(dependant: Dependant) -> Scope | None:
    """The scope that a route needs, as `deps.client_with` noted it."""
    for dependency in dependant.dependencies:
        found: Scope | None = getattr(dependency.call, "scope", None) or _scope(dependency)
        if found is not None:
            return found
    return None


def _add_errors(operation: Json, scope: Scope | None) -> None:
    statuses = (*ANY_TIME, *(OF_CLIENTS if scope else ()), *(OF_BODIES if "requestBody" in operation else ()))
    for status, response in responses(*statuses).items():
        operation["responses"].setdefault(str(status), response)


def _replace_validation(operation: Json) -> None:
    """FastAPI's own answer to wrong fields, which no route here gives."""
    found = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
    if found.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
        operation["responses"]["422"] = responses(422)[422]


def _properties(node: Any, components: Json) -> Iterator[Json]:
    """The properties of every object that a body of a request may hold."""
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict) and node.get("type") == "object":
            yield node["properties"]
        for name, value in node.items():
            yield from _properties(components[value.rpartition("/")[2]] if name == "$ref" else value, components)
    elif isinstance(node, list):
        for value in node:
            yield from _properties(value, components)


def _limit(properties: Json, settings: Settings) -> None:
    """Tell the limits of fields that are limited wherever they occur."""
    for name in TEXTS:
        for part in _parts(properties.get(name, {})):
            types = part.get("type", "")
            if "string" in types:
                part["maxLength"] = settings.max_chars
            if "array" in types:
                part["maxItems"] = settings.max_texts
    for name, most in (("alternatives", settings.max_alternatives), ("beam", settings.max_beam)):
        for part in _parts(properties.get(name, {})):
            if part.get("type") == "integer":
                part["maximum"] = most


def _parts(field: Json) -> Iterator[Json]:
    """`field`, its alternatives and the elements of its lists."""
    yield field
    for other in (*field.get("anyOf", ()), *([field["items"]] if "items" in field else ())):
        yield from _parts(other)

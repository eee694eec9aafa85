"""The page at `/`, and the API description at `/docs`. Neither loads anything from another host."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from app.http.deps import ServicesDep

HERE = Path(__file__).parent.parent
STATIC = HERE / "static"
SWAGGER = "fastapi_swagger.resources"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DOCS_SECURITY_POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""The API description's library sets styles on its elements."""

router = APIRouter(include_in_schema=False)
templates = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined)


def mounts() -> list[Mount]:
    """The folders of files that the pages need."""
    swagger = files(SWAGGER)
    return [
        Mount("/static", StaticFiles(directory=STATIC), name="static"),
        Mount("/docs/static", StaticFiles(directory=str(swagger)), name="docs-static"),
    ]


def _fingerprint(name: str) -> str:
    """Changes when the file does, so that a browser never shows an old page with a new script."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


@router.get("/")
async def page(request: Request, services: ServicesDep) -> HTMLResponse:
    """The page that translates what is typed."""
    html = templates.get_template("index.html").render(
        root=request.scope.get("root_path", ""),
        css=_fingerprint("page.css"),
        script=_fingerprint("page.js"),
        max_chars=services.settings.max_chars,
        pairs=" ".join(services.engine.versions),
    )
    return HTMLResponse(html, headers=_headers(CONTENT_SECURITY_POLICY))


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The API description, to read and to try."""
    html = templates.get_template("docs.html").render(root=request.scope.get("root_path", ""))
    return HTMLResponse(html, headers=_headers(DOCS_SECURITY_POLICY))


def _headers(policy: str) -> dict[str, str]:
    return {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}

"""The pages: `/` translates, `/review` is for corrections, `/models` for versions; and the API description at `/docs`.

None loads anything from another host. Their words are in two languages: see `app.http.words`.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

from fastapi import APIRouter, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.http.deps import ServicesDep
from app.http.words import LANGUAGES, language_of, phenomena, words_of
from app.settings import Settings
from app.versions.quality import Quality, quality_of

HERE = Path(__file__).parent.parent
STATIC = HERE / "static"
SWAGGER = "fastapi_swagger.resources"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DOCS_SECURITY_POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""The API description's library sets styles on its elements."""
FOREVER, ALWAYS_ASK = "public, max-age=31536000, immutable", "no-cache"
COOKIE, A_YEAR_S = "ui", 31_536_000
"""Where a browser keeps the language that was chosen."""

EXAMPLES = (
    ("it", "Il treno per Firenze parte alle 9:40 dal binario 3."),
    ("it", "Non vedo l'ora di rivederti!"),
    ("en", "Could you tell me where the nearest pharmacy is?"),
    ("en", "We are closed on Mondays."),
)
"""For a first visit: language and text."""

router = APIRouter(include_in_schema=False)
templates = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined)


class Versioned(StaticFiles):
    """Files below a first part of the path that changes whenever one of them does, so that a browser may keep them and
    yet never shows an old page with a new script. Another version than ours gets the same files, to be asked for again.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, without that first part."""
        version, _, rest = path.partition("/")
        response = await super().get_response(rest, scope)
        response.headers["Cache-Control"] = FOREVER if version == fingerprint() else ALWAYS_ASK
        return response


@cache
def fingerprint() -> str:
    """Of all static files."""
    found = hashlib.sha256()
    for path in sorted(STATIC.rglob("*.*")):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def mounts() -> list[Mount]:
    """The folders of files that the pages need."""
    swagger = files(SWAGGER)
    return [
        Mount("/static", GZipMiddleware(Versioned(directory=STATIC)), name="static"),
        Mount("/docs/static", StaticFiles(directory=str(swagger)), name="docs-static"),
    ]


@router.get("/")
async def translate(request: Request, services: ServicesDep) -> HTMLResponse:
    """The page that translates what is typed."""
    versions = services.engine.versions
    found = await asyncio.to_thread(_qualities, services.settings, versions)
    return _page(
        "translate", request, limits=services.settings, pairs=" ".join(versions), examples=EXAMPLES, qualities=found
    )


def _qualities(settings: Settings, versions: Mapping[str, str]) -> list[Quality]:
    found = (quality_of(settings, pair, version) for pair, version in versions.items())
    return [quality for quality in found if quality is not None]


@router.get("/review")
async def review(request: Request) -> HTMLResponse:
    """The page for who decides about corrections. It asks for a key itself."""
    return _page("review", request)


@router.get("/models")
async def models(request: Request) -> HTMLResponse:
    """The page for who decides about model versions. It asks for a key itself."""
    return _page("models", request, phenomena=phenomena)


def _page(name: str, request: Request, **values: object) -> HTMLResponse:
    chosen = request.query_params.get(COOKIE)
    wanted = chosen or request.cookies.get(COOKIE)
    language = language_of(wanted, request.headers.get("accept-language", ""))
    words = words_of(name, language)
    root = request.scope.get("root_path", "")
    html = templates.get_template(f"{name}.html").render(
        name=name,
        root=root,
        static=f"{root}/static/{fingerprint()}",
        modules=_modules(name),
        ui=language,
        other=next(other for other in LANGUAGES if other != language),
        w=SimpleNamespace(**words.page),
        script_words=words.script,
        **values,
    )
    response = _packed(html, request)
    if chosen in LANGUAGES:
        response.set_cookie(COOKIE, chosen, max_age=A_YEAR_S, path=root or "/", httponly=True, samesite="lax")
    return response


def _packed(html: str, request: Request) -> HTMLResponse:
    headers = _headers(CONTENT_SECURITY_POLICY) | {"Vary": "Accept-Language, Cookie, Accept-Encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return HTMLResponse(html, headers=headers)
    return HTMLResponse(gzip.compress(html.encode()), headers=headers | {"Content-Encoding": "gzip"})


@cache
def _modules(page: str) -> tuple[str, ...]:
    """The scripts of a page besides its first, to be fetched with it."""
    own = (path.name for path in sorted((STATIC / page).glob("*.js")) if path.name != "main.js")
    return ("lib.js", *(f"{page}/{name}" for name in own))


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The API description, to read and to try."""
    html = templates.get_template("docs.html").render(root=request.scope.get("root_path", ""))
    return HTMLResponse(html, headers=_headers(DOCS_SECURITY_POLICY))


def _headers(policy: str) -> dict[str, str]:
    return {"Content-Security-Policy": policy, "Cache-Control": ALWAYS_ASK}

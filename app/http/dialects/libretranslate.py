"""The API of LibreTranslate (1.9.6), for its clients: the same paths, fields, answers and errors.

What differs: `detectedLanguage` of a list has an element for each text; only `it` and `en` are there; files are not
translated here (`POST /translate_file`); a correction that `/suggest` takes waits for a reviewer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app.access.client import Client
from app.corrections.values import Draft
from app.errors import AppError, FieldError, Forbidden, InvalidRequest, LimitReached, NotAuthorised, QuotaExceeded
from app.http.deps import services_of
from app.http.dialects import speaking
from app.http.dialects.speaking import TEXT, DialectError, one_of, said
from app.http.dialects.values import Values, string_of, strings_of
from app.http.problems import headers_of
from app.scopes import Scope
from app.translating.detection import Detection
from app.translating.limits import TranslationRequest
from app.translating.result import TranslatedText
from model.markup.formats import Format

NAMES = {"en": "English", "it": "Italian"}
FORMATS: Mapping[str, Format] = {"text": "text", "html": "html"}
SOME_TEXT = {**TEXT, "minLength": 1}
ASK = "Please contact the server operator to get an API key"
NUMBER = re.compile("[0-9]{1,9}")
TIMEOUT_MS = 500
"""For how long LibreTranslate's own page waits for the next key."""
ERRORS = speaking.errors_of(
    speaking.object_of("error", error={"type": "string"}),
    {400: "A field is missing or wrong, or a key is needed", 403: "The key is wrong, or may not do that"},
)

router = APIRouter(tags=["LibreTranslate"], responses=ERRORS)


def tell(error: AppError) -> Response:
    """`error` by the status and in the words of this dialect."""
    status, told = speaking.worded(error)
    if isinstance(error, InvalidRequest):
        told = f"Invalid request: {told}"
    elif status == 401:
        status = 400
    elif isinstance(error, QuotaExceeded):  # 429 would be tried again soon
        status = 403
    elif status == 429 and not isinstance(error, LimitReached):
        told = f"Slowdown: {told}"
    return said(status, {"error": told}, headers_of(error))


_speaks = speaking.speaks(tell)


async def _client(request: Request, values: Values, scope: Scope) -> Client:
    """Who asks, and has `scope`: by the field `api_key`, or as everywhere."""
    key = values.get("api_key")
    if key is not None and not isinstance(key, str):
        raise DialectError(403, "Invalid API key")
    try:
        return await services_of(request).access.require(request, scope, key or None)
    except NotAuthorised:
        if not key and "authorization" not in request.headers:
            raise DialectError(400, ASK) from None
        raise DialectError(403, "Invalid API key") from None


def _text(values: Values, name: str) -> str:
    found = values.get(name)
    if found is None or found == "":
        raise DialectError(400, f"Invalid request: missing {name} parameter")
    if not isinstance(found, str):
        raise InvalidRequest([FieldError(name, "must be a string")])
    return found


def _language(values: Values, name: str, *others: str) -> str:
    code = _text(values, name).lower()
    if code not in (*NAMES, *others):
        raise DialectError(400, f"{code[:20]} is not supported")
    return code


def _texts(values: Values) -> tuple[list[str], bool]:
    """The texts, and whether they came as a list."""
    found = values.get("q")
    if found is None or found in ("", []):
        raise DialectError(400, "Invalid request: missing q parameter")
    return [text.replace("\r\n", "\n") for text in strings_of(values, "q")], isinstance(found, list)


def _alternatives(values: Values, most: int) -> int:
    given = values.get("alternatives")
    text = "0" if given in (None, "") else str(given)
    if isinstance(given, bool) or not NUMBER.fullmatch(text):
        raise DialectError(400, "Invalid request: alternatives parameter is not a number")
    if (count := int(text)) > most:
        raise DialectError(400, f"Invalid request: alternatives parameter must be <= {most}")
    return count


@router.post("/translate", summary="Translate, as LibreTranslate does", openapi_extra=speaking.takes(
    "q", "source", "target", in_forms={"q": speaking.texts(SOME_TEXT, SOME_TEXT)},
    q=speaking.texts(SOME_TEXT), source=one_of(["auto", *NAMES], optional=False),
    target=one_of(NAMES, optional=False), format=one_of(FORMATS), alternatives={"type": "integer", "minimum": 0},
    api_key=speaking.KEY,
))  # fmt: skip
@_speaks
async def translate(request: Request, values: Values) -> Any:
    """By JSON, a form or the query; `q` may be a list in JSON. `source` may be `auto`."""
    client = await _client(request, values, "translate")
    services = services_of(request)
    texts, many = _texts(values)
    source, target = _language(values, "source", "auto"), _language(values, "target")
    asked = string_of(values, "format") or "text"
    format_ = FORMATS.get(asked)
    if format_ is None:
        raise DialectError(400, f"{asked[:20]} format is not supported")
    most, longest = services.settings.max_alternatives, max(map(len, texts))
    alternatives = _alternatives(values, most)
    if longest > services.settings.max_chars:
        limit = services.settings.max_chars
        raise DialectError(400, f"Invalid request: request ({longest}) exceeds text limit ({limit})")
    wanted = TranslationRequest(
        texts, source, target, alternatives=alternatives if format_ == "text" else 0, field="q", many=many,
        format=format_,
    )  # fmt: skip
    if source == target:
        return _answer(speaking.copied(request, wanted), [[] for _ in texts], alternatives, None, many)
    found = await speaking.translated(request, client, wanted)
    others = [[text for text, _ in one.alternatives(wanted.alternatives)] for one in found]
    detected = [_detected(one) for one in found] if source == "auto" else None
    return _answer([one.text for one in found], others, alternatives, detected, many)


def _answer(
    texts: Sequence[str], others: Sequence[list[str]], alternatives: int, detected: Sequence[Any] | None, many: bool
) -> dict[str, Any]:
    answer: dict[str, Any] = {"translatedText": list(texts) if many else texts[0]}
    if detected is not None:
        answer["detectedLanguage"] = list(detected) if many else detected[0]
    if alternatives:
        answer["alternatives"] = list(others) if many else others[0]
    return answer


def _detected(one: TranslatedText) -> dict[str, Any]:
    return _guess(one.detection or Detection(one.source, 1.0))


def _guess(found: Detection) -> dict[str, Any]:
    """Confidence is from 0 to 100, and a decimal number: clients broke where it was not."""
    return {
        "confidence": round(100.0 * found.confidence, 1),
        "language": found.nearest or next(iter(NAMES)),
    }


@router.post(
    "/detect",
    summary="Guess the language, as LibreTranslate does",
    openapi_extra=speaking.takes("q", q=SOME_TEXT, api_key=speaking.KEY),
)
@_speaks
async def detect(request: Request, values: Values) -> Any:
    """What is neither Italian nor English has a confidence of 0."""
    client = await _client(request, values, "translate")
    (found,) = await services_of(request).translation.detect([_text(values, "q")], client, "q", many=False)
    return [_guess(found)]


@router.get("/languages", summary="What can be translated, as LibreTranslate says it")
@_speaks
async def languages(request: Request, _values: Values) -> Any:
    """Each language with those into which it is translated, itself among them."""
    served = await speaking.pairs(request)
    spoken = sorted({code for pair in served for code in pair})
    return [
        {
            "code": code,
            "name": NAMES[code],
            "targets": sorted({code, *(target for source, target in served if source == code)}),
        }
        for code in spoken
    ]


@router.post("/suggest", summary="Suggest a better translation, as LibreTranslate does",
             openapi_extra=speaking.takes(
                 "q", "s", "source", "target", q=SOME_TEXT, s=SOME_TEXT, source=one_of(NAMES, optional=False),
                 target=one_of(NAMES, optional=False), api_key=speaking.KEY))  # fmt: skip
@_speaks
async def suggest(request: Request, values: Values) -> Any:
    """`s` is what the translation of `q` should be. It becomes a correction of what the model makes of `q` now, and
    waits for a reviewer. Without a key it must come as JSON, which no other site's form can send."""
    client = await _client(request, values, "correct")
    if "translate" not in client.scopes:  # which this does, too
        raise Forbidden("This key has not the scope 'translate'.") if client.has_key else DialectError(400, ASK)
    if not client.has_key and not await request.body():
        raise DialectError(400, "Without a key the fields must come in a body")  # other sites can make browsers ask
    text, suggested = (_text(values, name).replace("\r\n", "\n") for name in ("q", "s"))
    source, target = _language(values, "source"), _language(values, "target")
    wanted = TranslationRequest([text], source, target, field="q", many=False, memory=False)
    (made,) = await speaking.translated(request, client, wanted)
    draft = Draft(source, target, text, made.text, suggested, made.version)
    await services_of(request).corrections.submit(draft, client, None)
    return {"success": True}


@router.get("/frontend/settings", summary="What LibreTranslate's page asks for")
@_speaks
async def frontend_settings(request: Request, _values: Values) -> Any:
    """Limits, and what is offered."""
    settings = services_of(request).settings
    return {
        "charLimit": settings.max_chars,
        "frontendTimeout": TIMEOUT_MS,
        "apiKeys": True,
        "keyRequired": "translate" not in settings.open_to_all,
        "suggestions": True,
        "filesTranslation": False,
        "supportedFilesFormat": [],
        "language": {
            "source": {"code": "auto", "name": "Auto Detect"},
            "target": {"code": "en", "name": NAMES["en"]},
        },
    }


@router.get("/health", summary="Whether it is there, as LibreTranslate says it")
@_speaks
async def health(request: Request, _values: Values) -> Any:
    """Whether translations can be had now."""
    await speaking.pairs(request)
    return {"status": "ok"}


@router.get("/spec", include_in_schema=False)
async def spec(request: Request) -> Response:
    """The description of the whole API."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/openapi.json")

"""The API of Google Cloud Translation (v2, "Basic"), for its official clients: translation, detection, languages.

What differs: only `it` and `en` are there; `model` is given back and changes nothing; in HTML only what must be escaped
is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.access.client import Client
from app.errors import AppError, LimitReached, NotAuthorised, QuotaExceeded, TooManyRequests
from app.http.deps import services_of
from app.http.dialects import speaking
from app.http.dialects.speaking import DialectError, one_of, said
from app.http.dialects.values import Values, string_of, strings_of
from app.http.problems import headers_of
from app.translating.limits import TranslationRequest
from model.markup.formats import Format

NAMES: Mapping[str, Mapping[str, str]] = {
    "en": {"en": "English", "it": "Italian"}, "it": {"en": "Inglese", "it": "Italiano"},
}  # fmt: skip
"""By the language in which they are told."""
FORMATS: Mapping[str, Format] = {"html": "html", "text": "text"}
MODELS = ("nmt", "base")
INVALID_KEY = "API key not valid. Please pass a valid API key."
UNDETERMINED = "und"
REASONS = {400: "invalid", 403: "forbidden", 429: "userRateLimitExceeded", 500: "backendError", 503: "backendError"}
TEXTS = speaking.texts()
FIELDS: Mapping[str, Mapping[str, Any]] = {
    "q": TEXTS,
    "target": one_of(NAMES, optional=False),
    "source": one_of(NAMES),
    "format": one_of(FORMATS),
    "model": {"type": "string"},
}
"""Of a translation; but for the first two all may be absent. A key goes to any route."""
ERROR = speaking.object_of(
    "code", "message", "errors", code={"type": "integer"}, message={"type": "string"}, errors={"type": "array"}
)
ERRORS = speaking.errors_of(
    speaking.object_of("error", error=ERROR),
    {400: "A field, or the key, is wrong", 403: "A key that may do that is needed"},
)

router = APIRouter(prefix="/language/translate/v2", tags=["Google"], responses=ERRORS)


def tell(error: AppError) -> Response:
    """`error` as Google's clients read it."""
    status, told = speaking.worded(error)
    reason = REASONS.get(status, "backendError")
    if isinstance(error, LimitReached | QuotaExceeded):
        status, reason = 403, "dailyLimitExceeded"
    elif isinstance(error, TooManyRequests):
        status, reason = 403, "userRateLimitExceeded"
    one = {"message": told, "domain": "global", "reason": reason}
    return said(status, {"error": {"code": status, "message": told, "errors": [one]}}, headers_of(error))


_speaks = speaking.speaks(tell)


async def _admitted(request: Request, values: Values) -> Client:
    """Who asks, and may translate. A key is sent as the field `key`, as `X-Goog-Api-Key`, or as everywhere."""
    given = values.get("key")
    key = request.headers.get("x-goog-api-key") or None if given in (None, "") else given
    if key is not None and not isinstance(key, str):
        raise DialectError(400, INVALID_KEY)
    try:
        return await services_of(request).access.require(request, "translate", key)
    except NotAuthorised:  # by no 401: the official client would try to get another token, and never tell why
        if key is not None or "authorization" in request.headers:
            raise DialectError(400, INVALID_KEY) from None
        raise DialectError(403, "Callers without a key are not served.") from None


def _texts(values: Values) -> list[str]:
    texts = strings_of(values, "q")
    if not texts:
        raise DialectError(400, "Required Text")
    return texts


def _code(values: Values, name: str) -> str | None:
    """A language, without its region."""
    found = values.get(name)
    if found is None or found == "":
        return None
    code = found.partition("-")[0].lower() if isinstance(found, str) else ""
    if code not in NAMES:
        raise DialectError(400, "Invalid Value")
    return code


@router.get("", summary="Translate, as Google does", openapi_extra=speaking.asks("q", "target", **FIELDS))
@router.post("", summary="Translate, as Google does", openapi_extra=speaking.takes("q", "target", **FIELDS))
@_speaks
async def translate(request: Request, values: Values) -> Any:
    """By JSON, a form or the query. Without `source` the language is guessed; `format` is `html` unless it is said."""
    client = await _admitted(request, values)
    texts, source, target = _texts(values), _code(values, "source"), _code(values, "target")
    if target is None:
        raise DialectError(400, "Missing parameter: target")
    format_ = FORMATS.get(string_of(values, "format") or "html")
    if format_ is None:
        raise DialectError(400, "Invalid Value")
    asked = string_of(values, "model")
    model = {"model": asked} if asked in MODELS else {}
    wanted = TranslationRequest(texts, source or "auto", target, field="q", format=format_)
    if source == target:
        return {
            "data": {"translations": [{"translatedText": text, **model} for text in speaking.copied(request, wanted)]}
        }
    answers = []
    for one in await speaking.translated(request, client, wanted):
        answer = {"translatedText": one.text, **model}
        if source is None and one.detection is not None:
            answer["detectedSourceLanguage"] = one.detection.nearest or UNDETERMINED
        answers.append(answer)
    return {"data": {"translations": answers}}


@router.get("/detect", summary="Guess the language, as Google does", openapi_extra=speaking.asks("q", q=TEXTS))
@router.post("/detect", summary="Guess the language, as Google does", openapi_extra=speaking.takes("q", q=TEXTS))
@_speaks
async def detect(request: Request, values: Values) -> Any:
    """One guess for each text."""
    client = await _admitted(request, values)
    found = await services_of(request).translation.detect(_texts(values), client, "q", many=True)
    guesses = [
        {
            "language": one.nearest or UNDETERMINED,
            "confidence": round(one.confidence, 4),
            "isReliable": False,
        }
        for one in found
    ]
    return {"data": {"detections": [[guess] for guess in guesses]}}


@router.get("/languages", summary="What can be translated, as Google says it")
@router.post("/languages", summary="What can be translated, as Google says it")
@_speaks
async def languages(request: Request, values: Values) -> Any:
    """With their names in the language `target`, if that is given."""
    await _admitted(request, values)
    target = _code(values, "target")
    spoken = sorted({code for pair in await speaking.pairs(request) for code in pair})
    named = NAMES[target] if target else {}
    return {"data": {"languages": [{"language": code} | ({"name": named[code]} if named else {}) for code in spoken]}}

"""The API of DeepL (v2), for its official clients and those of others: translation and languages.

What differs: `split_sentences=0` splits all the same, for the network reads a sentence at a time, and only keeps lines
from ending one; `formality`, `context` and `model_type` are read and change nothing; glossaries and documents are not
there. All text is billed, and nothing is charged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.access.client import ANONYMOUS, Client
from app.errors import AppError, NotAuthorised, QuotaExceeded
from app.http.deps import services_of
from app.http.dialects import speaking
from app.http.dialects.speaking import DialectError, one_of, said
from app.http.dialects.values import Values, strings_of
from app.http.problems import headers_of
from app.translating.limits import TranslationRequest
from app.translating.result import TranslatedText
from model.markup.formats import Format
from model.text.lines import Split

SOURCES = {"EN": "English", "IT": "Italian"}
TARGETS = {"EN-GB": "English (British)", "EN-US": "English (American)", "IT": "Italian"}
"""English is one language here, whichever is asked for."""
SPLIT: Mapping[str, Split] = {"1": "lines", "nonewlines": "none", "0": "none"}
FORMATS: Mapping[str, Format] = {"html": "html", "xml": "xml"}
NOT_HERE = ("glossary_id", "glossary_ids", "style_id", "translation_memory_id", "custom_instructions")
"""Fields with which the answer would be another."""
SCHEME = "deepl-auth-key"
QUOTA_EXCEEDED = 456
TAG = {"type": "string"}
NO_LIMIT = 10**12
"""What DeepL says of a key that has none."""
ERRORS = speaking.errors_of(
    speaking.object_of("message", message={"type": "string"}),
    {400: "A field is missing or wrong", 403: "A right key is needed", QUOTA_EXCEEDED: "The quota is used up"},
)

router = APIRouter(prefix="/v2", tags=["DeepL"], responses=ERRORS)


def tell(error: AppError) -> Response:
    """`error` by the status that DeepL's clients know, and as they read it."""
    status, told = speaking.worded(error)
    if isinstance(error, NotAuthorised):
        status, told = 403, "Authorization failed: send a key of this server as `DeepL-Auth-Key KEY`."
    elif isinstance(error, QuotaExceeded):
        status, told = QUOTA_EXCEEDED, f"Quota Exceeded. {told}"
    return said(status, {"message": told}, headers_of(error))


_speaks = speaking.speaks(tell)


async def _admitted(request: Request, values: Values) -> Client:
    """Who asks, and may translate. A key is sent as `DeepL-Auth-Key KEY`, as `auth_key`, or as everywhere."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    given = key.strip() if scheme.lower() == SCHEME else values.get("auth_key")
    if given is not None and not isinstance(given, str):
        raise DialectError(403, "auth_key must be a string")
    return await services_of(request).access.require(request, "translate", given or None)


def _code(values: Values, name: str, codes: Sequence[str]) -> str | None:
    found = values.get(name)
    if found is None or found == "":
        return None
    if not isinstance(found, str) or found.upper() not in codes:
        raise DialectError(400, f"Value for '{name}' not supported.")
    return found.partition("-")[0].lower()


def _format(values: Values) -> Format:
    found = values.get("tag_handling")
    if found in (None, "", "0"):
        return "text"
    if not isinstance(found, str) or found not in FORMATS:
        raise DialectError(400, "Value for 'tag_handling' not supported.")
    return FORMATS[found]


def _split(values: Values, format_: Format) -> Split:
    found = values.get("split_sentences")
    name = str(int(found)) if isinstance(found, bool) else "1" if found in (None, "") else str(found)
    if name not in SPLIT:
        raise DialectError(400, "Value for 'split_sentences' not supported.")
    return SPLIT[name] if format_ == "text" else "auto"


def _request(values: Values) -> TranslationRequest:
    """What is asked for.

    Raises:
        DialectError, InvalidRequest: names the field that is wrong.
    """
    if unfit := [name for name in NOT_HERE if values.get(name)]:
        raise DialectError(400, f"'{unfit[0]}' is not supported.")
    texts = strings_of(values, "text")
    target = _code(values, "target_lang", (*TARGETS, "EN"))
    if not texts or target is None:
        raise DialectError(400, f"Parameter '{'text' if not texts else 'target_lang'}' not specified.")
    format_ = _format(values)
    tags = [tag for one in strings_of(values, "ignore_tags") for tag in one.split(",") if tag]  # as forms have them
    return TranslationRequest(
        texts, _code(values, "source_lang", tuple(SOURCES)) or "auto", target, split=_split(values, format_),
        format=format_, ignored_tags=tags if format_ != "text" else (),
    )  # fmt: skip


@router.post("/translate", summary="Translate, as DeepL does", openapi_extra=speaking.takes(
    "text", "target_lang", text=speaking.texts(), target_lang=one_of([*TARGETS, "EN"], optional=False),
    source_lang=one_of(SOURCES), tag_handling=one_of(FORMATS), ignore_tags=speaking.texts(TAG, TAG, least=0),
    split_sentences={"enum": [*SPLIT, "", True, False, 0, 1]},
    in_forms={"split_sentences": one_of(SPLIT)}, show_billed_characters={}, auth_key=speaking.KEY,
))  # fmt: skip
@_speaks
async def translate(request: Request, values: Values) -> Any:
    """By JSON, a form or the query. Without `source_lang` each sentence's language is guessed."""
    client = await _admitted(request, values)
    wanted = _request(values)
    if wanted.source == wanted.target:
        return {"translations": [_one(text, text, wanted.source) for text in speaking.copied(request, wanted)]}
    found = await speaking.translated(request, client, wanted)
    return {
        "translations": [
            _one(text, one.text, _detected(one, wanted)) for text, one in zip(wanted.texts, found, strict=True)
        ]
    }


def _one(text: str, made: str, language: str) -> dict[str, Any]:
    """`billed_characters` is there whether or not it was asked for: the official client fails where it is not."""
    return {"detected_source_language": language.upper(), "text": made, "billed_characters": len(text)}


def _detected(one: TranslatedText, wanted: TranslationRequest) -> str:
    if one.detection is None:
        return one.source or wanted.target
    return one.detection.nearest or one.source or wanted.target


@router.get("/usage", summary="What a key has used, as DeepL says it")
@_speaks
async def usage(request: Request, values: Values) -> Any:
    """Characters of this month (UTC). Who has no key and does not run the server is not counted apart from others."""
    client = await _admitted(request, values)
    if client.kind == ANONYMOUS:
        raise NotAuthorised
    services = services_of(request)
    services.access.refuse_forged(request, client)
    statement = await services.usage.statement(client)
    return {
        "character_count": statement.used.characters,
        "character_limit": statement.quota or NO_LIMIT,
        "start_time": f"{statement.starts}T00:00:00Z",
        "end_time": f"{statement.ends}T00:00:00Z",
    }


@router.get("/languages", summary="What can be translated, as DeepL says it")
@_speaks
async def languages(request: Request, values: Values) -> Any:
    """With `type=target` what can be translated into."""
    await _admitted(request, values)
    kind = values.get("type") or "source"
    if kind not in ("source", "target"):
        raise DialectError(400, "Value for 'type' not supported.")
    spoken = {pair[kind == "target"].upper() for pair in await speaking.pairs(request)}
    return [
        {"language": code, "name": name} | ({"supports_formality": False} if kind == "target" else {})
        for code, name in (SOURCES if kind == "source" else TARGETS).items()
        if code.partition("-")[0] in spoken
    ]

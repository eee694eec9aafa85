"""`POST /v1/translate`."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic_core import to_json
from starlette.responses import Response

from app.access.client import ANONYMOUS, Client
from app.http.deps import client_with, services_of
from app.http.disconnect import ClientGone
from app.http.json_body import read_json
from app.http.problems import CLIENT_CLOSED_REQUEST, responses
from app.http.schemas.translation import TranslateAnswer, TranslateBody
from app.storage.consent_log import Consented
from app.translating.limits import TranslationRequest
from app.translating.result import TranslatedSentence, TranslatedText

SCORE_DIGITS = 4


router = APIRouter(prefix="/v1", tags=["translation"])


@router.post(
    "/translate",
    summary="Translate one text or several",
    response_model=TranslateAnswer,
    response_model_exclude_unset=True,
    responses=responses(400, 401, 403, 408, 413, 415, 422, 429, 500, 503),
)
async def translate(
    body: TranslateBody, request: Request, client: Annotated[Client, Depends(client_with("translate"))]
) -> Response:
    """Translate between Italian and English.

    Each text is split into sentences, and the white space between them is kept. Sentences of all clients are
    translated together. When the server has too much to do it answers 429 with `Retry-After`.
    """
    services = services_of(request)
    texts = [body.text] if isinstance(body.text, str) else body.text
    many = not isinstance(body.text, str)
    wanted = TranslationRequest(
        texts,
        body.source,
        body.target,
        body.beam,
        body.alternatives,
        many=many,
        memory=body.memory,
        split=body.split,
        format=body.format,
        ignored_tags=body.ignore_tags,
        prefix=body.prefix,
    )
    try:
        translated = await services.disconnects.guard(request.receive, services.translation.translate(wanted, client))
    except ClientGone:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    answers = [described(text, body) for text in translated]
    if body.log_consent:
        rows = [
            Consented(one.source, one.target, text, one.text, one.version)
            for text, one in zip(texts, translated, strict=True)
            if one.source is not None
        ]
        logged = await services.consent_log.store(rows, keyless=client.kind == ANONYMOUS)
        for one, answer in zip(translated, answers, strict=True):
            answer["logged"] = logged and one.source is not None
    return Response(to_json({"translations": answers}), media_type="application/json")


async def _translate_raw(request: Request) -> Response:
    client = await services_of(request).access.require(request, "translate")
    return await translate(await read_json(request, TranslateBody), request, client)


EXPRESS: Mapping[str, Callable[[Request], Awaitable[Response]]] = {"/v1/translate": _translate_raw}
"""Answered by `app.http.middleware.Edge`, past FastAPI's routing."""


def described(text: TranslatedText, body: TranslateBody) -> dict[str, Any]:
    """A `TranslationOut`, as a plain dictionary: it is made thousands of times a second."""
    answer: dict[str, Any] = {
        "text": text.text,
        "source": text.source,
        "target": text.target,
        "model_version": text.version,
        "from_memory": text.from_memory,
        "score": _rounded(text.score),
        "truncated": text.truncated,
    }
    if correction_ids := text.correction_ids:
        answer["correction_ids"] = correction_ids
    if text.detection is not None:
        confidence = round(text.detection.confidence, SCORE_DIGITS)
        answer["detected"] = {"language": text.detection.language, "confidence": confidence}
        if text.detection.looks_like is not None:
            answer["detected"]["looks_like"] = text.detection.looks_like
    if body.alternatives:
        answer["alternatives"] = [
            {"text": other, "score": _rounded(score)} for other, score in text.alternatives(body.alternatives)
        ]
    if body.details:
        spans = text.plan.spans
        sentences = [
            _sentence(part, spans[number], partial(text.plan.encoded, number))
            for number, part in enumerate(text.sentences)
            if part.source_text
        ]
        answer["details"] = {"sentences": sentences}
    return answer


def _sentence(part: TranslatedSentence, span: tuple[int, int], encoded: Callable[[str], str]) -> dict[str, Any]:
    """A `SentenceOut`."""
    source_text = encoded(part.source_text)
    answer: dict[str, Any] = {
        "source_text": source_text,
        "span": list(span),
        "text": source_text,
        "score": None,
        "from_memory": False,
        "correction_id": None,
        "truncated": False,
        "words": [],
        "alignment": [],
        "warnings": [],
    }
    if part.hit is not None:
        return answer | {"text": encoded(part.ranked(0)), "from_memory": True, "correction_id": part.hit.correction_id}
    if part.outcome is None:
        return answer
    translation = part.outcome.translation
    words = [
        {
            "text": encoded(word.text),
            "confidence": round(word.confidence, SCORE_DIGITS),
            "source_words": list(word.source_words),
        }
        for word in translation.words
    ]
    return answer | {
        "text": encoded(translation.text),
        "score": _rounded(translation.score),
        "truncated": translation.truncated,
        "words": words,
        "alignment": [list(link) for link in translation.alignment],
        "warnings": list(translation.warnings),
    }


def _rounded(score: float | None) -> float | None:
    return None if score is None or not math.isfinite(score) else round(score, SCORE_DIGITS)

"""`/v1/corrections`: sending them in, and reviewing them."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel

from app.access.access import SESSION_HEADER
from app.access.client import Client
from app.corrections.admission import HEADER as IDEMPOTENCY_HEADER
from app.corrections.review import is_author
from app.corrections.search import Search
from app.corrections.states import Found
from app.corrections.values import REVIEW_SCOPES, Draft, Outcome, checked_reason, not_found
from app.errors import FieldError, InvalidRequest
from app.http.deps import BearerDep, ServicesDep, client_with
from app.http.json_body import read_json
from app.http.problems import responses
from app.http.schemas.corrections import (
    BulkBody,
    BulkOut,
    CorrectionOut,
    EditBody,
    OutcomeOut,
    PageOut,
    PairStatisticsOut,
    RejectBody,
    SearchQuery,
    StatisticsOut,
    SubmitBody,
    SubmittedOut,
)

router = APIRouter(prefix="/v1/corrections", tags=["corrections"])

REPLAYED_HEADER = "Idempotent-Replayed"
REPLAYED: dict[int | str, dict[str, Any]] = {
    200: {"model": SubmittedOut, "description": "It was sent before, with the same key"}
}
READING = (401, 403, 404, 422, 503)
CHANGING = (400, 401, 403, 404, 408, 413, 415, 422, 503)


async def _author_or_reviewer(
    request: Request,
    services: ServicesDep,
    _described: BearerDep,
    _session: Annotated[str | None, Header(alias=SESSION_HEADER, description="The `session` of the answer.")] = None,
) -> Client:
    """The client, who may send corrections or review them."""
    return await services.access.require(request, "correct", or_else="review")


_author_or_reviewer.scope = "correct"  # type: ignore[attr-defined]  # as `client_with` notes it
AuthorOrReviewer = Annotated[Client, Depends(_author_or_reviewer)]
Reviewer = Annotated[Client, Depends(client_with("review"))]


def _reads(model: type[BaseModel]) -> dict[str, Any]:
    """Describes a body that `read_json` reads: more strictly than FastAPI does."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}}


@router.post(
    "",
    status_code=201,
    summary="Correct a translation",
    response_model=SubmittedOut,
    response_model_exclude_unset=True,
    responses=responses(400, 401, 403, 408, 413, 415, 422, 429, 503) | REPLAYED,
    openapi_extra=_reads(SubmitBody),
)
async def submit(
    request: Request,
    response: Response,
    services: ServicesDep,
    client: Annotated[Client, Depends(client_with("correct"))],
    idempotency_key: Annotated[
        str | None,
        Header(alias=IDEMPOTENCY_HEADER, description="A random string; sending the same again stores nothing twice."),
    ] = None,
    _session: Annotated[
        str | None, Header(alias=SESSION_HEADER, description="Shows without a key who sent it: 16 to 128 characters.")
    ] = None,
) -> dict[str, Any]:
    """Store a correction for review. It answers from memory as soon as a reviewer approves it.

    It is refused if it cannot be one: a copy of either text, another language, a lost placeholder. What is only odd is
    noted for the reviewer.
    """
    body = await read_json(request, SubmitBody)
    submission = await services.corrections.submit(Draft(**body.model_dump()), client, idempotency_key)
    if not submission.created:
        response.status_code = 200
        response.headers[REPLAYED_HEADER] = "true"
    answer = _shown(submission.found, client, own=True)
    return answer if submission.session is None else answer | {"session": submission.session}


@router.get("", summary="Search corrections", responses=responses(401, 403, 422, 503))
async def search(services: ServicesDep, _client: Reviewer, query: Annotated[SearchQuery, Query()]) -> PageOut:
    """Page by page. New corrections do not disturb paging: follow `next_cursor` until it is null."""
    page = await services.corrections.search(Search(**query.model_dump()))
    items = zip(page.items, page.rivals, strict=True)
    shown = [CorrectionOut(**_shown(found, _client), rivals=rivals) for found, rivals in items]
    return PageOut(corrections=shown, total=page.total, next_cursor=page.next_cursor)


@router.get("/statistics", summary="Numbers about corrections", responses=responses(401, 403, 503))
async def statistics(services: ServicesDep, _client: Reviewer) -> StatisticsOut:
    """By pair: how many there are of each status, how long they wait, and how many memory and models have learned."""
    found = await services.corrections.statistics()
    return StatisticsOut(pairs={pair: PairStatisticsOut.model_validate(numbers) for pair, numbers in found.items()})


@router.post(
    "/bulk",
    summary="Approve, reject or reopen many",
    responses=responses(400, 401, 403, 408, 413, 415, 422, 503),
    openapi_extra=_reads(BulkBody),
)
async def bulk(request: Request, services: ServicesDep, client: Reviewer) -> BulkOut:
    """Up to 1,000 at once, in one transaction. Each id has its own outcome; what cannot be decided is left as it is.

    Of two corrections of one sentence the one that was sent later wins. `reopen` with the same ids takes it all back.
    """
    body = await read_json(request, BulkBody)
    if body.action == "reject" and body.reason is None:
        raise InvalidRequest([FieldError("reason", "is required for reject")])
    reason = checked_reason(body.reason) if body.reason is not None else ""
    ids = [_parsed(one) for one in body.ids]
    known = [one for one in ids if one is not None]
    outcomes = await services.corrections.decide(known, client, body.action, reason)
    by_id = {outcome.id: outcome for outcome in outcomes}
    shown = (_outcome(text, None if one is None else by_id[one]) for text, one in zip(body.ids, ids, strict=True))
    return BulkOut(outcomes=list(shown))


@router.get(
    "/{correction_id}",
    summary="What became of a correction",
    response_model=CorrectionOut,
    response_model_exclude_unset=True,
    responses=responses(*READING),
)
async def get(correction_id: str, services: ServicesDep, client: AuthorOrReviewer) -> dict[str, Any]:
    """Whoever knows the id may read its state; the texts are shown to who sent it and to reviewers."""
    return _shown(await services.corrections.get(_id(correction_id)), client)


@router.delete("/{correction_id}", status_code=204, summary="Delete a correction", responses=responses(*READING))
async def delete(correction_id: str, services: ServicesDep, client: AuthorOrReviewer) -> None:
    """For who sent it (with the same key, or the same `X-Traghetto-Session`) and for reviewers.

    It is taken out of the database, of memory and of the reports of retraining. A model that was trained on it stays.
    """
    await services.corrections.delete(_id(correction_id), client)


@router.post(
    "/{correction_id}/approve",
    summary="Approve a correction",
    response_model=CorrectionOut,
    response_model_exclude_unset=True,
    responses=responses(*READING),
)
async def approve(correction_id: str, services: ServicesDep, client: Reviewer) -> dict[str, Any]:
    """From now on it answers, and the other corrections of its sentence do not.

    Where two people must approve, the first approval leaves it pending; `confirmations` counts them.
    """
    return _shown(await services.corrections.approve(_id(correction_id), client), client)


@router.post(
    "/{correction_id}/reject",
    summary="Reject a correction",
    response_model=CorrectionOut,
    response_model_exclude_unset=True,
    responses=responses(*CHANGING),
    openapi_extra=_reads(RejectBody),
)
async def reject(correction_id: str, request: Request, services: ServicesDep, client: Reviewer) -> dict[str, Any]:
    """It does not answer, or no longer. Its author reads the reason."""
    body = await read_json(request, RejectBody)
    return _shown(await services.corrections.reject(_id(correction_id), client, body.reason), client)


@router.post(
    "/{correction_id}/reopen",
    summary="Take a decision back",
    response_model=CorrectionOut,
    response_model_exclude_unset=True,
    responses=responses(*READING),
)
async def reopen(correction_id: str, services: ServicesDep, client: Reviewer) -> dict[str, Any]:
    """It waits for a reviewer again, whatever it was; memory forgets it, and nobody has confirmed it.

    What its approval had superseded comes back: the one that was approved before answers again (where two people must
    approve, if two had), those that waited wait again. If another one is approved meanwhile, that goes on answering.
    """
    return _shown(await services.corrections.reopen(_id(correction_id), client), client)


@router.patch(
    "/{correction_id}",
    summary="Edit a correction",
    response_model=CorrectionOut,
    response_model_exclude_unset=True,
    responses=responses(*CHANGING, 409),
    openapi_extra=_reads(EditBody),
)
async def edit(correction_id: str, request: Request, services: ServicesDep, client: Reviewer) -> dict[str, Any]:
    """Give a pending or approved correction another text. It is checked again, and keeps its status.

    Where two people must approve, an approved one waits for the second again, and does not answer meanwhile.
    """
    body = await read_json(request, EditBody)
    return _shown(await services.corrections.edit(_id(correction_id), body.corrected_translation, client), client)


def _parsed(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _id(text: str) -> uuid.UUID:
    parsed = _parsed(text)
    if parsed is None:
        raise not_found(text)
    return parsed


def _shown(found: Found, client: Client, *, own: bool = False) -> dict[str, Any]:
    """A `CorrectionOut` with what `client` may see. `own`: it is the client's, who cannot show it yet."""
    row = found.correction
    source, target = row.pair.split("-")
    names = ["id", "status", "reason", "created_at", "changed_at"]
    reviews = bool(client.scopes & REVIEW_SCOPES)
    if own or reviews or is_author(row, client):
        names += ["source_text", "machine_translation", "corrected_translation", "model_version"]
    if reviews:
        names += ["marks", "confirmed_by", "reviewer", "reviewed_at"]
    answer = {name: getattr(row, name) for name in names} | {"source": source, "target": target}
    answer |= {"state": found.state, "trained_in": list(found.trained_in), "confirmations": len(row.confirmed_by)}
    return answer | ({"author_key": row.author_key_id} if reviews else {})


def _outcome(text: str, outcome: Outcome | None) -> OutcomeOut:
    """`text` is the id as it was sent; without an outcome it is none."""
    if outcome is None:
        return OutcomeOut(id=text, status=None, confirmations=0, problem="This is not an id.")
    confirmations, problem = outcome.confirmations, outcome.problem
    return OutcomeOut.model_validate(
        {"id": text, "status": outcome.status, "confirmations": confirmations, "problem": problem}
    )

"""The model versions that this server has, and which of them is current."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from pydantic_core import to_json
from starlette.responses import Response

from app.http.deps import Services, ServicesDep, client_with
from app.http.disconnect import ClientGone
from app.http.problems import CLIENT_CLOSED_REQUEST, responses
from app.http.routes.translate import described
from app.http.schemas.models import ModelDetailOut, ModelMoveOut, ModelOut, ModelsOut, TryBody, TryOut
from app.http.schemas.translation import TranslateBody
from app.versions.catalogue import Entry
from app.versions.promotion import Followed

router = APIRouter(prefix="/v1", tags=["administration"])
REVIEW = [Depends(client_with("review"))]
ADMIN = [Depends(client_with("admin"))]
MOVES = responses(401, 403, 404, 409)


@router.get("/models", summary="List the model versions", responses=responses(401, 403), dependencies=REVIEW)
async def models(services: ServicesDep) -> ModelsOut:
    """Every version on disk with its scores, which of them is current, which translates now, and which one a rollback
    would go back to. Needs a key that may review or administer."""
    found = await services.catalogue.listing()
    told = [ModelOut.of(entry, **_standing(services, entry)) for entry in found.entries]
    return ModelsOut(models=told, rollback=found.rollback)


@router.get(
    "/models/{pair}/{version}", summary="One model version", responses=responses(401, 403, 404), dependencies=REVIEW
)
async def model(services: ServicesDep, pair: str, version: str) -> ModelDetailOut:
    """All that is known of a version: where it comes from, what it was trained on, how it learnt, and what it can and
    cannot do. What its card does not say is null or empty. Needs a key that may review or administer."""
    entry = await services.catalogue.entry(pair, version)
    run_id = await services.catalogue.run_of(pair, version)
    return ModelDetailOut.in_full(entry, **_standing(services, entry), run_id=run_id)


def _standing(services: Services, entry: Entry) -> dict[str, Any]:
    """What the worker that answers does with a version."""
    info, refusal = entry.info, services.swapper.refused.get(entry.info.pair)
    return {
        "loaded": services.engine.versions.get(info.pair) == info.version,
        "refusal": refusal.reason if refusal is not None and refusal.version == info.version else None,
    }


@router.post(
    "/models/{pair}/{version}/translate",
    summary="Translate with any version",
    response_model=TryOut,
    responses=responses(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503),
    dependencies=REVIEW,
)
async def try_out(request: Request, services: ServicesDep, pair: str, version: str, body: TryBody) -> Response:
    """Translates a text with a version that need not be current, to compare it with another. Memory does not answer.
    The first text for a version waits until it is loaded; the last two stay. Needs a key that may review or administer.
    """
    work = services.tryout.translate(pair, version, body.text)
    try:
        text = await services.disconnects.guard(request.receive, work)
    except ClientGone:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    source, _, target = pair.partition("-")
    wanted = TranslateBody.model_validate({"text": body.text, "source": source, "target": target, "details": True})
    answer = {**described(text, wanted), "model_version": version}
    return Response(to_json({name: answer[name] for name in TryOut.model_fields}), media_type="application/json")


@router.post(
    "/models/{pair}/{version}/promote", summary="Make a version the current one", responses=MOVES, dependencies=ADMIN
)
async def promote(services: ServicesDep, pair: str, version: str) -> ModelMoveOut:
    """The version's hashes are checked and it translates a few sentences; then it takes over between two batches.

    Requests that came before are answered by the version before. Needs a key that may administer.
    """
    return _answer(await services.promoter.promote(pair, version))


@router.post("/models/{pair}/rollback", summary="Go back to the version before", responses=MOVES, dependencies=ADMIN)
async def rollback(services: ServicesDep, pair: str) -> ModelMoveOut:
    """Makes the version that was current before the current one again. Needs a key that may administer."""
    return _answer(await services.promoter.rollback(pair))


def _answer(followed: Followed) -> ModelMoveOut:
    move = followed.move
    return ModelMoveOut(pair=move.pair, version=move.version, previous=move.previous, loaded=followed.loaded)

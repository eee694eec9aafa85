"""The model versions that this server has, and which of them is current."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends

from app.http.deps import Services, ServicesDep, client_with
from app.http.problems import responses
from app.http.schemas.translation import ModelMoveOut, ModelOut, ModelsOut
from app.versions.promotion import Followed
from app.versions.store import current_version, list_models

router = APIRouter(prefix="/v1", tags=["administration"], dependencies=[Depends(client_with("admin"))])
MOVES = responses(401, 403, 404, 409)


@router.get("/models", summary="List the model versions", responses=responses(401, 403))
async def models(services: ServicesDep) -> ModelsOut:
    """Every version on disk, which of them is current, and which translates now. Needs a key that may administer."""
    return ModelsOut(models=await asyncio.to_thread(_list, services))


def _list(services: Services) -> list[ModelOut]:
    loaded, refused = services.engine.versions, services.swapper.refused
    found = list_models(services.settings)
    current = {pair: current_version(services.settings, pair) for pair in {info.pair for info in found}}
    refusals = {(pair, refusal.version): refusal.reason for pair, refusal in refused.items()}
    return [
        ModelOut(
            pair=info.pair,
            version=info.version,
            current=current[info.pair] == info.version,
            loaded=loaded.get(info.pair) == info.version,
            size_bytes=info.size_bytes,
            problem=info.problem or refusals.get((info.pair, info.version)),
        )
        for info in found
    ]


@router.post("/models/{pair}/{version}/promote", summary="Make a version the current one", responses=MOVES)
async def promote(services: ServicesDep, pair: str, version: str) -> ModelMoveOut:
    """The version's hashes are checked and it translates a few sentences; then it takes over between two batches.

    Requests that came before are answered by the version before. Needs a key that may administer.
    """
    return _answer(await services.promoter.promote(pair, version))


@router.post("/models/{pair}/rollback", summary="Go back to the version before", responses=MOVES)
async def rollback(services: ServicesDep, pair: str) -> ModelMoveOut:
    """Makes the version that was current before the current one again. Needs a key that may administer."""
    return _answer(await services.promoter.rollback(pair))


def _answer(followed: Followed) -> ModelMoveOut:
    move = followed.move
    return ModelMoveOut(pair=move.pair, version=move.version, previous=move.previous, loaded=followed.loaded)

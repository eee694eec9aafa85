"""The model versions that this server has."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from app.deps import AdminOnly, ServicesDep
from app.engine.loading import list_models
from app.routes.problems import RESPONSES
from app.schemas import ModelOut, ModelsOut

router = APIRouter(prefix="/v1", tags=["administration"], dependencies=[AdminOnly])


@router.get("/models", summary="List the model versions", responses={s: RESPONSES[s] for s in (401, 403)})
async def models(services: ServicesDep) -> ModelsOut:
    """Every version on disk, and which of them translates now. Needs the administration key."""
    found = await asyncio.to_thread(list_models, services.settings)
    loaded = services.engine.versions
    return ModelsOut(
        models=[
            ModelOut(
                pair=info.pair,
                version=info.version,
                loaded=loaded.get(info.pair) == info.version,
                size_bytes=info.size_bytes,
                problem=info.problem,
            )
            for info in found
        ]
    )

"""Whether the server lives, whether it can translate, and its numbers."""

from __future__ import annotations

import time

from fastapi import APIRouter, Response

from app.errors import AppError, told
from app.http.deps import Services, ServicesDep
from app.http.schemas.translation import LiveOut, ReadyOut
from app.metrics import CONTENT_TYPE
from app.storage.db import DatabaseState
from app.translating.limits import TranslationRequest

router = APIRouter(tags=["health"])

FRESH_S = 5.0
"""A decode that succeeded this lately need not be tried again."""
PROBES = {"it-en": "Ciao.", "en-it": "Hello."}


@router.get("/health/live", summary="Whether the process answers", responses={503: {"model": LiveOut}})
async def live(services: ServicesDep, response: Response) -> LiveOut:
    """200 while the process can do its work at all; 503 asks for a restart."""
    engine = services.engine
    if engine.state == "failed" or (engine.state != "draining" and not engine.alive):
        response.status_code = 503
        return LiveOut(status="failed")
    return LiveOut(status="alive")


@router.get("/health/ready", summary="Whether it can translate", responses={503: {"model": ReadyOut}})
async def ready(services: ServicesDep, response: Response) -> ReadyOut:
    """200 if a sentence was really translated within the last seconds, by a client or by this check.

    A database or a store that is down and a promoted version that was refused are told here, and do not make the
    server unready: it translates without.
    """
    detail = await _try_to_translate(services)
    engine = services.engine
    database: DatabaseState = await services.database.state()
    if detail is not None:
        response.status_code = 503
    behind = services.store_follower.problem if services.store_follower is not None else None
    status = "ready" if detail is None else ("not translating" if engine.state == "ready" else engine.state)
    return ReadyOut(
        status=status, models=engine.versions, database=database, detail=detail or services.swapper.problem or behind,
        background=services.background.problems,
    )  # fmt: skip


async def _try_to_translate(services: Services) -> str | None:
    """What is wrong, or None."""
    engine = services.engine
    if engine.state != "ready":
        return engine.failure or f"The engine is {engine.state}."
    if time.monotonic() - engine.last_success < FRESH_S:
        return None
    pair = next(iter(engine.versions))
    source, target = pair.split("-")
    try:
        probe = TranslationRequest([PROBES[pair]], source, target, memory=False)
        await services.translation.translate(probe, None, FRESH_S)
    except AppError as error:
        return told(error)
    return None


@router.get("/metrics", summary="Numbers for Prometheus", response_class=Response)
async def metrics(services: ServicesDep) -> Response:
    """Batch sizes, waiting and inference times, requests by route and status.

    Each worker has its own; the replicas of a cluster answer for each other.
    """
    own, gather = services.metrics.render(), services.metrics.gather
    return Response(own if gather is None else gather(own), media_type=CONTENT_TYPE)

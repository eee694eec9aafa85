"""What came of retraining: the runs, and the gate's report as JSON and as a page."""

from __future__ import annotations

import uuid
from typing import Any

from fastapi import APIRouter, Depends
from sqlalchemy import select
from starlette.responses import HTMLResponse

from app.errors import NotFound
from app.http.deps import ServicesDep, client_with
from app.http.problems import RESPONSES
from app.http.routes.page import CONTENT_SECURITY_POLICY, templates
from app.http.schemas.retraining import RunOut, RunsOut
from app.storage.db import Database
from app.storage.tables import RetrainingRun

router = APIRouter(prefix="/v1/retraining", tags=["administration"], dependencies=[Depends(client_with("review"))])
ANSWERS: dict[int | str, dict[str, Any]] = {status: RESPONSES[status] for status in (401, 403, 404, 503)}
SHOWN = 100
POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'unsafe-inline'")


@router.get("", summary="List the retrainings", responses=ANSWERS)
async def runs(services: ServicesDep) -> RunsOut:
    """The newest hundred, newest first, without their reports. Needs a key that may review."""
    newest = select(RetrainingRun).order_by(RetrainingRun.started_at.desc()).limit(SHOWN)
    async with services.database.reading() as session:
        found = (await session.scalars(newest)).all()
    return RunsOut(runs=[RunOut.of(run) for run in found])


@router.get("/{id}", summary="One retraining with the gate's report", responses=ANSWERS)
async def one(services: ServicesDep, id: uuid.UUID) -> RunOut:
    """Everything about one run. Needs a key that may review."""
    run = await _find(services.database, id)
    return RunOut.of(run).model_copy(update={"report": run.report})


@router.get("/{id}/report", summary="The gate's report as a page", response_class=HTMLResponse, responses=ANSWERS)
async def report(services: ServicesDep, id: uuid.UUID) -> HTMLResponse:
    """What the candidate gained and lost, with the sentences that changed. Needs a key that may review."""
    run = await _find(services.database, id)
    if run.report is None:
        raise NotFound(f"The run {id} has no report: it is {run.state}. {run.log}".strip())
    html = templates.get_template("report.html").render(run=run, report=run.report)
    return HTMLResponse(html, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-store"})


async def _find(database: Database, id: uuid.UUID) -> RetrainingRun:
    async with database.reading() as session:
        run = await session.get(RetrainingRun, id)
    if run is None:
        raise NotFound(f"There is no retraining {id}.")
    return run

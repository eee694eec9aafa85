"""What came of retraining: the runs, and the gate's report as JSON and as a page."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import select
from starlette.responses import HTMLResponse

from app.errors import Forbidden, NotFound
from app.http.deps import BearerDep, Services, ServicesDep, client_with
from app.http.problems import responses
from app.http.routes.pages import CONTENT_SECURITY_POLICY, templates
from app.http.schemas.retraining import RunOut, RunsOut
from app.storage.db import Database
from app.storage.tables import RetrainingRun

log = logging.getLogger("traghetto.http")

PREFIX = "/v1/retraining"
router = APIRouter(prefix=PREFIX, tags=["administration"])
REVIEW = [Depends(client_with("review"))]
ANSWERS = responses(401, 403, 404, 503)
SHOWN = 100
POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'unsafe-inline'")


def _report_path(id: uuid.UUID) -> str:
    return f"{PREFIX}/{id}/report"


async def may_see_report(
    request: Request,
    services: ServicesDep,
    _described: BearerDep,
    id: uuid.UUID,
    expires: Annotated[int | None, Query(description="Of the `report_url` of the retraining.")] = None,
    signature: Annotated[str | None, Query(max_length=64, description="As `expires`.")] = None,
) -> None:
    """A dependency: the client may review, or was given the link by somebody who may. A link that has expired keeps
    nobody out who may review."""
    if expires is not None and signature is not None:
        try:
            await asyncio.to_thread(services.links.check, _report_path(id), expires, signature)
        except Forbidden:
            if services.access.is_stranger(request):
                raise
        else:
            return
    await services.access.require(request, "review")


@router.get("", summary="List the retrainings", responses=ANSWERS, dependencies=REVIEW)
async def runs(services: ServicesDep) -> RunsOut:
    """The newest hundred, newest first, without their reports. Needs a key that may review."""
    newest = select(RetrainingRun).order_by(RetrainingRun.started_at.desc()).limit(SHOWN)
    async with services.database.reading() as session:
        found = (await session.scalars(newest)).all()
    return RunsOut(runs=[RunOut.of(run) for run in found])


@router.get("/{id}", summary="One retraining with the gate's report", responses=ANSWERS, dependencies=REVIEW)
async def one(request: Request, services: ServicesDep, id: uuid.UUID) -> RunOut:
    """Everything about one run, and a link to its report for a browser. Needs a key that may review."""
    run = await _find(services.database, id)
    link = None if run.report is None else await asyncio.to_thread(_link, services, id)
    url = None if link is None else request.scope.get("root_path", "") + link
    return RunOut.of(run).model_copy(update={"report": run.report, "report_url": url})


def _link(services: Services, id: uuid.UUID) -> str | None:
    """None if the data directory has no usable key: the run is told all the same."""
    try:
        return services.links.sign(_report_path(id))
    except (OSError, ValueError) as error:
        log.error("there is no link to a report: %s", error)
        return None


@router.get(
    "/{id}/report",
    summary="The gate's report as a page",
    response_class=HTMLResponse,
    responses=ANSWERS,
    dependencies=[Depends(may_see_report)],
)
async def report(services: ServicesDep, id: uuid.UUID) -> HTMLResponse:
    """What the candidate gained and lost, with the sentences that changed. Needs a key that may review, or the
    `report_url` of the retraining, which a browser can open for a quarter of an hour."""
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

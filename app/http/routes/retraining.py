"""Retraining: beginning, watching and stopping a run, and what came of it: the gate's report as JSON and as a page."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse
from sqlalchemy import select
from starlette.responses import HTMLResponse, StreamingResponse

from app.errors import Forbidden, NotFound
from app.http.deps import BearerDep, Services, ServicesDep, client_with
from app.http.events import event_stream, going_down
from app.http.problems import responses
from app.http.routes.pages import CONTENT_SECURITY_POLICY, templates
from app.http.schemas.retraining import BegunOut, RunBody, RunOut, RunsOut
from app.storage.db import Database
from app.storage.tables import RetrainingRun

log = logging.getLogger("traghetto.http")

PREFIX = "/v1/retraining"
router = APIRouter(prefix=PREFIX, tags=["administration"])
REVIEW = [Depends(client_with("review"))]
ADMIN = [Depends(client_with("admin"))]
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


may_see_report.scope = "review"  # type: ignore[attr-defined]  # as `client_with` notes it


@router.get("", summary="List the retrainings", responses=ANSWERS, dependencies=REVIEW)
async def runs(services: ServicesDep) -> RunsOut:
    """The newest hundred, newest first, without their reports. Needs a key that may review."""
    newest = select(RetrainingRun).order_by(RetrainingRun.started_at.desc()).limit(SHOWN)
    async with services.database.reading() as session:
        found = (await session.scalars(newest)).all()
    return RunsOut(runs=[RunOut.of(run) for run in found])


@router.post(
    "",
    summary="Retrain a pair",
    status_code=202,
    responses=responses(400, 401, 403, 408, 409, 413, 415, 422, 500, 503),
    dependencies=ADMIN,
)
async def begin(request: Request, services: ServicesDep, body: RunBody) -> BegunOut:
    """Begins a retraining in a process of its own, and answers once it has begun; `GET /v1/retraining/{id}/events`
    tells how it goes on. 409 if there is nothing to learn, or another one runs. Needs a key that may administer."""
    id = await services.retraining.begin(body.pair, dry_run=body.dry_run)
    return BegunOut(id=id, events=f"{request.scope.get('root_path', '')}{PREFIX}/{id}/events")


@router.post(
    "/{id}/stop",
    summary="Stop a retraining",
    status_code=202,
    responses=responses(401, 403, 404, 409, 422, 503),
    dependencies=ADMIN,
)
async def stop(services: ServicesDep, id: uuid.UUID) -> RunOut:
    """Asks a run to end, whoever has begun it, also on another server that shares the database: it does so within
    seconds, and leaves no version. 409 if it has ended. Needs a key that may administer."""
    return RunOut.of(await services.retraining.stop_run(id))


@router.get(
    "/{id}/events",
    summary="Watch a retraining",
    response_class=StreamingResponse,
    responses=responses(401, 403, 404, 422, 429, 503) | {200: {"content": {EventSourceResponse.media_type: {}}}},
    dependencies=REVIEW,
)
async def events(
    request: Request,
    services: ServicesDep,
    id: uuid.UUID,
    last_event_id: Annotated[int, Header(ge=0, le=10**9, description="Only what came after that event.")] = 0,
) -> EventSourceResponse:
    """Server-sent events, from the first on: `begun` (`pair`, `parent`, `candidate`, `corrections`), `stage` (`stage`,
    `done`, `total`, `seconds` since the begin, maybe `number`), and `end` (`state`, `candidate`, `log`), which is the
    last. Of a run on another server there is no `stage`. Comments in between only show that the connection lives. A
    connection ends after an hour at most, and when the server goes down: come again with `Last-Event-ID`. Needs a key
    that may review or administer."""
    await services.follower.check(id)
    return event_stream(services.follower.follow(id, last_event_id, going_down(request, services)))


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
    openapi_extra={"security": [{}]},  # or a signed link
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

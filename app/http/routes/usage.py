"""`/v1/usage`: what clients have had translated."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from app.access.client import ANONYMOUS, Client
from app.access.months import first_of_next_month, month_of
from app.access.statements import stored
from app.errors import NotAuthorised
from app.http.deps import ServicesDep, client_with
from app.http.problems import responses
from app.http.schemas.usage import AllUsageOut, Period, UsageOut

router = APIRouter(prefix="/v1/usage", tags=["usage"])


@router.get("", summary="What this client has had translated this month", responses=responses(401, 403, 429, 503))
async def usage(
    request: Request, services: ServicesDep, client: Annotated[Client, Depends(client_with("translate"))]
) -> UsageOut:
    """Requests and characters since the first of the month (UTC), by day, and what the client may have. Clients without
    a key are counted together, so that there is nothing to tell one of them."""
    if client.kind == ANONYMOUS:
        raise NotAuthorised("Usage is counted by key: send one as `Authorization: Bearer KEY`.")
    services.access.refuse_forged(request, client)
    statement = await services.usage.statement(client)
    return UsageOut.of(client.name, statement, services.rates.of(client))


@router.get(
    "/clients",
    summary="What all clients have had translated in a month",
    responses=responses(401, 403, 422, 429, 503),
    dependencies=[Depends(client_with("admin"))],
)
async def all_usage(
    services: ServicesDep,
    month: Annotated[
        str | None, Query(pattern=r"^2[0-9]{3}-(0[1-9]|1[0-2])$", description="Such as 2026-11; by default this one.")
    ] = None,
) -> AllUsageOut:
    """As stored, which is at most a second behind. Needs a key with the scope `admin`."""
    starts = month_of(month)
    days = await stored(services.database, starts)
    return AllUsageOut.of(Period(start=starts, end=first_of_next_month(starts)), days)

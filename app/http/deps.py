"""What routes are given: the app's parts, and the client who asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.access.access import Access
from app.access.client import Client
from app.access.links import Links
from app.access.rates import Rates
from app.access.usage import Usage
from app.background import Background
from app.corrections.importing import Importer
from app.corrections.service import Corrections
from app.engine.engine import Engine
from app.http.disconnect import DisconnectWatch
from app.memory.sync import MemorySync
from app.metrics import Metrics
from app.retraining.following import Follower
from app.retraining.service import RetrainingService
from app.scopes import Scope
from app.settings import Settings
from app.storage.consent_log import ConsentLog
from app.storage.db import Database
from app.storage.notices import Notices
from app.traces import Traces
from app.translating.service import TranslationService
from app.versions.catalogue import Catalogue
from app.versions.promotion import Promoter
from app.versions.shared_follower import StoreFollower
from app.versions.swapping import Swapper
from app.versions.tryout import Tryout


@dataclass(frozen=True)
class Services:
    """The parts of one app; `create_app` builds them."""

    settings: Settings
    access: Access
    rates: Rates
    usage: Usage
    metrics: Metrics
    traces: Traces
    engine: Engine
    translation: TranslationService
    database: Database
    consent_log: ConsentLog
    corrections: Corrections
    importer: Importer
    disconnects: DisconnectWatch
    memory_sync: MemorySync
    swapper: Swapper
    store_follower: StoreFollower | None
    """None where the settings name no store."""
    notices: Notices
    promoter: Promoter
    catalogue: Catalogue
    tryout: Tryout
    retraining: RetrainingService
    follower: Follower
    background: Background
    links: Links


def services_of(request: Request) -> Services:
    """The parts of the app that `request` came to."""
    return cast(Services, request.app.state.services)


ServicesDep = Annotated[Services, Depends(services_of)]

bearer = HTTPBearer(auto_error=False, description="A key of `traghetto keys create`, or TRAGHETTO_ADMIN_KEY.")
BearerDep = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
"""Only describes the header in OpenAPI; `Access` reads it."""


def client_with(scope: Scope) -> Callable[..., Awaitable[Client]]:
    """A dependency: the client, who has `scope`; what it raises is told by `Access.require`.

    Use it as `client: Annotated[Client, Depends(client_with("correct"))]`.
    """

    async def client(request: Request, services: ServicesDep, _described: BearerDep) -> Client:
        return await services.access.require(request, scope)

    client.scope = scope  # type: ignore[attr-defined]  # read by `app.http.openapi`
    return client

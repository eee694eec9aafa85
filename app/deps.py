"""What routes are given: the app's parts, and the check of the administration key."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.consent_log import ConsentLog
from app.db import Database
from app.disconnect import DisconnectWatch
from app.engine.engine import Engine
from app.errors import AdminClosed, NotAuthorised
from app.metrics import Metrics
from app.settings import Settings
from app.translation import TranslationService


@dataclass(frozen=True)
class Services:
    """The parts of one app; `create_app` builds them."""

    settings: Settings
    metrics: Metrics
    engine: Engine
    translation: TranslationService
    database: Database
    consent_log: ConsentLog
    disconnects: DisconnectWatch


def services_of(request: Request) -> Services:
    """The parts of the app that `request` came to."""
    return cast(Services, request.app.state.services)


ServicesDep = Annotated[Services, Depends(services_of)]

bearer = HTTPBearer(auto_error=False, description="The administration key (TRAGHETTO_ADMIN_KEY).")


def require_admin(
    services: ServicesDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> None:
    """Let only the holder of the administration key pass.

    Raises:
        AdminClosed: the server has no such key.
        NotAuthorised: the request does not carry it.
    """
    key = services.settings.admin_key
    if key is None:
        raise AdminClosed("This server has no administration key; set TRAGHETTO_ADMIN_KEY and start it again.")
    given = credentials.credentials if credentials is not None else ""
    if not secrets.compare_digest(given.encode(), key.get_secret_value().encode()):
        raise NotAuthorised("Send the administration key as: Authorization: Bearer KEY.")


AdminOnly = Depends(require_admin)

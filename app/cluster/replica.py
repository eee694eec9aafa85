"""One replica: the whole application of a server process, with an engine of its own, in an actor of Ray Serve.

Replicas share nothing but what several servers share: the database, Redis, and where the versions lie. Ray starts
them, sends each request to the less busy of two that it draws, and replaces those that die or say that they are ill.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.cluster.gathered_metrics import GatheredMetrics, begin_actor
from app.logs import set_up_logging
from app.main import create_app
from app.metrics import Metrics
from app.serve import SWITCH_INTERVAL_S
from app.settings import PREFIX, Settings, load_settings
from model.kernels.malloc import share_arenas


class Ill(Exception):
    """The engine does not work any more; Ray replaces the replica."""


class Replica:
    """What `ray.serve.deployment` makes replicas of.

    Args:
        environment: the variables of the settings; None: those of the node that the replica runs on.
        cores: threads that translate, unless the settings say how many.
    """

    def __init__(self, environment: Mapping[str, str] | None, cores: int) -> None:
        if environment is not None:
            _replace_settings(environment)
        share_arenas()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        settings = load_settings(
            migrate_on_start=False, workers=1, torch_threads=load_settings().torch_threads or cores
        )
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        set_up_logging(settings.log_level, settings.log_format)
        self._app = create_app(settings, wait_for_models=True)
        self._engine = self._app.state.services.engine

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """What Ray Serve calls for each request. It starts with the models loaded: until then it gets none."""
        metrics: Metrics = self._app.state.services.metrics
        gathered = GatheredMetrics(_own_name(), metrics.render, begin_actor)
        gathered.start()
        metrics.gather = gathered.all
        settings: Settings = self._app.state.services.settings
        if settings.trusted_proxies is None:
            return _plain(self._app)
        return ProxyHeadersMiddleware(self._app, settings.trusted_proxies)  # type: ignore[arg-type, return-value]

    def check_health(self) -> None:
        """Raises `Ill` where `/health/live` would answer 503."""
        if self._engine.state == "failed" or (self._engine.state != "draining" and not self._engine.alive):
            raise Ill(self._engine.failure or "the engine has stopped")


def _own_name() -> str:
    """Ray's for this replica, which no other has or had."""
    serve: Any = importlib.import_module("ray.serve")
    return str(serve.get_replica_context().replica_id.unique_id)


def _replace_settings(environment: Mapping[str, str]) -> None:
    """Have the settings that are given, and none that the node has."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    os.environ.update(environment)


def _plain(app: FastAPI) -> ASGIApp:
    """`app` as any ASGI application: Ray would add handlers of its own to one of FastAPI."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return called

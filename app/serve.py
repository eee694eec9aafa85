"""`traghetto serve`: checks, migrates, listens, and ends in good order on SIGTERM."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from uvicorn.supervisors import Multiprocess

from app.errors import SettingsError
from app.main import create_app
from app.settings import Settings, load_settings
from app.storage.db import migrate

log = logging.getLogger("traghetto")

KEEP_ALIVE_S = 30
SWITCH_INTERVAL_S = 0.0005
"""How long one thread may keep the interpreter while another wants it. The network's thread gives it up at each
kernel and must get it back soon: with Python's default of 5 ms every kernel may wait that long for the event loop."""


class Server(uvicorn.Server):
    """Says where it listens, once it does."""

    async def startup(self, sockets: Any = None) -> None:
        """Listen, then print the address: the port may have been chosen by the system."""
        await super().startup(sockets)
        for server in self.servers:
            for socket in server.sockets:
                _announce(*socket.getsockname()[:2])


def _announce(host: str, port: int) -> None:
    name = f"[{host}]" if ":" in host else host
    sys.stderr.write(f"Traghetto listens on http://{name}:{port} (API description: /docs)\n")
    sys.stderr.flush()


def run(settings: Settings) -> int:
    """Serve until SIGTERM or Ctrl-C; the process's exit status.

    Raises:
        SettingsError: the settings are not safe, or the data directory or the database cannot be used.
    """
    check_address(settings)
    _prepare_data(settings)
    _set_up_logging(settings.log_level)
    if settings.migrate_on_start:
        _migrate(settings)
    if settings.workers > 1:
        return _run_workers(settings)
    return _run_alone(settings)


def check_address(settings: Settings) -> None:
    """Refuse to be reachable from other machines without an administration key."""
    if not settings.is_local and settings.admin_key is None:
        raise SettingsError(
            f"listening on {settings.host} makes the server reachable from other machines, and that needs an "
            "administration key: set TRAGHETTO_ADMIN_KEY (try: openssl rand -hex 24), or listen on 127.0.0.1"
        )


def _prepare_data(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"TRAGHETTO_DATA_DIR: cannot create {settings.data_dir}: {error.strerror}") from error
    if not os.access(settings.data_dir, os.W_OK):
        raise SettingsError(f"TRAGHETTO_DATA_DIR: {settings.data_dir} cannot be written to")


def _migrate(settings: Settings) -> None:
    """Bring the database up to date. One that cannot be reached does not keep the server from translating."""
    try:
        migrate(settings.database)
    except OperationalError as error:
        where = make_url(settings.database).render_as_string(hide_password=True)
        log.error("the database %s cannot be reached; translating without it (%s)", where, type(error.orig).__name__)
    except SQLAlchemyError as error:
        raise SettingsError(f"the database could not be brought up to date: {error}") from error


def _run_alone(settings: Settings) -> int:
    def give_up() -> None:
        server.should_exit = True

    app = create_app(settings, on_failure=give_up)
    server = Server(_uvicorn_config(settings, app))
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C; uvicorn has ended in good order by now
        server.run()
    return 1 if app.state.services.engine.state == "failed" else 0


def _run_workers(settings: Settings) -> int:
    """Several processes on one port; each reads its settings from the environment."""
    os.environ.update(settings.to_environment())
    config = _uvicorn_config(settings, "app.serve:worker_app", factory=True, workers=settings.workers)
    socket = config.bind_socket()
    socket.listen(config.backlog)  # clients may connect now; the workers answer when they are there
    _announce(*socket.getsockname()[:2])
    Multiprocess(config, sockets=[socket]).run()
    return 0


def worker_app() -> FastAPI:
    """The app of one of several worker processes."""
    settings = load_settings()
    _set_up_logging(settings.log_level)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return create_app(settings)


def _uvicorn_config(settings: Settings, app: Any, **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http="httptools",
        ws="none",
        log_config=None,
        access_log=settings.access_log,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.drain_s) + 1,
        **more,
    )


def _set_up_logging(level: str) -> None:
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("traghetto").setLevel(level.upper())
    logging.getLogger("uvicorn.access").setLevel(logging.INFO)

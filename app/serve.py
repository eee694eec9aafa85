"""`traghetto serve`: checks, migrates, listens, and ends in good order on SIGTERM."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from app.errors import SettingsError
from app.http.connections import Connection
from app.logs import set_up_logging
from app.main import create_app
from app.settings import Settings, load_settings
from app.storage.db import migrate, shown
from model.kernels.malloc import share_arenas

log = logging.getLogger("traghetto")

WORKER_APP = "app.serve:worker_app"
KEEP_ALIVE_S = 30
SWITCH_INTERVAL_S = 0.0005
"""How long one thread may keep the interpreter while another wants it. The network's thread gives it up at each
kernel and must get it back soon: with Python's default of 5 ms every kernel may wait that long for the event loop."""


START_TRIES = 3
"""Of each worker in a row, before a server none of whose workers serves ends."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 8.0
"""Between a worker that could not start and the next: doubled with each round of failures."""
PING_TIMEOUT_S, HEALTH_TIMEOUT_S = 1.0, 60
"""A worker that does not say for so long that it lives is replaced; loading the libraries can keep it busy."""
END_TIMEOUT_S = 20.0
"""For a worker to end, besides what it may take to answer what it has accepted and to stop its engine."""


class Server(uvicorn.Server):
    """Says where it listens, once it does."""

    async def startup(self, sockets: Any = None) -> None:
        """Listen, then print the address: the port may have been chosen by the system."""
        await super().startup(sockets)
        for server in self.servers:
            for socket in server.sockets:
                announce(*socket.getsockname()[:2])


def announce(host: str, port: int) -> None:
    """Tell people where the server listens."""
    name = f"[{host}]" if ":" in host else host
    sys.stderr.write(f"Traghetto listens on http://{name}:{port} (API description: /docs)\n")
    sys.stderr.flush()


def run(settings: Settings) -> int:
    """Serve until SIGTERM or Ctrl-C; the process's exit status.

    Raises:
        SettingsError: the settings are not safe, or the data directory or the database cannot be used.
    """
    prepare(settings)
    if settings.workers > 1 and settings.redis_url is None:
        log.info(
            "each of %d workers counts rates for itself; TRAGHETTO_REDIS_URL has them count together", settings.workers
        )
    if settings.workers > 1:
        return _run_workers(settings)
    return _run_alone(settings)


def prepare(settings: Settings) -> None:
    """What comes before any server: checks, the data directory, logs, the database brought up to date.

    Raises:
        SettingsError: as `run`.
    """
    check_address(settings)
    _prepare_data(settings)
    set_up_logging(settings.log_level, settings.log_format)
    if settings.allowed_hosts is not None and settings.trusted_proxies is None:
        log.warning("without TRAGHETTO_TRUSTED_PROXIES all who come through a proxy are one client to the limits")
    if settings.migrate_on_start:
        _migrate(settings)


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
        where = shown(settings.database)
        log.error("the database %s cannot be reached; translating without it (%s)", where, type(error.orig).__name__)
    except SQLAlchemyError as error:
        raise SettingsError(f"the database could not be brought up to date: {error}") from error


def _run_alone(settings: Settings) -> int:
    def give_up() -> None:
        server.should_exit = True

    share_arenas()
    app = create_app(settings, on_failure=give_up)
    server = Server(_uvicorn_config(settings, app))
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C; uvicorn has ended in good order by now
        server.run()
    return 1 if app.state.services.engine.state == "failed" else 0


def _run_workers(settings: Settings) -> int:
    """Several processes on one port; each reads its settings from the environment."""
    os.environ.update(settings.to_environment())
    config = _uvicorn_config(settings, WORKER_APP, factory=True, workers=settings.workers)
    socket = config.bind_socket()
    socket.listen(config.backlog)  # clients may connect now; the workers answer when they are there
    announce(*socket.getsockname()[:2])
    supervisor = Supervisor(config, [socket])
    supervisor.run()
    return 1 if supervisor.gave_up else 0


def worker_app() -> FastAPI:
    """The app of one of several worker processes. It takes connections once its models are loaded: while one worker is
    replaced, callers go to the others. If its engine dies or its supervisor does, it answers what it has accepted and
    ends."""
    share_arenas()
    threading.Thread(target=_end_with_supervisor, name="supervisor", daemon=True).start()
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return create_app(settings, on_failure=partial(signal.raise_signal, signal.SIGTERM), wait_for_models=True)


def _end_with_supervisor() -> None:
    """A supervisor that was killed cannot end its workers, and they would keep the port."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)


class Supervisor(Multiprocess):
    """Replaces workers that die, and ends the server if they die before they could serve, again and again, while none
    serves."""

    def __init__(self, config: uvicorn.Config, sockets: list[Any]) -> None:
        super().__init__(config, sockets)
        self._heard: dict[Process, float] = {}
        """When each last said that it lives, on the monotonic clock."""
        self._up: set[Process] = set()
        """Those that serve."""
        self._due: dict[Process, float] = {}
        """Those that are dead, and when they are replaced, on the monotonic clock."""
        self._failed_starts = 0
        """Since a worker was last up."""
        self.gave_up = False

    def keep_subprocess_alive(self) -> None:
        """Called twice a second."""
        for index, worker in enumerate(self.processes):
            if worker in self._due:
                self._replace_when_due(index)
            elif not self._lives(worker):
                self._bury(worker)
            elif worker not in self._up and worker.is_ready(PING_TIMEOUT_S):
                self._up.add(worker)
                self._failed_starts = 0

    def _lives(self, worker: Process) -> bool:
        """Waits briefly for its answer, and is patient if there is none: it may be busy, or just ending."""
        now = time.monotonic()
        while worker.parent_conn.poll():
            worker.parent_conn.recv()  # came too late for the question before
        if worker.is_alive(PING_TIMEOUT_S):
            self._heard[worker] = now
        return worker.exitcode is None and now - self._heard.setdefault(worker, now) < HEALTH_TIMEOUT_S

    def _bury(self, worker: Process) -> None:
        worker.kill()  # it may only be hung
        worker.join()
        wait_s = 0.0
        if worker in self._up:
            self._up.discard(worker)
            self._failed_starts = 0
        else:
            self._failed_starts += 1
            if self._failed_starts >= START_TRIES * self.processes_num and not self._up:
                log.critical("no worker could start, %d times in a row: the server ends", self._failed_starts)
                self.gave_up = True
                self.should_exit.set()
                return
            rounds = (self._failed_starts - 1) // self.processes_num
            wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(rounds, 16))
        log.error("worker %s died (status %s); a new one begins in %g s", worker.pid, worker.exitcode, wait_s)
        self._due[worker] = time.monotonic() + wait_s

    def _replace_when_due(self, index: int) -> None:
        worker = self.processes[index]
        if time.monotonic() < self._due[worker]:
            return
        del self._due[worker]
        self._heard.pop(worker, None)
        self.processes[index] = Process(self.config, self.sockets)
        self.processes[index].start()

    def join_all(self) -> None:
        """Wait for the workers to end, within bounds."""
        ends = time.monotonic() + 2 * (self.config.timeout_graceful_shutdown or 0) + END_TIMEOUT_S
        for worker in self.processes:
            worker.process.join(max(0.0, ends - time.monotonic()))
            if worker.exitcode is None:
                log.error("worker %s does not end and is killed", worker.pid)
                worker.kill()
            worker.join()


def _uvicorn_config(settings: Settings, app: Any, **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=settings.trusted_proxies is not None,
        forwarded_allow_ips=settings.trusted_proxies,
        server_header=False,
        limit_concurrency=settings.max_connections,
        h11_max_incomplete_event_size=settings.max_head_bytes,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.drain_s) + 1,
        timeout_worker_healthcheck=HEALTH_TIMEOUT_S,
        lifespan="on",
        **more,
    )

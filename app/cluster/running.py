"""`traghetto serve --cluster`: starts Ray or joins it, has it run the replicas, and ends in good order on SIGTERM."""

from __future__ import annotations

import importlib
import logging
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from app.cluster.options import ClusterOptions
from app.errors import AppError, SettingsError
from app.ray_environment import tell_ray
from app.serve import announce, prepare
from app.settings import Settings
from model.kernels.cores import usable_cores

if TYPE_CHECKING:
    from ray.serve import Application

log = logging.getLogger("traghetto.cluster")

LOOK_EVERY_S = 1.0
"""How often the number of replicas is looked at, to tell of changes."""
LONGEST_DRAIN_S = 50.0
"""Ray waits for a minute until an application is gone."""
PROXY_MIDDLEWARE = "app.cluster.proxy:middlewares"


def run(settings: Settings, options: ClusterOptions, address: str | None) -> int:
    """Serve until SIGTERM or Ctrl-C; the process's exit status.

    Args:
        settings: of each replica.
        options: how many replicas.
        address: of a Ray that runs; None: one is started here, and ends with this.

    Raises:
        SettingsError: the settings are not safe for this, or the cluster is too small.
        AppError: Ray is not installed, cannot be reached, or the replicas do not start.
        KeyboardInterrupt: it was ended before it served.
    """
    _check(settings, address)
    if address is None:
        _check_room(options, {"CPU": usable_cores(), "GPU": math.inf})  # Ray looks for GPUs
        _check_port(settings.host, settings.port)
    prepare(settings)
    environment = {**settings.to_environment(), "TRAGHETTO_DATA_DIR": str(settings.data_dir.absolute())}
    ended = threading.Event()
    with _ray(settings, address) as ray, _told_to_end(ended) as started:
        from app.cluster.application import NAME, application

        _check_room(options, ray.available_resources())
        with _serve(ray, settings, address, NAME) as serve:
            _deploy(serve, application(options, settings.drain_s, environment), NAME)
            started.set()
            announce(settings.host, settings.port)
            _watch(serve, NAME, ended)
            log.info("ending: what was accepted is answered first")
    return 0


def _check(settings: Settings, address: str | None) -> None:
    if settings.port == 0:
        raise SettingsError("a cluster needs a port of its own: give --port, or set TRAGHETTO_PORT")
    if settings.workers > 1:
        raise SettingsError("--workers is for one machine: a cluster has replicas instead, see --replicas")
    if settings.drain_s > LONGEST_DRAIN_S:
        raise SettingsError(f"TRAGHETTO_DRAIN_S: on a cluster at most {LONGEST_DRAIN_S:g}")
    if settings.admin_key is None and (address is not None or os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1"):
        raise SettingsError(
            "without an administration key, everybody on each machine of a cluster that runs already, and everybody "
            "at all behind HAProxy, would be an administrator: set TRAGHETTO_ADMIN_KEY (try: openssl rand -hex 24)"
        )


def _check_room(options: ClusterOptions, has: Mapping[str, float]) -> None:
    """Raise unless the first replicas find place; else Ray would wait for more nodes, and so would who started it."""
    for kind, each in {"CPU": options.cores, "GPU": options.gpus}.items():
        free = has.get(kind, 0)
        if options.replicas * each > free:
            raise SettingsError(
                f"{options.replicas} replicas with {each:g} {kind} each need {options.replicas * each:g}; "
                f"{free:g} are free: take fewer (--replicas, --cores, --gpus), or more machines"
            )


def _check_port(host: str, port: int) -> None:
    """Raise if somebody listens there already: Ray's proxies would share the port with a proxy of another Ray."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, port))
        except OSError as error:
            raise AppError(f"cannot listen on {host}:{port}: {error.strerror}") from error


@contextmanager
def _ray(settings: Settings, address: str | None) -> Iterator[Any]:
    """Ray, joined or started; one that was started ends with this."""
    if address is None:
        tell_ray()
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise AppError(f"{error}: a cluster needs Ray, which `make install-cluster` installs") from error
    sys.stderr.write("starting Ray and the replicas; that takes half a minute\n")
    proxies = {
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": PROXY_MIDDLEWARE,
        "FORWARDED_ALLOW_IPS": settings.trusted_proxies or "",
        "TRAGHETTO_DEADLINE_S": str(settings.deadline_s),
    }
    os.environ.update(proxies)  # of the processes of a Ray that is started here
    try:
        ray.init(
            address or "local",
            namespace="serve",
            include_dashboard=False if address is None else None,
            logging_level=logging.WARNING,
            runtime_env={"env_vars": proxies},
        )
    except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise AppError(f"no Ray {f'at {address}' if address else 'can be started'}: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def _told_to_end(ended: threading.Event) -> Iterator[threading.Event]:
    """SIGTERM and Ctrl-C set `ended`; before the event that is given is set, they end what is being begun."""
    started = threading.Event()

    def end(*_: object) -> None:
        ended.set()
        if not started.is_set():
            raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield started
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _serve(ray: Any, settings: Settings, address: str | None, name: str) -> Iterator[Any]:
    """Ray Serve, whose proxies listen; at the end what was deployed as `name` is gone, and all else is as before."""
    serve: Any = importlib.import_module("ray.serve")
    listen = {"host": settings.host, "port": settings.port}
    if address is not None and name in serve.status().applications:
        raise AppError(f"Ray at {address} runs an application {name} already; end that one first")
    try:
        serve.start("EveryNode", http_options=listen, logging_config={"log_level": "ERROR"})
        try:
            yield serve
        finally:
            serve.delete(name)
            if address is None:
                serve.shutdown()
    except ray.exceptions.RayError as error:
        raise AppError(f"Ray Serve failed: {error}") from error


def _deploy(serve: Any, application: Application, name: str) -> None:
    try:
        serve.run(application, name=name, route_prefix="/")
    except RuntimeError as error:
        state = serve.status().applications.get(name)
        raise AppError(f"the replicas do not start: {state.message if state else error}") from error


def _watch(serve: Any, name: str, ended: threading.Event) -> None:
    """Tell how many replicas there are, whenever that changes, until `ended`."""
    told = None
    while not ended.wait(LOOK_EVERY_S):
        application = serve.status().applications.get(name)
        if application is None:
            raise AppError("somebody else has ended the application")
        (replicas,) = (deployment.replica_states for deployment in application.deployments.values())
        now = ", ".join(f"{count} {state.lower()}" for state, count in sorted(replicas.items()) if count)
        if now != told:
            log.info("replicas: %s", now or "none")
            told = now

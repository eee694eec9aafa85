"""`create_app`: the only place where the parts are put together. Importing this module does nothing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.access import Access
from app.access.keys import Keys
from app.access.links import Links
from app.background import Background
from app.corrections.importing import Importer
from app.corrections.service import Corrections
from app.engine.engine import Engine, Loader
from app.engine.limits import EngineLimits
from app.http import problems
from app.http.deps import Services
from app.http.dialects import deepl, google, libretranslate
from app.http.disconnect import DisconnectWatch
from app.http.middleware import BODY_TIMEOUT_S, BodyLimit, Edge
from app.http.routes import corrections, exchange, health, models, pages, retraining, translate
from app.memory.store import Memory
from app.memory.sync import MemorySync
from app.metrics import Metrics
from app.retraining.following import Follower
from app.retraining.service import COMMAND, RetrainingService
from app.settings import Settings
from app.storage.consent_log import ConsentLog
from app.storage.db import Database
from app.storage.housekeeping import purge_forever
from app.translating.detection import Detect, detect
from app.translating.preparing import Preparer
from app.translating.service import TranslationService
from app.versions.catalogue import Catalogue
from app.versions.promotion import Promoter
from app.versions.registry import keep_reconciled
from app.versions.store import loader
from app.versions.swapping import Swapper
from app.versions.tryout import Tryout

DESCRIPTION = """Translates between Italian and English with models that you train, run and correct yourself.

Errors under `/v1` are problem details (RFC 9457); what speaks as LibreTranslate, DeepL or Google does tells them as
those do. Texts are stored only where a request says `log_consent: true`, or corrects a translation."""
DIALECTS = (libretranslate, deepl, google)
TELLERS = {
    route.path: dialect.tell for dialect in DIALECTS for route in dialect.router.routes if isinstance(route, APIRoute)
}
"""Path -> how an error is told that comes before any route."""


class Traghetto(FastAPI):
    """FastAPI behind `Edge`."""

    edge: Edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self

        async def send_briefly(message: Message) -> None:
            """Without Starlette's traceback, where the engine has said already why the models cannot be loaded."""
            if message["type"] == "lifespan.startup.failed" and self.state.services.engine.state == "failed":
                message = {**message, "message": ""}
            await send(message)

        await self.edge(scope, receive, send_briefly if scope["type"] == "lifespan" else send)


def create_app(
    settings: Settings,
    translators: Loader | None = None,
    *,
    detect: Detect = detect,
    on_failure: Callable[[], None] | None = None,
    wait_for_models: bool = False,
    retrain: Sequence[str] = COMMAND,
) -> FastAPI:
    """The server's ASGI app.

    Args:
        settings: see `app.settings`
        translators: builds the translators in the engine's thread; by default the models on disk
        detect: language detection
        on_failure: called on the event loop if the models cannot be loaded or the engine dies
        wait_for_models: have the start take until the models are loaded, and fail if they cannot be
        retrain: what a retraining that is begun here runs
    """
    services = _build(settings, translators or loader(settings), detect, retrain)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with _running(services, on_failure):
            if wait_for_models:
                await services.engine.wait_ready(None)
            yield

    app = Traghetto(
        title="Traghetto", version=_version(), description=DESCRIPTION, docs_url=None, redoc_url=None, lifespan=lifespan
    )
    app.state.services = services
    _route(app)
    app.edge = _edge(super(Traghetto, app).__call__, services)
    return app


def _edge(inner: ASGIApp, services: Services) -> Edge:
    settings = services.settings
    limit, most = BodyLimit(settings.max_body_bytes, BODY_TIMEOUT_S), settings.corrections_import_max_bytes
    larger = {exchange.IMPORT_PATH: BodyLimit(most, exchange.upload_timeout_s(most))}
    return Edge(inner, services.metrics, limit, translate.EXPRESS, larger, TELLERS)


def _route(app: FastAPI) -> None:
    for part in (translate, *DIALECTS, exchange, corrections, models, retraining, health, pages, problems):
        app.include_router(part.router)
    app.router.routes.extend(pages.mounts())
    problems.install(app)


def _build(settings: Settings, load: Loader, detect: Detect, retrain: Sequence[str]) -> Services:
    metrics = Metrics()
    limits = EngineLimits(
        settings.batch_tokens, settings.batch_sentences, settings.queue_tokens, settings.max_beam, settings.threads
    )
    engine = Engine(load, limits, metrics)
    swapper = Swapper(settings, engine, metrics)
    database = Database(settings.database)
    memory = Memory(metrics)
    preparer = Preparer(detect, memory, engine.count_tokens, engine.max_tokens)
    memory_sync = MemorySync(Database(settings.database), memory)
    return Services(
        settings=settings,
        access=Access(settings, Keys(database)),
        metrics=metrics,
        engine=engine,
        translation=TranslationService(settings, engine, preparer, detect),
        database=database,
        consent_log=ConsentLog(database, settings.log_retention_days, settings.log_keyless_per_day),
        disconnects=DisconnectWatch(),
        corrections=Corrections(database, settings, detect, memory_sync.refresh, metrics.correction),
        importer=Importer(database, settings, detect, memory_sync.refresh, metrics.correction),
        memory_sync=memory_sync,
        swapper=swapper,
        promoter=Promoter(settings, engine, swapper),
        catalogue=Catalogue(settings, database),
        tryout=Tryout(settings, detect, memory),
        retraining=RetrainingService(settings, database, retrain),
        follower=Follower(settings, database),
        background=Background(metrics.background_failed),
        links=Links(settings.data_dir),
    )


@contextlib.asynccontextmanager
async def _running(services: Services, on_failure: Callable[[], None] | None) -> AsyncIterator[None]:
    """Start the threads and tasks; at the end answer what was accepted, then stop them."""
    services.engine.start(on_failure)
    services.translation.start(services.memory_sync.ready)
    services.swapper.start()
    services.background.start(
        {
            "disconnects": services.disconnects.run,
            "memory": services.memory_sync.run,
            "purging of stored texts": partial(purge_forever, services.consent_log.purge, "stored texts"),
            "purging of corrections": partial(purge_forever, services.corrections.purge, "corrections"),
            "model versions": partial(keep_reconciled, services.database, services.settings),
            "retraining": services.retraining.run,
        }
    )
    try:
        yield
    finally:
        await services.engine.stop(services.settings.drain_s)
        services.translation.stop()
        services.tryout.stop()
        await services.swapper.stop()
        await services.retraining.stop()
        await services.background.stop()
        await services.memory_sync.close()
        await services.database.close()


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("traghetto")
    except PackageNotFoundError:
        return "0"

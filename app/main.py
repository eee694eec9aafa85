"""`create_app`: the only place where the parts are put together. Importing this module does nothing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.access import SESSION_HEADER, Access
from app.access.keys import Keys
from app.access.links import Links
from app.access.rates import Rates
from app.access.usage import Usage
from app.background import Background
from app.corrections.importing import Importer
from app.corrections.service import Corrections
from app.engine.engine import Engine, Loader
from app.engine.limits import EngineLimits
from app.errors import AppError
from app.http import problems
from app.http.deps import Services
from app.http.dialects import deepl, google, libretranslate
from app.http.dialects.speaking import DialectError
from app.http.disconnect import DisconnectWatch
from app.http.middleware import BODY_TIMEOUT_S, BodyLimit, Edge, Paths
from app.http.observing import Observer
from app.http.openapi import described, open_scopes
from app.http.routes import corrections, exchange, health, models, pages, retraining, translate, usage
from app.memory.store import Memory
from app.memory.sync import MemorySync
from app.metrics import Metrics
from app.retraining.following import Follower
from app.retraining.service import COMMAND, RetrainingService
from app.settings import Settings
from app.storage.consent_log import ConsentLog
from app.storage.db import Database
from app.storage.housekeeping import purge_forever
from app.storage.notices import Notices
from app.traces import configured
from app.translating.detection import Detect, detect
from app.translating.preparing import Preparer
from app.translating.service import TranslationService, Watching
from app.versions.catalogue import Catalogue
from app.versions.promotion import Promoter
from app.versions.registry import keep_reconciled
from app.versions.shared_follower import StoreFollower
from app.versions.shared_store import SharedStore
from app.versions.store import loader
from app.versions.swapping import Swapper
from app.versions.tryout import Tryout

DESCRIPTION = """Translates between Italian and English with models that you train, run and correct yourself.

Errors under `/v1` are problem details (RFC 9457); what speaks as LibreTranslate, DeepL or Google does tells them as
those do. Texts are stored only where a request says `log_consent: true`, or corrects a translation."""
DIALECTS = (libretranslate, deepl, google)
PARTS = (translate, *DIALECTS, exchange, corrections, models, retraining, usage, health, pages, problems)
ROUTES = [route for part in PARTS for route in part.router.routes if isinstance(route, APIRoute)]
SPOKEN = [
    (route.path, dialect) for dialect in DIALECTS for route in dialect.router.routes if isinstance(route, APIRoute)
]
TELLERS = {path: dialect.tell for path, dialect in SPOKEN}
"""Path -> how an error is told that comes before any route."""
DIALECT_OF = {path: dialect.__name__.rpartition(".")[2] for path, dialect in SPOKEN}
"""Path -> what is spoken there, for the metrics."""
CORS_HEADERS = (
    "Authorization", "Content-Type", "Idempotency-Key", "X-Goog-Api-Key", "X-Request-ID", "traceparent", SESSION_HEADER,
)  # fmt: skip
CORS_KEPT_S = 86_400
"""For how long a browser need not ask again whether it may call the API for a page of another origin."""


class Traghetto(FastAPI):
    """FastAPI behind `Edge`."""

    edge: Edge

    def openapi(self) -> dict[str, Any]:
        """The description of the API, made once."""
        if self.openapi_schema is None:
            services = self.state.services
            without_key = open_scopes(services.settings, has_owner=services.access.has_owner)
            self.openapi_schema = described(super().openapi(), ROUTES, services.settings, without_key)
        return self.openapi_schema

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
    observer = Observer(services.metrics, services.traces, DIALECT_OF, access_log=settings.access_log)
    return Edge(inner, observer, limit, Paths(translate.EXPRESS, larger, TELLERS), partial(_for_pages_of, settings))


def _for_pages_of(settings: Settings, app: ASGIApp) -> ASGIApp:
    """`app`, which tells browsers what pages of other origins may do."""
    if settings.cors_origins is None:
        return app
    return CORSMiddleware(
        app,
        settings.cors_origins.split(","),
        allow_methods=("GET", "POST", "PATCH", "DELETE"),
        allow_headers=CORS_HEADERS,
        expose_headers=("Retry-After", "X-Request-ID"),
        max_age=CORS_KEPT_S,
    )


def _route(app: FastAPI) -> None:
    for part in PARTS:
        app.include_router(part.router)
    app.router.routes.extend(pages.mounts())
    problems.install(app, ROUTES, {f"{one.router.prefix}/": partial(_told, one.tell) for one in (deepl, google)})


def _told(tell: Callable[[AppError], Response], status: int, detail: str) -> Response:
    return tell(DialectError(status, detail))


def _build(settings: Settings, load: Loader, detect: Detect, retrain: Sequence[str]) -> Services:
    metrics, traces = Metrics(), configured(_version())
    limits = EngineLimits(
        settings.batch_tokens, settings.batch_sentences, settings.queue_tokens, settings.max_beam, settings.threads
    )
    engine = Engine(load, limits, metrics)
    swapper, store = Swapper(settings, engine, metrics), SharedStore.of(settings)
    store_follower = None if store is None else StoreFollower(store, metrics, swapper.wake)
    database = Database(settings.database)
    memory = Memory(metrics)
    preparer = Preparer(detect, memory, engine.count_tokens, engine.max_tokens)
    memory_sync = MemorySync(Database(settings.database), memory)
    rates = Rates(settings, metrics)
    counted = Usage(database, rates, settings.characters_per_month, metrics)
    return Services(
        settings=settings,
        access=Access(settings, Keys(database), rates),
        rates=rates,
        usage=counted,
        metrics=metrics,
        traces=traces,
        engine=engine,
        translation=TranslationService(settings, engine, preparer, detect, Watching(counted, metrics, traces)),
        database=database,
        consent_log=ConsentLog(database, settings.log_retention_days, settings.log_keyless_per_day),
        disconnects=DisconnectWatch(),
        corrections=Corrections(database, settings, detect, memory_sync.refresh, metrics.correction),
        importer=Importer(database, settings, detect, memory_sync.refresh, metrics.correction),
        memory_sync=memory_sync,
        swapper=swapper,
        store_follower=store_follower,
        notices=_notices(settings, swapper, store_follower),
        promoter=Promoter(settings, engine, swapper, store),
        catalogue=Catalogue(settings, database),
        tryout=Tryout(settings, detect, memory),
        retraining=RetrainingService(settings, database, retrain),
        follower=Follower(settings, database),
        background=Background(metrics.background_failed),
        links=Links(settings.data_dir, admin_key=settings.admin_key),
    )


def _notices(settings: Settings, swapper: Swapper, store_follower: StoreFollower | None) -> Notices:
    listeners = [one for one in (store_follower, swapper) if one is not None]
    return Notices(settings.database, [one.wake for one in listeners], [one.expect for one in listeners])


@contextlib.asynccontextmanager
async def _running(services: Services, on_failure: Callable[[], None] | None) -> AsyncIterator[None]:
    """Start the threads and tasks; at the end answer what was accepted, then stop them."""
    services.engine.start(on_failure)
    services.translation.start(services.memory_sync.ready)
    services.swapper.start()
    if services.store_follower is not None:
        services.store_follower.start()
    services.background.start(
        {
            "notices": services.notices.run,
            "usage": services.usage.run,
            "rates": services.rates.run,
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
        if services.store_follower is not None:
            await services.store_follower.stop()
        await services.swapper.stop()
        await services.retraining.stop()
        await services.usage.close()
        await services.background.stop()
        await services.memory_sync.close()
        await services.database.close()
        await services.rates.close()
        services.traces.close()


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("traghetto")
    except PackageNotFoundError:
        return "0"

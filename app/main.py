"""`create_app`: the only place where the parts are put together. Importing this module does nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from app.consent_log import ConsentLog
from app.db import Database
from app.deps import Services
from app.disconnect import DisconnectWatch
from app.engine.engine import Engine, EngineLimits, Loader
from app.engine.loading import loader
from app.metrics import Metrics
from app.middleware import Edge
from app.routes import health, models, page, problems, translate
from app.settings import Settings
from app.text.detection import detect
from app.text.segments import split
from app.translation import Detector, Splitter, TranslationService

DESCRIPTION = """Translates between Italian and English with models that you train, run and correct yourself.

Errors are problem details (RFC 9457). Texts are not stored unless a request says `log_consent: true`."""


class Traghetto(FastAPI):
    """FastAPI behind `Edge`."""

    edge: Edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self.edge(scope, receive, send)


def create_app(
    settings: Settings,
    translators: Loader | None = None,
    *,
    split: Splitter = split,
    detect: Detector = detect,
    on_failure: Callable[[], None] | None = None,
) -> FastAPI:
    """The server's ASGI app.

    Args:
        settings: see `app.settings`
        translators: builds the translators in the engine's thread; by default the models on disk
        split, detect: sentence splitting and language detection
        on_failure: called on the event loop if the models cannot be loaded or the engine dies
    """
    services = _build(settings, translators or loader(settings), split, detect)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with _running(services, on_failure):
            yield

    app = Traghetto(
        title="Traghetto", version=_version(), description=DESCRIPTION, docs_url=None, redoc_url=None, lifespan=lifespan
    )
    app.state.services = services
    for part in (translate, models, health, page, problems):
        app.include_router(part.router)
    app.router.routes.extend(page.mounts())
    problems.install(app)
    app.edge = Edge(super(Traghetto, app).__call__, services.metrics, settings.max_body_bytes, translate.EXPRESS)
    return app


def _build(settings: Settings, load: Loader, split: Splitter, detect: Detector) -> Services:
    metrics = Metrics()
    limits = EngineLimits(settings.batch_tokens, settings.batch_sentences, settings.queue_tokens, settings.max_beam)
    engine = Engine(load, limits, metrics)
    database = Database(settings.database)
    return Services(
        settings=settings,
        metrics=metrics,
        engine=engine,
        translation=TranslationService(settings, engine, split, detect),
        database=database,
        consent_log=ConsentLog(database, settings.log_retention_days),
        disconnects=DisconnectWatch(),
    )


@contextlib.asynccontextmanager
async def _running(services: Services, on_failure: Callable[[], None] | None) -> AsyncIterator[None]:
    """Start the threads and tasks; at the end answer what was accepted, then stop them."""
    services.engine.start(on_failure)
    services.translation.start()
    tasks = [asyncio.create_task(services.disconnects.run()), asyncio.create_task(services.consent_log.purge_forever())]
    try:
        yield
    finally:
        await services.engine.stop(services.settings.drain_s)
        services.translation.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await services.database.close()


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("traghetto")
    except PackageNotFoundError:
        return "0"

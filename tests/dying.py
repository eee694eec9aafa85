"""A server whose engine dies of a text, for `app.serve` to start workers from."""

from __future__ import annotations

from typing import Any

from fakes import FakeTranslator, fake_detect
from fastapi import FastAPI

import app.serve
from app.engine.engine import Loader
from app.main import create_app
from app.settings import Settings
from model.config import SearchConfig
from model.errors import VersionDamaged

DEADLY = "muori"


class Mortal(FakeTranslator):
    """Ends the engine's thread at a text with `DEADLY`, as no failure of a model does."""

    def translate_sentences(self, texts: Any, search: SearchConfig = SearchConfig(), prefixes: Any = ()) -> Any:  # noqa: B008
        if any(DEADLY in text for text in texts):
            raise SystemExit
        return super().translate_sentences(texts, search, prefixes)


def _missing() -> dict[str, FakeTranslator]:
    raise VersionDamaged("model.safetensors was cut short")


def _create(settings: Settings, load: Loader, **more: Any) -> FastAPI:
    return create_app(settings, load, detect=fake_detect, **more)


def worker_app() -> FastAPI:
    """As `app.serve.worker_app`, with a fake translator."""
    return _worker_app(lambda: {"it-en": Mortal()})


def broken_app() -> FastAPI:
    """One that cannot load its models."""
    return _worker_app(_missing)


def _worker_app(load: Loader) -> FastAPI:
    app.serve.create_app = lambda settings, **more: _create(settings, load, **more)  # type: ignore[assignment]
    return app.serve.worker_app()

"""Builds the real translators. Torch is imported here, inside the engine's thread: the server listens meanwhile."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING

from app.engine.engine import Loader
from app.engine.protocol import Translator
from app.errors import NotReady
from app.settings import Settings

if TYPE_CHECKING:
    from model.versions import VersionInfo

PAIRS = ("it-en", "en-it")
COLLECT_AFTER = (20_000, 20, 50)
"""Rarer than Python's default of 700 objects: requests make thousands a second and leave no cycles."""


def model_roots(settings: Settings) -> tuple[Path, ...]:
    """Where versions are looked for: trained ones first, then those that came with the program."""
    from model.versions import BUNDLED

    return (settings.data_dir / "models", BUNDLED)


def loader(settings: Settings) -> Loader:
    """A function that loads the default version of each pair there is."""

    def load() -> dict[str, Translator]:
        return _load(settings)

    return load


def _load(settings: Settings) -> dict[str, Translator]:
    import torch

    from model import versions
    from model.errors import VersionNotFound
    from model.translator import Translator as NeuralTranslator

    torch.set_num_threads(settings.threads)
    found: dict[str, Translator] = {}
    for pair in PAIRS:
        try:
            folder = versions.find(model_roots(settings), pair, None)
        except VersionNotFound:
            continue
        found[pair] = NeuralTranslator.load(folder, device=settings.device, route=settings.route)
    if not found:
        places = " and ".join(str(root) for root in model_roots(settings))
        raise NotReady(f"no model found in {places}; train one with: traghetto train CONFIG.toml")
    _spare_the_collector()
    return found


def _spare_the_collector() -> None:
    """Take what is loaded out of the garbage collector's rounds: torch alone brings some 200,000 objects for good."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def list_models(settings: Settings) -> list[VersionInfo]:
    """Every version on disk."""
    from model import versions

    return list(versions.list_versions(model_roots(settings)))

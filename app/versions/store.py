"""Builds the real translators. What they need is imported inside the engine's thread: the server listens meanwhile."""

from __future__ import annotations

import gc
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import NotReady
from app.languages import PAIRS
from model.versions import pointers
from model.versions.pointers import DEFAULT

if TYPE_CHECKING:
    from app.engine.engine import Loader
    from app.settings import Settings
    from model.translator import Translator
    from model.versions.store import VersionInfo

log = logging.getLogger("traghetto.engine")

COLLECT_AFTER = (20_000, 20, 50)
"""Rarer than Python's default of 700 objects: requests make thousands a second and leave no cycles."""


def model_roots(settings: Settings) -> tuple[Path, ...]:
    """Where versions are looked for: trained ones first, then those that came with the program."""
    from model.versions.store import BUNDLED

    return (pointer_root(settings), BUNDLED)


def pointer_root(settings: Settings) -> Path:
    """Where new versions and the pointers are written."""
    return settings.data_dir / "models"


def loader(settings: Settings) -> Loader:
    """A function that loads the current version of each pair there is."""

    def load() -> dict[str, Translator]:
        return _load(settings)

    return load


def load_version(settings: Settings, pair: str, version: str) -> Translator:
    """Load a version on the device and in the number format of the settings, its hashes checked.

    Raises:
        VersionError: it is missing or damaged.
        ConfigError: the device or the number format is not there.
    """
    from model.translator import Translator
    from model.versions import store

    folder = store.find(model_roots(settings), pair, version)
    return Translator.load(folder, device=settings.device, route=settings.route, threads=settings.threads, shared=True)


def written_at(settings: Settings, pair: str, version: str) -> int:
    """When the version of that name was written, in nanoseconds of the file system; 0 if there is none."""
    from model.versions.card import CARD

    for root in model_roots(settings):
        try:
            return (root / pair / version / CARD).stat().st_mtime_ns
        except OSError:
            continue
    return 0


def load_tested(settings: Settings, pair: str, version: str) -> Translator:
    """Load a version as the server does, its hashes checked, and let it translate a few sentences of ours.

    Raises:
        VersionError: it is missing or damaged, or does not translate.
        ConfigError: the device or the number format is not there.
        NotReady: its longest sentence would not fit into a batch.
    """
    from app.engine.decoder import check_budget
    from model.versions.self_test import self_test

    translator = load_version(settings, pair, version)
    check_budget(translator, settings.batch_tokens, settings.max_beam)
    self_test(translator)
    return translator


def _load(settings: Settings) -> dict[str, Translator]:
    from model.errors import VersionNotFound

    with ThreadPoolExecutor(len(PAIRS), thread_name_prefix="load") as pool:  # most of it is NumPy's, side by side
        loaded = zip(PAIRS, pool.map(partial(_load_current, settings), PAIRS), strict=True)
        found: dict[str, Translator] = {pair: one for pair, one in loaded if one is not None}
    if not found:
        places = " and ".join(str(root) for root in model_roots(settings))
        raise VersionNotFound("there is no model; train one with: traghetto train CONFIG.toml", places)
    _spare_the_collector()
    return found


def _load_current(settings: Settings, pair: str) -> Translator | None:
    """The version that the pointer names; if that cannot be used, the newest of its history that can, or the default.

    A server that starts with an older version helps more than one that does not start. The default, the last resort,
    is not tested. None: there is no version at all.
    """
    from model.errors import ModelError, VersionDamaged, VersionNotFound

    wanted = list(takewhile(lambda name: name != DEFAULT, _pointed(settings, pair)))
    for version in wanted:
        try:
            translator = load_tested(settings, pair, version)
        except (ModelError, NotReady, OSError, RuntimeError) as error:
            log.error("%s: the current version %s cannot be used, an earlier one is taken: %s", pair, version, error)
        else:
            log.info("%s: version %s serves, not the default: it was promoted", pair, version)
            return translator
    try:
        return load_version(settings, pair, DEFAULT)
    except VersionNotFound:
        return None
    except VersionDamaged as error:
        raise VersionDamaged(f"{pair}/{DEFAULT}: {error.problem}", error.place) from error


def _pointed(settings: Settings, pair: str) -> tuple[str, ...]:
    """The current version and those before it, newest first."""
    from model.errors import VersionError

    try:
        pointer = pointers.read(pointer_root(settings), pair)
    except VersionError as error:
        log.error("%s: the default is taken, for nobody can tell which version is current: %s", pair, error)
        return ()
    return () if pointer is None else (pointer.version, *reversed(pointer.history))


def _spare_the_collector() -> None:
    """Take what is loaded, libraries and all, out of the garbage collector's rounds: it is there for good."""
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def list_models(settings: Settings) -> list[VersionInfo]:
    """Every version on disk."""
    from model.versions import store

    return list(store.list_versions(model_roots(settings)))


def current_version(settings: Settings, pair: str) -> str | None:
    """The version of `pair` that is current; None if nobody can tell, since the pointer is damaged."""
    from model.errors import VersionError

    try:
        return pointers.current(model_roots(settings), pair)
    except VersionError:
        return None

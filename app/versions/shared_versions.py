"""Versions in a store that several servers share; what a server has of them in its data directory is a copy.

    <store>/<pair>/<version>/model.safetensors.<beginning of its SHA-256>   ... and so each file of the version
    <store>/<pair>/<version>/card.json      written last, and only where there is none: with it the version is there

Nothing is written over: what a push that was killed has left is taken up by the next one, and two versions of one name,
made at the same time by two servers, never mix.
"""

from __future__ import annotations

import logging
from pathlib import Path

from app.versions.shared_objects import Objects
from model.errors import ConfigError, ModelError, VersionDamaged, VersionError, VersionNotFound
from model.versions.card import CARD, Card, check_name
from model.versions.disk import locked, replacing

log = logging.getLogger("traghetto.store")

LOCK = ".fetch.lock"
FETCH_TIMEOUT_S = 600.0
"""How long a process waits for another on the same data directory that fetches."""
HASH_CHARS = 16


class SharedVersions:
    """The versions of a store, and the folder of a server that has copies. All methods may raise `StoreDown`."""

    def __init__(self, objects: Objects, root: Path) -> None:
        self._objects, self._root = objects, root

    def names(self, pair: str) -> list[str]:
        """Versions that are there, or are being pushed: of those that are there the card can be read."""
        return [name for name in self._objects.names(pair) if is_name(pair, name)]

    def card(self, pair: str, version: str) -> Card | None:
        """The card of a version; None if it is not there.

        Raises:
            VersionError: this is no name of a version.
            VersionDamaged: what is there is no card of this version.
        """
        check_name(pair, version)
        name = f"{pair}/{version}/{CARD}"
        content = self._objects.read(name)
        if content is None:
            return None
        try:
            card = Card.from_json(content.decode())
        except (ConfigError, VersionError, UnicodeDecodeError) as error:
            why = error.problem if isinstance(error, ModelError) else error
            raise VersionDamaged(f"this is not a card of ours: {why}", f"{self._objects.url}/{name}") from error
        if (card.pair, card.version) != (pair, version):
            raise VersionDamaged(f"this is the card of {card.pair}/{card.version}", f"{self._objects.url}/{name}")
        return card

    def listing(self, pair: str) -> dict[str, Card | None]:
        """The card of each version that is there; None for one that is damaged."""
        found: dict[str, Card | None] = {}
        for name in self.names(pair):
            try:
                card = self.card(pair, name)
            except VersionDamaged as error:
                log.warning("%s", error)
                found[name] = None
            else:
                if card is not None:
                    found[name] = card
        return found

    def push(self, pair: str, version: str) -> bool:
        """Send a version of the folder to the store; whether there was anything to do.

        Raises:
            VersionDamaged: its files are not what its card describes.
            VersionError: another version has its name in the store.
        """
        from model.versions.store import verify

        folder = self._root / pair / version
        card, there = Card.read(folder), self.card(pair, version)
        if there is not None and there.files != card.files:
            raise self._other(card)
        missing = [name for name in card.files if self._objects.size(_object(card, name)) != _size(folder / name)]
        if there is not None and not missing:
            return False
        verify(folder)
        for name in missing:
            self._objects.send(folder / name, _object(card, name))
        if there is None and not self._objects.create(f"{pair}/{version}/{CARD}", (folder / CARD).read_bytes()):
            raise self._other(card)
        log.info("%s: version %s was pushed to the store", pair, version)
        return True

    def fetch(self, pair: str, version: str, *, check: bool = False) -> bool:
        """Have a version of the store in the folder; whether it was not.

        Args:
            check: look at the hashes of a copy that is there already, which takes as long as to read it; one that is
                damaged counts as none.

        Raises:
            VersionNotFound: it is not there.
            VersionDamaged: what is there is not what its card describes.
            VersionError: the folder has another version of that name, or cannot be written.
        """
        card = self.card(pair, version)
        if card is None:
            raise VersionNotFound(f"there is no version {version} of {pair} in the store", self._objects.url)
        if self._has(card, check):
            return False
        folder = self._root / pair / version
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with locked(self._root / LOCK, FETCH_TIMEOUT_S):
                if self._has(card, check):  # by now
                    return False
                with replacing(folder) as temporary:
                    self._receive(card, temporary)
        except OSError as error:
            raise VersionError(f"it cannot be written: {error.strerror}", folder) from error
        log.info("%s: version %s was fetched from the store", pair, version)
        return True

    def _has(self, card: Card, check: bool) -> bool:
        """Whether the folder has the version of `card`; what is no version there counts as nothing."""
        from model.versions.store import verify_files

        folder = self._root / card.pair / card.version
        try:
            if Card.read(folder).files != card.files:
                raise self._other(card)
            if check:
                verify_files(folder)
        except (VersionDamaged, OSError) as error:  # such as a disk that cannot read it
            if folder.is_dir():
                log.warning("%s: version %s is damaged here and is fetched anew: %s", card.pair, card.version, error)
            return False
        return True

    def _receive(self, card: Card, folder: Path) -> None:
        from model.versions.store import verify_files

        for name in card.files:
            check_file_name(name, self._objects.url)
            if not self._objects.fetch(_object(card, name), folder / name):
                raise VersionDamaged(f"{card.pair}/{card.version} lacks {name} in the store", self._objects.url)
        (folder / CARD).write_text(card.to_json(), encoding="utf-8")
        try:
            verify_files(folder)
        except VersionDamaged as error:
            where = f"{self._objects.url}/{card.pair}/{card.version}"
            raise VersionDamaged(f"what the store has is refused: {error.problem}", where) from error

    def _other(self, card: Card) -> VersionError:
        return VersionError(
            f"{card.pair}/{card.version} in the store is another version than the one here, though of the same name: "
            "rename or remove one of them",
            self._objects.url,
        )


def check_file_name(name: str, place: str) -> None:
    """Refuse what could lead out of a folder: a card in a store is a file, and anybody may have written it.

    Raises:
        VersionDamaged: it does.
    """
    if Path(name).name != name or name.startswith("."):
        raise VersionDamaged(f"{name!r} is no file of a version", place)


def _object(card: Card, name: str) -> str:
    return f"{card.pair}/{card.version}/{name}.{card.files[name][:HASH_CHARS]}"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def is_name(pair: str, name: str) -> bool:
    """Whether `check_name` lets it through."""
    try:
        check_name(pair, name)
    except VersionError:
        return False
    return True

"""Objects in a store that several servers share, through fsspec: listed, read, sent, and created where there is none.

`create` is what all else rests on: of two that create the same object, one is told that it was late. S3 does so by
`If-None-Match`, a folder by a hard link, which shows an object whole or not at all. Of the other stores that fsspec
knows many look first and write then, so that two may win: none of them is let in untried (`KINDS`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.errors import StoreDown
from model.versions.disk import sync

FOLDER, S3 = "file", "s3"
PROBES = "_probes"
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 5, 30
KINDS: dict[str, dict[str, Any]] = {
    FOLDER: {},
    S3: {
        "use_listings_cache": False,
        "config_kwargs": {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": READ_TIMEOUT_S,
            "retries": {"mode": "standard", "total_max_attempts": 2},
        },
    },
}
"""Scheme of the URL -> what fsspec is told. Who we are to a store is in the environment, as for its other clients."""
NO_BUCKET = "NoSuchBucket"
LATE = ("PreconditionFailed", "ConditionalRequestConflict")
"""How S3 says that somebody else was faster."""


class Objects:
    """The objects below one URL; names have `/` between their parts. Safe to use from any thread, but not on the event
    loop. Whatever keeps the store from answering is `StoreDown`."""

    def __init__(self, url: str) -> None:
        """`url` as `app.setting_values.models_url` lets it through. Nothing is opened before the first use."""
        self.url = url
        self._kind, _, path = url.partition("://")
        self._root = path.rstrip("/")
        self._opened: Any = None
        self._proven = self._kind == FOLDER
        """Whether the store was seen to refuse what is there already."""

    def names(self, folder: str) -> list[str]:
        """What is directly in `folder`, objects and folders, by their last names."""
        with self._answering() as store:
            try:
                found = store.ls(self._path(folder), detail=False, refresh=True)
            except FileNotFoundError as error:
                _refuse_missing_bucket(error)
                return []
        last = (path.rstrip("/").rpartition("/")[2] for path in found)
        return sorted(name for name in last if not name.startswith("."))

    def read(self, name: str) -> bytes | None:
        """An object; None if there is none."""
        with self._answering() as store:
            try:
                content: bytes = store.cat_file(self._path(name))
            except FileNotFoundError as error:
                _refuse_missing_bucket(error)
                return None
        return content

    def size(self, name: str) -> int | None:
        """Bytes of an object; None if there is none."""
        with self._answering() as store:
            try:
                return int(store.info(self._path(name), refresh=True)["size"])
            except FileNotFoundError as error:
                _refuse_missing_bucket(error)
                return None

    def create(self, name: str, content: bytes) -> bool:
        """Create an object, whole; False if there is another of that name, which stays.

        An object with the same content counts as created: an answer may get lost and the client try again.
        """
        with self._answering() as store:
            if not self._proven:
                self._prove(store)
            if self._try(store, name, content):
                return True
        return self.read(name) == content

    def _prove(self, store: Any) -> None:
        """See the store refuse what is there, on an object of its own."""
        name = f"{PROBES}/{uuid.uuid4().hex}"
        if self._try(store, name, b"{}") and self._try(store, name, b"[]"):
            raise self._down("it writes over what is there, though asked not to: its server is too old")
        with contextlib.suppress(OSError):  # who may not remove anything leaves it
            store.rm_file(self._path(name))
        self._proven = True

    def _try(self, store: Any, name: str, content: bytes) -> bool:
        try:
            if self._kind == FOLDER:
                _link(Path(self._path(name)), content)
            else:
                store.pipe_file(self._path(name), content, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            if _code(error) not in LATE:
                raise
            return False
        return True

    def send(self, file: Path, name: str) -> None:
        """Copy `file` to the store, over what has that name; whole or not at all."""
        with self._answering() as store:
            if self._kind == FOLDER:
                with _beside(Path(self._path(name))) as temporary:
                    shutil.copyfile(file, temporary)
                    sync(temporary)
                    temporary.replace(self._path(name))
                    sync(Path(self._path(name)).parent)
            else:
                store.put_file(str(file), self._path(name))

    def fetch(self, name: str, file: Path) -> bool:
        """Copy an object to `file`; False if there is none."""
        with self._answering() as store:
            try:
                store.get_file(self._path(name), str(file))
            except FileNotFoundError as error:
                _refuse_missing_bucket(error)
                return False
        return True

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    @contextlib.contextmanager
    def _answering(self) -> Iterator[Any]:
        """What fsspec has for the store. Its clients raise whatever they like, of which the kind is told and, of errors
        of the system and of S3 and of what is not installed, what they say: no credentials are in it."""
        try:
            if self._kind == FOLDER and not Path(self._root).is_dir():
                raise FileNotFoundError(f"there is no folder {self._root}: create it, or mount what it is on")
            yield self._open()
        except StoreDown:
            raise
        except Exception as error:
            kind = type(error).__name__
            what = f"{kind}: {error}" if isinstance(error, OSError | ImportError) else kind
            raise self._down(what) from error

    def _down(self, why: str) -> StoreDown:
        return StoreDown(f"the store {self.url} cannot be used: {why}")

    def _open(self) -> Any:
        if self._opened is None:
            import fsspec

            self._opened = fsspec.filesystem(self._kind, skip_instance_cache=True, **KINDS[self._kind])
        return self._opened


def _code(error: BaseException) -> str:
    """What S3 calls the error; empty if it is none of S3's."""
    response = getattr(error.__cause__, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _refuse_missing_bucket(error: FileNotFoundError) -> None:
    """A bucket that is not there is not an empty one."""
    if _code(error) == NO_BUCKET:
        raise error


def _link(path: Path, content: bytes) -> None:
    """Write `content` to `path`.

    Raises:
        FileExistsError: there is such a file.
    """
    with _beside(path) as temporary:
        temporary.write_bytes(content)
        sync(temporary)
        os.link(temporary, path)
        sync(path.parent)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A new file in the folder of `path`, for all to read; gone at the end, if it still has its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        temporary.chmod(0o644)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)

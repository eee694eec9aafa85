"""One file from an HTTP server: resumable, retried, checked, and in place only when it is whole."""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from model.config import JsonConfig, require
from model.errors import ModelError

Result = TypeVar("Result")

CHUNK = 1 << 16
USER_AGENT = "traghetto"
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be other ones soon; all others above 400 are final."""
MAX_WAIT_S = 30.0
WRONG_RANGE = 416
HINT = "without a network, download it elsewhere and give the file with --url"


class FetchError(ModelError):
    """A file could not be downloaded, is not what was expected, or cannot be written."""


class _Interrupted(Exception):
    """The connection failed or ended early, or the server is busy: worth another try."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


@dataclass(frozen=True)
class HttpConfig(JsonConfig):
    """Patience with servers."""

    retries: int = 4
    """Tries after the first that bring nothing, before giving up."""
    timeout_s: float = 30.0
    """Longest silence of a server."""
    wait_s: float = 1.0
    """Before the first new try; doubled each time, up to 30 s."""

    def __post_init__(self) -> None:
        require(self.retries >= 0, "retries must be 0 or more")
        require(self.timeout_s > 0 and self.wait_s >= 0, "timeout_s must be above 0 and wait_s not below")


DEFAULT_HTTP = HttpConfig()


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def get_json(url: str, config: HttpConfig = DEFAULT_HTTP) -> Any:
    """The JSON that `url` answers.

    Raises:
        FetchError: no answer, an error status, or no JSON.
    """

    def once() -> bytes:
        with _open(url, {}, config) as response:
            return _bytes(response, 1 << 24)

    try:
        return json.loads(_patiently(once, lambda: 0, url, config))
    except ValueError as error:
        raise FetchError(f"{url} did not answer JSON: {error}") from error


def download(url: str, to: Path, sha256: str | None, console: Console, config: HttpConfig = DEFAULT_HTTP) -> str:
    """Download `url` to the file `to` and return its SHA-256.

    What an interrupted download left in `to` + `.part` is completed, if the server says that its file is unchanged.

    Raises:
        FetchError: the server refuses or cannot be reached, the disk is full, or the checksum is not `sha256`.
    """
    with _bar(console) as bar:
        part = _Part(to, url, bar)
        _patiently(lambda: part.fetch(config), part.size, url, config)
    found = sha256_of(part.path)
    if sha256 is not None and found != sha256.lower():
        part.discard()
        raise FetchError(f"{url}: SHA-256 is {found}, expected {sha256.lower()}; what was downloaded is removed")
    part.path.replace(to)
    part.note.unlink(missing_ok=True)
    return found


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal)


def _patiently(once: Callable[[], Result], size: Callable[[], int], url: str, config: HttpConfig) -> Result:
    """`once` until it succeeds, with growing pauses. A try that made `size` larger makes up for the failed ones."""
    failures = 0
    while True:
        before = size()
        try:
            return once()
        except _Interrupted as error:
            failures = 1 if size() > before else failures + 1
            if failures > config.retries:
                raise FetchError(f"cannot get {url} ({failures} tries): {error}; {HINT}") from error
            time.sleep(min(MAX_WAIT_S, max(error.wait_s, config.wait_s * 2 ** (failures - 1))))


class _Part:
    """A download under way: the bytes so far, and beside them what file of the server they are of."""

    def __init__(self, to: Path, url: str, bar: Progress) -> None:
        self.path, self.note = (to.with_name(to.name + suffix) for suffix in (".part", ".part.json"))
        self._url, self._bar = url, bar
        self._task = bar.add_task(to.name, total=None)

    def size(self) -> int:
        """Bytes so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def discard(self) -> None:
        """Forget what was downloaded."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def fetch(self, config: HttpConfig) -> None:
        """One try: ask for the rest, or for the whole, and append what comes."""
        start, validator = self.size(), self._validator()
        if start and not validator:
            self.discard()
            start = 0
        headers = {"Range": f"bytes={start}-", "If-Range": validator} if start else {}
        try:
            response = _open(self._url, headers, config)
        except urllib.error.HTTPError as error:
            if error.code != WRONG_RANGE:
                raise
            self.discard()
            raise _Interrupted("the file on the server has changed") from error
        with response:
            if start and response.status != http.HTTPStatus.PARTIAL_CONTENT:
                self.discard()
                start = 0
            elif start and _range_start(response) != start:
                self.discard()
                raise _Interrupted("the server sent another part of the file than asked for")
            self._write(response, start)

    def _validator(self) -> str:
        """What names the version of the file that the bytes are of; empty if that is not known for sure."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        return str(note.get("validator", "")) if isinstance(note, dict) and note.get("url") == self._url else ""

    def _write(self, response: http.client.HTTPResponse, start: int) -> None:
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        self._bar.update(self._task, total=total, completed=start)
        free = shutil.disk_usage(self.path.parent).free
        if total is not None and total - start > free:
            raise FetchError(f"{self._url} needs {total - start:,} bytes, {self.path.parent} has only {free:,} free")
        try:
            note = {"url": self._url, "validator": _strong_validator(response)}
            self.note.write_text(json.dumps(note), encoding="utf-8")
            with self.path.open("ab") as file:
                while chunk := _bytes(response, CHUNK):
                    file.write(chunk)
                    self._bar.advance(self._task, len(chunk))
        except OSError as error:
            raise FetchError(f"cannot write {self.path}: {error.strerror or error}") from error
        if total is not None and self.size() != total:
            raise _Interrupted(f"the connection ended after {self.size():,} of {total:,} bytes")


def _strong_validator(response: http.client.HTTPResponse) -> str:
    """For If-Range: a strong ETag, else the date of the last change (RFC 9110, section 13.1.5)."""
    tag: str = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _range_start(response: http.client.HTTPResponse) -> int:
    """First byte of a 206 answer, from `Content-Range: bytes 100-199/200`; -1 if it does not say."""
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdecimal() else -1


def _bytes(response: http.client.HTTPResponse, size: int) -> bytes:
    """Up to `size` bytes. Failures of the network are told from those of the disk here."""
    try:
        return response.read(size)
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(f"the connection broke: {error or type(error).__name__}") from error


def _open(url: str, headers: dict[str, str], config: HttpConfig) -> http.client.HTTPResponse:
    """Send the request; the answer's body is still to be read."""
    request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT, **headers})
    try:
        response: http.client.HTTPResponse = _opener().open(request, timeout=config.timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == WRONG_RANGE:
            raise
        _refuse(url, error)
    except (OSError, http.client.HTTPException) as error:  # URLError and time-outs are OSError
        reason = getattr(error, "reason", None) or error
        raise _Interrupted(f"no connection to {urllib.parse.urlsplit(url).netloc}: {reason}") from error
    except ValueError as error:
        raise FetchError(f"{url} is not an address: {error}") from error
    return response


def _refuse(url: str, error: urllib.error.HTTPError) -> NoReturn:
    status = f"{error.code} {error.reason}".strip()
    if error.code in RETRIED:
        wait = error.headers.get("Retry-After", "")
        raise _Interrupted(f"the server answered {status}", float(wait) if wait.isdecimal() else 0.0) from error
    missing = "; is the name, its spelling and version right?" if error.code in (404, 410) else f"; {HINT}"
    raise FetchError(f"{url}: the server answered {status}{missing}") from error


def _opener() -> urllib.request.OpenerDirector:
    """http and https only: a redirect must not read local files."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler, urllib.request.UnknownHandler, urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler, urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):  # fmt: skip
        opener.add_handler(handler())
    return opener

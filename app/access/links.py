"""Links that a browser can open without a key: signed, for one page, for a short time.

A browser sends no `Authorization` header for an address that is typed or clicked. Who may see a page is given a link to
it, signed with a key that is made of the administration key, or, without one, that lies in the data directory: servers
that share either know each other's links.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from app.errors import Forbidden

log = logging.getLogger("traghetto.http")

KEY_FILE = "links.key"
KEY_BYTES = 32
VALID_S = 15 * 60
"""How long a link can be opened; what it showed may stay open."""


class Links:
    """Makes and checks links. Blocks at the first use, to read or make the key."""

    def __init__(
        self, data_dir: Path, clock: Callable[[], float] = time.time, admin_key: SecretStr | None = None
    ) -> None:
        """`clock` gives seconds since 1970."""
        self._path = data_dir / KEY_FILE
        self._clock = clock
        self._key = None if admin_key is None else _derived(admin_key)

    def sign(self, path: str) -> str:
        """`path` with the query that opens it until `VALID_S` from now."""
        expires = int(self._clock()) + VALID_S
        return f"{path}?expires={expires}&signature={self._signature(path, expires)}"

    def check(self, path: str, expires: int, signature: str) -> None:
        """Return if `sign` made these for `path`, and they can still be used.

        Raises:
            Forbidden: they were made for another path or by nobody, or are too old; or there is no key to be read.
                None is made, for who asks may be anybody.
        """
        expected = self._expected(path, expires)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise Forbidden("The signature of this link is wrong; ask for a new link.")
        if self._clock() >= expires:
            raise Forbidden(f"This link has expired: links can be used for {VALID_S // 60} minutes. Ask for a new one.")

    def _expected(self, path: str, expires: int) -> str:
        try:
            self._key = self._key or _read(self._path)
        except FileNotFoundError:
            raise Forbidden("There are no links yet; ask for one.") from None
        except (OSError, ValueError) as error:
            log.error("no link can be checked: %s", error)
            raise Forbidden("No link can be checked; who runs the server finds why in its log.") from error
        return self._signature(path, expires)

    def _signature(self, path: str, expires: int) -> str:
        if self._key is None:
            self._key = _read_or_make(self._path)
        return hmac.new(self._key, f"{expires} {path}".encode(), hashlib.sha256).hexdigest()


def _derived(admin_key: SecretStr) -> bytes:
    return hmac.new(admin_key.get_secret_value().encode(), b"traghetto links", hashlib.sha256).digest()


def _read_or_make(path: Path) -> bytes:
    """The key in `path`. Of several processes that make one at the same moment, one wins, and all use its key."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # for the owner alone
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)  # appears whole, and only if there is none
        except FileExistsError:
            pass
        finally:
            Path(temporary).unlink()
    return _read(path)


def _read(path: Path) -> bytes:
    """The key in `path`.

    Raises:
        OSError, ValueError: there is none, or none that can be used.
    """
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} has {len(key)} bytes, not {KEY_BYTES}: remove it, and a new one is made")
    return key

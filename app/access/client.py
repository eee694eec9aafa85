"""Who sent a request."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from app.scopes import Scope

ANONYMOUS = "anonymous"
ADMIN_KEY, LOCAL = OWNER_NAMES = ("admin key", "local")
"""Names of one and the same person: who runs the server knows its administration key, and has its command line."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who sent a request."""

    name: str
    """For the records: the id of the key, `admin key`, `local` (this machine's owner) or `anonymous`."""
    scopes: frozenset[Scope]
    key_id: UUID | None = None
    session: str | None = None
    """SHA-256 of the session token of a client without a key, if it sent one."""
    trusted: bool = False
    """Its corrections are approved at once, if no check marks them."""
    address: str = ""
    """Of a client without a key: that which it came from; of IPv6 the network, since one client has all of it."""
    requests: str | None = None
    """How often its key may ask, such as `100/minute`; None: as all keys."""
    characters_per_month: int | None = None
    """How much its key may have translated; None: as all keys; 0: any number."""

    @property
    def is_owner(self) -> bool:
        """Whether it is who runs the server, whichever way."""
        return self.key_id is None and self.name in OWNER_NAMES

    @property
    def has_key(self) -> bool:
        """Whether it sent one, which no web page can make a browser do."""
        return self.key_id is not None or self.name == ADMIN_KEY

    @property
    def kind(self) -> str:
        """`key`, `owner` or `anonymous`: what may be told of it."""
        if self.key_id is not None:
            return "key"
        return "owner" if self.is_owner else ANONYMOUS

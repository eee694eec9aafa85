"""Who is asking, and what they may do."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from app.access import forgery
from app.errors import AdminClosed, FieldError, Forbidden, InvalidRequest, NotAuthorised
from app.scopes import ALL_SCOPES, CLOSED_SCOPES, Scope

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.requests import Request

    from app.settings import Settings

SESSION_HEADER = "X-Traghetto-Session"
SESSION_CHARS = range(16, 129)
PROXY_HEADERS = ("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip")
"""Besides `x-forwarded-...`: what reverse proxies and tunnels add. Behind one, strangers look like this machine."""
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

    @property
    def is_owner(self) -> bool:
        """Whether it is who runs the server, whichever way."""
        return self.key_id is None and self.name in OWNER_NAMES


class KeyFinder(Protocol):
    """Knows the keys; see `app.access.keys.Keys`."""

    async def find(self, key: str) -> Client | None:
        """Whose key it is; None if nobody's, or revoked."""


class Access:
    """Decides who sent a request and whether they may do what it asks for."""

    def __init__(self, settings: Settings, keys: KeyFinder) -> None:
        self._keys = keys
        self._open = settings.open_to_all
        self._local = settings.is_local
        self._hosts = settings.hosts_allowed
        key = settings.admin_key
        self._admin_hash = _sha256(key.get_secret_value().encode()) if key is not None else None
        self._translate_open = "translate" in self._open
        self._has_owner = self._local and self._admin_hash is None and not self._hosts

    async def require(self, request: Request, scope: Scope, key: str | None = None) -> Client:
        """The client that sent `request`, which needs `scope`; its key is `key`, from its body or query, or that of its
        `Authorization` header.

        Raises:
            NotAuthorised: it carries no key and needs one, or one that is wrong or revoked.
            AdminClosed: it carries no key, on a server that has an owner, and is not surely the owner's.
            Forbidden: its key lacks the scope; or it carries none and a web page could have sent it.
            UnsupportedBody: it carries no key and a body of a type that a web page could have sent.
            InvalidRequest: the session header is malformed.
            DatabaseDown: it carries a key that cannot be looked up.
        """
        key = _as_in_a_header(key) if key else _bearer_key(request.headers)
        if key is None:
            return self._keyless(request, scope)
        client = await self._holder(key)
        if scope not in client.scopes:
            raise Forbidden(f"This key has not the scope {scope!r}; it has: {', '.join(sorted(client.scopes))}.")
        return client

    async def require_translate(self, request: Request) -> None:
        """As `require` for `translate`, at next to no cost where that is open to all and no key was sent."""
        if not self._translate_open or b"authorization" in dict(request.scope["headers"]):
            await self.require(request, "translate")

    def is_stranger(self, request: Request) -> bool:
        """Whether nothing tells who sent `request`, which may be sent without a key: no key does, and it is not surely
        the owner."""
        return _bearer_key(request.headers) is None and not self._is_owner(request)

    async def _holder(self, key: str) -> Client:
        if self._admin_hash is not None and secrets.compare_digest(_sha256(key.encode("latin-1")), self._admin_hash):
            return Client(ADMIN_KEY, ALL_SCOPES)
        client = await self._keys.find(key)
        if client is None:
            raise NotAuthorised("This key is wrong or was revoked.")
        return client

    def _keyless(self, request: Request, scope: Scope) -> Client:
        owner = self._is_owner(request)
        client = Client(LOCAL, ALL_SCOPES) if owner else Client("anonymous", self._open)
        if scope not in client.scopes:
            raise self._refusal(scope)
        if scope != "translate":
            self._refuse_forged(request, guarded=owner or scope in CLOSED_SCOPES)
        return Client(client.name, client.scopes, session=_session(request.headers))

    def _is_owner(self, request: Request) -> bool:
        """Whether it was sent on this machine, straight to a server that only this machine reaches: not one with an
        administration key, nor one that was told of a proxy's name.

        HTTP/1.0 is what a proxy may speak that leaves no other trace (nginx, by its old default).
        """
        return (
            self._has_owner
            and request.client is not None
            and _is_loopback(request.client.host)
            and request.scope.get("http_version") != "1.0"
            and not _came_through_proxy(request.headers)
        )

    def _refuse_forged(self, request: Request, *, guarded: bool) -> None:
        """Nothing proves that the sender wanted this: so it must not be what a web page can make a browser send.

        `guarded`: what is read is the owner's, too.
        """
        changes = request.method not in forgery.SAFE_METHODS
        if not (changes or guarded):
            return
        if self._local or self._hosts:
            forgery.check_host(request.headers, self._hosts)
        forgery.check_origin(request.headers)
        if changes:
            forgery.check_content_type(request.headers)

    def _refusal(self, scope: Scope) -> NotAuthorised:
        how = f"Send a key as `Authorization: Bearer KEY`; `traghetto keys create NAME --scope {scope}` makes one."
        if scope in CLOSED_SCOPES and self._has_owner:
            return AdminClosed(
                "Without a key this is open only to what comes straight from the server's machine; this came through a "
                f"proxy, or by HTTP/1.0 as proxies speak it. {how}"
            )
        return NotAuthorised(f"This needs a key with the scope {scope!r}. {how}")


def _bearer_key(headers: Headers) -> str | None:
    """The key that a request carries. `Basic` belongs to a proxy in front: browsers add it, so that it proves nothing.

    Raises:
        NotAuthorised: the header holds something else.
    """
    given = headers.getlist("authorization")
    schemes = [value.partition(" ")[0].lower() for value in given]
    if not given or schemes == ["basic"]:
        return None
    key = given[0].partition(" ")[2].strip()
    if schemes != ["bearer"] or not key:
        raise NotAuthorised("Send the key as: Authorization: Bearer KEY.")
    return key


def _session(headers: Headers) -> str | None:
    token = headers.get(SESSION_HEADER)
    if token is None:
        return None
    if len(token) not in SESSION_CHARS or not (token.isascii() and token.isprintable()):
        least, most = SESSION_CHARS[0], SESSION_CHARS[-1]
        raise InvalidRequest([FieldError(SESSION_HEADER, f"must be {least} to {most} printable ASCII characters")])
    return _sha256(token.encode())


def _came_through_proxy(headers: Headers) -> bool:
    if "authorization" in headers:  # `Basic`, or it would not have come so far
        return True
    return any(name in PROXY_HEADERS or name.startswith("x-forwarded") for name in headers)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _sha256(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()


def _as_in_a_header(key: str) -> str:
    """`key` as it would be read from a header, each of whose letters is a byte."""
    return key.encode("utf-8", "surrogatepass").decode("latin-1")

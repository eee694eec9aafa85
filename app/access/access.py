"""Who is asking, and what they may do."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from app.access import forgery
from app.access.client import ADMIN_KEY, ANONYMOUS, LOCAL, Client
from app.errors import AdminClosed, FieldError, Forbidden, InvalidRequest, NotAuthorised
from app.scopes import ALL_SCOPES, CLOSED_SCOPES, Scope

if TYPE_CHECKING:
    from starlette.requests import Request

    from app.access.rates import Rates
    from app.settings import Settings

SESSION_HEADER = "X-Traghetto-Session"
SESSION_CHARS = range(16, 129)
SESSION_NAME = SESSION_HEADER.lower().encode()
PROXY_HEADERS = frozenset(
    (b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip", b"authorization")
)
"""Besides `x-forwarded-...`: what reverse proxies and tunnels add. Behind one, strangers look like this machine. The
last is `Basic`, or a request with it would not have come so far."""


class KeyFinder(Protocol):
    """Knows the keys; see `app.access.keys.Keys`."""

    def is_known(self, key: str) -> bool:
        """Whether it was right not long ago."""

    async def find(self, key: str) -> Client | None:
        """Whose key it is; None if nobody's, or revoked."""


class Access:
    """Decides who sent a request and whether they may do what it asks for."""

    def __init__(self, settings: Settings, keys: KeyFinder, rates: Rates) -> None:
        self._keys = keys
        self._rates = rates
        self._open = settings.open_to_all
        self._local = settings.is_local
        self._hosts = settings.hosts_allowed
        key = settings.admin_key
        self._admin_hash = _sha256(key.get_secret_value().encode()) if key is not None else None
        self._without_key = lru_cache(maxsize=1024)(_without_key)  # the same one asks again and again
        self.has_owner = (
            self._local and self._admin_hash is None and not self._hosts and settings.trusted_proxies is None
        )
        """Whether who sends a request straight from this machine needs no key."""

    async def require(
        self, request: Request, scope: Scope, key: str | None = None, *, or_else: Scope | None = None
    ) -> Client:
        """The client that sent `request`, which needs `scope`, or `or_else` with a key; its key is `key`, from its body
        or query, or that of its `Authorization` header. The request is counted; to look up a key that is not known yet
        counts for the address that it comes from.

        Raises:
            NotAuthorised: it carries no key and needs one, or one that is wrong or revoked.
            AdminClosed: it carries no key, on a server that has an owner, and is not surely the owner's.
            Forbidden: its key lacks the scope; or it carries none and a web page could have sent it.
            UnsupportedBody: it carries no key and a body of a type that a web page could have sent.
            InvalidRequest: the session header is malformed.
            DatabaseDown: it carries a key that cannot be looked up.
            TooManyRequests: the client has asked as often as it may.
        """
        key = _as_in_a_header(key) if key else _bearer_key(request)
        client = self._keyless(request, scope) if key is None else await self._holder(key, request)
        if not client.is_owner:
            await self._rates.request(client)
        if scope not in client.scopes and or_else not in client.scopes:
            raise Forbidden(f"This key has not the scope {scope!r}; it has: {', '.join(sorted(client.scopes))}.")
        return client

    def is_stranger(self, request: Request) -> bool:
        """Whether nothing tells who sent `request`, which may be sent without a key: no key does, and it is not surely
        the owner."""
        return _bearer_key(request) is None and not self._is_owner(request)

    def refuse_forged(self, request: Request, client: Client) -> None:
        """Refuse to tell a web page of another site what is `client`'s, which sent no key.

        Raises:
            Forbidden: as `require` for a scope that is not open.
        """
        if not client.has_key:
            self._refuse_forged(request, guarded=True)

    async def _holder(self, key: str, request: Request) -> Client:
        if self._admin_hash is not None and secrets.compare_digest(_sha256(key.encode("latin-1")), self._admin_hash):
            return Client(ADMIN_KEY, ALL_SCOPES)
        if not self._keys.is_known(key):
            await self._rates.request(Client(ANONYMOUS, frozenset(), address=_address(request)))
        client = await self._keys.find(key)
        if client is None:
            raise NotAuthorised("This key is wrong or was revoked.")
        return client

    def _keyless(self, request: Request, scope: Scope) -> Client:
        owner = self._is_owner(request)
        scopes = ALL_SCOPES if owner else self._open
        if scope not in scopes:
            raise self._refusal(scope)
        if scope != "translate":
            self._refuse_forged(request, guarded=owner or scope in CLOSED_SCOPES)
        return self._without_key(LOCAL if owner else ANONYMOUS, scopes, _session(request), _address(request))

    def _is_owner(self, request: Request) -> bool:
        """Whether it was sent on this machine, straight to a server that only this machine reaches: not one with an
        administration key, nor one that was told of a proxy's name.

        HTTP/1.0 is what a proxy may speak that leaves no other trace (nginx, by its old default).
        """
        return (
            self.has_owner
            and _is_loopback(_host(request))
            and request.scope.get("http_version") != "1.0"
            and not _came_through_proxy(_names(request))
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
        if scope in CLOSED_SCOPES and self.has_owner:
            return AdminClosed(
                "Without a key this is open only to what comes straight from the server's machine; this came through a "
                f"proxy, or by HTTP/1.0 as proxies speak it. {how}"
            )
        return NotAuthorised(f"This needs a key with the scope {scope!r}. {how}")


def _without_key(name: str, scopes: frozenset[Scope], session: str | None, address: str) -> Client:
    return Client(name, scopes, session=session, address=address)


def _names(request: Request) -> set[bytes]:
    """Of the header fields, in small letters: read thousands of times a second."""
    return {name for name, _ in request.scope["headers"]}


def _bearer_key(request: Request) -> str | None:
    """The key that a request carries. `Basic` belongs to a proxy in front: browsers add it, so that it proves nothing.

    Raises:
        NotAuthorised: the header holds something else.
    """
    if b"authorization" not in _names(request):
        return None
    given = request.headers.getlist("authorization")
    schemes = [value.partition(" ")[0].lower() for value in given]
    if schemes == ["basic"]:
        return None
    key = given[0].partition(" ")[2].strip()
    if schemes != ["bearer"] or not key:
        raise NotAuthorised("Send the key as: Authorization: Bearer KEY.")
    return key


def _session(request: Request) -> str | None:
    if SESSION_NAME not in _names(request):
        return None
    token = request.headers[SESSION_HEADER]
    if len(token) not in SESSION_CHARS or not (token.isascii() and token.isprintable()):
        least, most = SESSION_CHARS[0], SESSION_CHARS[-1]
        raise InvalidRequest([FieldError(SESSION_HEADER, f"must be {least} to {most} printable ASCII characters")])
    return _sha256(token.encode())


def _came_through_proxy(names: set[bytes]) -> bool:
    return not names.isdisjoint(PROXY_HEADERS) or any(name.startswith(b"x-forwarded") for name in names)


def _address(request: Request) -> str:
    return _network(_host(request))


def _host(request: Request) -> str:
    """The address that it came from; empty if that is not known."""
    client = request.scope.get("client")
    return client[0] if client is not None else ""


@lru_cache(maxsize=4096)
def _network(address: str) -> str:
    """`address`, or of IPv6 the /64 network that it is in: a client has all of that."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))


@lru_cache(maxsize=4096)
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

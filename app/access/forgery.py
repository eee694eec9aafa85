"""What a web page can make the browser of somebody on this machine send, and how such a request is told.

A request without a key proves nothing about who wanted it: any page that is open in a browser here can send one to
localhost. Three signs tell: the name that the browser was told to call (DNS rebinding makes a foreign name point here),
the page's origin, and the types of body that HTML forms and simple `fetch` calls send without asking first.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.errors import Forbidden, UnsupportedBody

if TYPE_CHECKING:
    from starlette.datastructures import Headers

SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
FOREIGN_SITES = frozenset(("cross-site", "same-site"))
BODY_TYPES = frozenset(
    (
        "application/json",
        "application/octet-stream",
        "application/jsonl",
        "application/x-ndjson",
        "application/x-tmx+xml",
    )
)
"""None of those that browsers send to other sites without asking them first (Fetch: CORS-safelisted headers)."""
HINT = "or send a key as `Authorization: Bearer KEY`"


def check_host(headers: Headers, allowed: Collection[str] = ()) -> None:
    """Refuse a request for a name that is not this machine's and not in `allowed`.

    Raises:
        Forbidden: the name is foreign, or there is none.
    """
    hosts = headers.getlist("host")
    name = _name(hosts[0]) if len(hosts) == 1 else ""
    if not (_is_this_machine(name) or name in allowed):
        raise Forbidden(
            "Without a key this server answers that only under the names localhost, 127.0.0.1 and [::1], or one in "
            f"TRAGHETTO_ALLOWED_HOSTS. Call it by such a name, {HINT}."
        )


def check_origin(headers: Headers) -> None:
    """Refuse what a page of another origin sent.

    The scheme is not compared: behind a proxy with TLS the page has https and the request http.

    Raises:
        Forbidden: the origin is another than the host that is called, or opaque (`null`).
    """
    origins = headers.getlist("origin")
    foreign = any(not _is_own(origin, headers.get("host", "")) for origin in origins)
    if foreign or headers.get("sec-fetch-site", "").lower() in FOREIGN_SITES:
        raise Forbidden(f"A page of another site may not do this. Use the server's own pages, {HINT}.")


def check_content_type(headers: Headers) -> None:
    """Refuse a body that a form, or a script that asks nobody, could have sent.

    Raises:
        UnsupportedBody: there is a body of none of `BODY_TYPES`.
    """
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    types = [value.partition(";")[0].strip().lower() for value in headers.getlist("content-type")]
    if has_body and not (len(types) == 1 and types[0] in BODY_TYPES):
        raise UnsupportedBody(
            ", ".join(headers.getlist("content-type")),
            "Without a key a body needs the header `Content-Type: application/json`, or for a file "
            f"`application/octet-stream`. Send it, {HINT}.",
        )


def _name(host: str) -> str:
    """The name in a Host header, in lower case and without the port; empty if it is malformed."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises if it is no number
    except ValueError:
        return ""
    whole = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    return (parts.hostname or "") if whole else ""


def _is_this_machine(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_own(origin: str, host: str) -> bool:
    scheme, separator, rest = origin.lower().partition("://")
    return scheme in ("http", "https") and bool(separator) and bool(rest) and rest == host.lower()

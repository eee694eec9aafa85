"""What the values of settings may be: each function gives one back as it is used, or raises `ValueError`."""

from __future__ import annotations

import ipaddress
import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

if TYPE_CHECKING:
    from limits import RateLimitItem

NO_RATE = "none"
MIN_ADMIN_KEY_CHARS = 16
STORES = ("file", "s3")
"""Schemes of what `app.versions.shared_objects` can use."""
DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def database_url(url: str) -> str:
    """Of a database that is supported, with the driver that is used here."""
    from sqlalchemy.engine import make_url  # slow to import: only where there is a URL to look at
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("not a database URL such as postgresql://user:password@host/name") from None
    if parsed.drivername not in DRIVERS:
        raise ValueError(f"{parsed.drivername!r} is not supported; use sqlite:///file or postgresql://user@host/name")
    return parsed.set(drivername=DRIVERS[parsed.drivername]).render_as_string(hide_password=False)


def admin_key(key: SecretStr) -> SecretStr:
    """Long enough not to be guessed."""
    if len(key.get_secret_value()) < MIN_ADMIN_KEY_CHARS:
        raise ValueError(f"must have at least {MIN_ADMIN_KEY_CHARS} characters; try: openssl rand -hex 24")
    return key


def open_scopes(scopes: str) -> str:
    """Scopes that may be open to all, or none."""
    names = [name.strip() for name in scopes.split(",")]
    if names != ["none"] and not set(names) <= {"translate", "correct"}:
        raise ValueError("must be none, translate, correct, or translate,correct; review and admin always need a key")
    return ",".join(names)


def hosts(hosts: str) -> str:
    """Names of hosts, without scheme and port."""
    names = [name.strip() for name in hosts.split(",")]
    wrong = [name for name in names if not re.fullmatch(r"[A-Za-z0-9._-]+", name)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is not a host name such as translate.example.org, without scheme and port")
    return ",".join(names)


@lru_cache(maxsize=1024)
def parsed_rates(text: str) -> list[RateLimitItem]:
    """What the library `limits` makes of rates such as `600/minute;20000/day`; nothing of `none`.

    Raises:
        ValueError: they cannot be read, or allow nothing.
    """
    from limits import parse_many  # slow to import: only where rates are looked at

    if text.strip().lower() == NO_RATE:
        return []
    items = parse_many(text)
    if any(item.amount < 1 for item in items):
        raise ValueError(f"{text!r} allows nothing; {NO_RATE} is no limit")
    return items


def rates(text: str) -> str:
    """Rates, or none."""
    try:
        return text if parsed_rates(text) else NO_RATE
    except ValueError:
        raise ValueError(f"{text!r} is not a rate such as 600/minute or 20/second;20000/day, or {NO_RATE}") from None


def proxies(proxies: str) -> str:
    """Addresses or networks."""
    names = [name.strip() for name in proxies.split(",")]
    for name in names:
        try:
            everybody = ipaddress.ip_network(name).prefixlen == 0
        except ValueError:
            raise ValueError(f"{name!r} is not an address or a network such as 10.0.0.0/8") from None
        if everybody:
            raise ValueError(f"{name} is everybody: whoever asks could then say where from")
    return ",".join(names)


def origins(origins: str) -> str:
    """Origins of pages, or any."""
    names = [name.strip().rstrip("/") for name in origins.split(",")]
    wrong = [name for name in names if name != "*" and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]_-]+", name)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is not an origin such as https://example.org, or *")
    return ",".join(names)


def redis_url(url: SecretStr) -> SecretStr:
    """Of a Redis server, sentinel or cluster."""
    try:
        whole = bool(urlsplit(url.get_secret_value()).hostname) and urlsplit(url.get_secret_value()).port != 0
    except ValueError:
        whole = False
    whole = whole or url.get_secret_value().startswith("redis+unix:///")
    if not whole or not re.match(r"(redis|rediss)://|redis\+(sentinel|cluster|unix)://", url.get_secret_value()):
        raise ValueError("not a Redis URL such as redis://127.0.0.1:6379/0")
    return url


def models_url(url: str) -> str:
    """Of a store that servers can share; who may use it is none of its parts."""
    try:
        parts = urlsplit(url)
        secret = parts.username is not None or parts.password is not None or bool(parts.query or parts.fragment)
        whole = bool(parts.path.strip("/") if parts.scheme == "file" else parts.hostname)
    except ValueError:
        raise ValueError("not the URL of a store such as s3://bucket/models or file:///shared/models") from None
    if secret:
        raise ValueError("must hold no user, password or `?`: credentials come from the environment (AWS_PROFILE, ...)")
    if not whole or parts.scheme not in STORES or (parts.scheme == "file" and parts.netloc):
        raise ValueError("not the URL of a store such as s3://bucket/models or file:///shared/models")
    return url.rstrip("/")


def least_amount(text: str) -> float:
    """The smallest amount of rates, which were checked."""
    return min((item.amount for item in parsed_rates(text)), default=math.inf)

"""How often a client may ask, and how much text it may send within a while: by its key, its session, its address.

The library `limits` counts, by a sliding window of two counters; in this process, or in Redis for several workers and
replicas together. While Redis does not answer, each process counts for itself: nobody is turned away for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, cast

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, SlidingWindowCounterSupport, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from limits.storage import storage_from_string

from app.errors import TooManyRequests
from app.setting_values import NO_RATE, parsed_rates

if TYPE_CHECKING:
    from app.access.client import Client
    from app.metrics import Metrics
    from app.settings import Settings

log = logging.getLogger("traghetto.access")

SHARED_TIMEOUT_S = 0.5
"""For Redis to answer, before this process counts for itself."""
FORGET_EVERY_S = 60.0
ALONE_S = 5.0
"""For how long it then does, before Redis is asked again."""
Unit = str
REQUESTS, CHARACTERS = "requests", "characters"


class Bucket(NamedTuple):
    """What one client has spent of one kind is counted here."""

    kind: str
    """`address`, `session` or `key`."""
    identity: str
    rates: str
    """Such as `600/minute;20000/day`, or `none`."""


class Rates:
    """Counts what clients spend, and refuses who has spent too much."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._of_kind = {
            (unit, kind): str(getattr(settings, f"{unit}_per_{kind}"))
            for unit in (REQUESTS, CHARACTERS)
            for kind in ("address", "session", "key")
        }
        self._metrics = metrics
        self._memory = MemoryStorage()
        self._own = SlidingWindowCounterRateLimiter(self._memory)
        url = settings.redis_url
        self._shared = _shared(url.get_secret_value()) if url is not None else None
        self._is_away = False
        """Whether Redis did not answer the last time."""
        self._alone_until = 0.0

    async def request(self, client: Client) -> None:
        """Count one request of `client`.

        Raises:
            TooManyRequests: it has made as many as it may.
        """
        await self._spend(client, REQUESTS, 1)

    async def characters(self, client: Client, count: int) -> None:
        """Count `count` characters that `client` wants translated.

        Raises:
            TooManyRequests: it has sent as many as it may.
        """
        await self._spend(client, CHARACTERS, count)

    def of(self, client: Client) -> dict[str, str]:
        """The rates that `client` is held to, by the names of their settings."""
        buckets = ((unit, bucket) for unit in (REQUESTS, CHARACTERS) for bucket in self._buckets(client, unit))
        return {f"{unit}_per_{bucket.kind}": bucket.rates for unit, bucket in buckets if bucket.rates != NO_RATE}

    async def run(self) -> None:
        """Forget what counts no more, now and then, until cancelled. The library would look through all of it at each
        request, which is slow once many clients were there; it does not while this task is its timer."""
        self._memory.timer = asyncio.current_task()
        while True:
            await asyncio.sleep(FORGET_EVERY_S)
            now = time.time()
            for key in [key for key, expires in self._memory.expirations.items() if expires <= now]:
                for kept in (self._memory.storage, self._memory.expirations, self._memory.locks):
                    kept.pop(key, None)

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._shared is not None:
            from redis import RedisError  # slow to import: only where there is one

            with contextlib.suppress(RedisError, OSError):
                await self._shared.storage.bridge.get_connection().aclose()  # type: ignore[attr-defined]

    async def _spend(self, client: Client, unit: Unit, cost: int) -> None:
        for kind, identity, rates in self._buckets(client, unit):
            for item in parsed_rates(rates):
                if not await self._hit(item, (kind, unit, identity), cost):
                    setting = f"{unit}_per_{kind}"
                    self._metrics.limited(setting)
                    wait_s = await self._wait_s(item, (kind, unit, identity), cost)
                    raise TooManyRequests(setting, _said(item, unit, kind), wait_s)

    def _buckets(self, client: Client, unit: Unit) -> Iterator[Bucket]:
        """None for who runs the server."""
        if client.is_owner:
            return
        if client.key_id is not None:
            own = client.requests if unit == REQUESTS else None
            yield Bucket("key", str(client.key_id), own or self._of_kind[unit, "key"])
            return
        if client.session is not None:  # first: who is refused by it takes nothing from others at its address
            yield Bucket("session", client.session, self._of_kind[unit, "session"])
        yield Bucket("address", client.address, self._of_kind[unit, "address"])

    @property
    def _may_ask_redis(self) -> bool:
        return time.monotonic() >= self._alone_until

    async def _hit(self, item: RateLimitItem, names: tuple[str, ...], cost: int) -> bool:
        if self._shared is not None and self._may_ask_redis:
            if self._is_away:
                self._alone_until = time.monotonic() + ALONE_S  # this one tries, and the others need not wait
            try:
                allowed = await self._shared.hit(item, *names, cost=cost)
            except StorageError as error:
                self._alone_until = time.monotonic() + ALONE_S
                if not self._is_away:
                    kind = type(error.__cause__).__name__
                    log.warning("Redis does not answer, and each process limits for itself: %s", kind)
                self._is_away = True
            else:
                self._is_away, self._alone_until = False, 0.0
                return allowed
        return await self._own.hit(item, *names, cost=cost)

    async def _wait_s(self, item: RateLimitItem, names: tuple[str, ...], cost: int) -> int:
        """Whole seconds until `cost` could be spent, if nobody of the same bucket is faster."""
        shared = self._shared if self._may_ask_redis else None
        storage = (shared or self._own).storage
        window_s, counting = item.get_expiry(), cast(SlidingWindowCounterSupport, storage)
        try:
            counts = await counting.get_sliding_window(item.key_for(*names), window_s)
        except StorageError:
            return 1
        return max(1, math.ceil(_until_free_s(item.amount - cost, window_s, *counts)))


def _until_free_s(
    most: int, window_s: int, before: int, before_left_s: float, current: int, current_kept_s: float
) -> float:
    """Seconds until no more than `most` count. What was spent in the window before counts less and less until the
    present one ends; what was spent in this one does so after it."""
    left_s = current_kept_s - window_s if current else before_left_s
    if (excess := before * before_left_s / window_s + current - most) <= 0:
        return 0.0
    if before and excess * window_s / before <= left_s:
        return excess * window_s / before
    return left_s + (window_s * (1 - most / current) if current > most else 0.0)


def _said(item: RateLimitItem, unit: Unit, kind: str) -> str:
    """Such as `600 requests from one address within 1 minute`."""
    many = "" if item.multiples == 1 else "s"
    return f"{item.amount} {unit} from one {kind} within {item.multiples} {item.GRANULARITY.name}{many}"


def _shared(url: str) -> SlidingWindowCounterRateLimiter:
    """Counts in the Redis at `url`. Nothing is connected before the first use."""
    storage = storage_from_string(
        f"async+{url}", implementation="redispy", wrap_exceptions=True, key_prefix="traghetto",
        socket_timeout=SHARED_TIMEOUT_S, socket_connect_timeout=SHARED_TIMEOUT_S,
    )  # fmt: skip
    return SlidingWindowCounterRateLimiter(cast(Storage, storage))

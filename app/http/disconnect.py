"""Notices clients that went away while they waited, so that nobody translates for them.

ASGI tells it only to who waits for the next message. A task for each request would do that, at a cost that shows at
thousands of requests a second; one task looks at all waiting requests a few times a second instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.types import Receive

Answer = TypeVar("Answer")

CHECK_EVERY_S = 0.2


class ClientGone(Exception):
    """Nobody waits for this answer any more."""


class DisconnectWatch:
    """Cancels the work of clients that have gone."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Task[object], Receive] = {}
        self._gone: set[asyncio.Task[object]] = set()

    async def guard(self, receive: Receive, work: Awaitable[Answer]) -> Answer:
        """`await work`, cancelled if the client goes away. The request's body must have been read.

        Raises:
            ClientGone: it did.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("guard needs a task")
        self._waiting[task] = receive
        try:
            return await work
        except asyncio.CancelledError:
            if task not in self._gone:
                raise  # the server is stopping
            task.uncancel()
            raise ClientGone from None
        finally:
            del self._waiting[task]
            self._gone.discard(task)

    async def run(self) -> None:
        """Look after the waiting clients until cancelled."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            for task, receive in list(self._waiting.items()):
                if await _disconnected(receive) and self._waiting.get(task) is receive:
                    self._gone.add(task)
                    task.cancel()


async def _disconnected(receive: Receive) -> bool:
    try:
        async with asyncio.timeout(0):
            message = await receive()
    except TimeoutError:
        return False
    return bool(message["type"] == "http.disconnect")

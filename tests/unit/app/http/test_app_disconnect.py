"""Who goes away is forgotten, and nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from patience import eventually

from app.http import disconnect
from app.http.disconnect import ClientGone, DisconnectWatch

FOREVER_S = 60.0


class Client:
    """What a request receives: nothing, until it is gone."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.asked = 0

    async def receive(self) -> dict[str, Any]:
        self.asked += 1
        await self.gone.wait()
        return {"type": "http.disconnect"}


@pytest.fixture
async def watch(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(disconnect, "CHECK_EVERY_S", 0.01)
    watch = DisconnectWatch()
    task = asyncio.create_task(watch.run())
    yield watch
    task.cancel()


async def test_work_is_cancelled_when_the_client_has_gone(watch: DisconnectWatch) -> None:
    client = Client()
    client.gone.set()
    with pytest.raises(ClientGone):
        await watch.guard(client.receive, asyncio.sleep(FOREVER_S))
    assert await watch.guard(Client().receive, asyncio.sleep(0, "done")) == "done"


async def test_the_end_of_one_request_does_not_cancel_the_next_of_the_same_task(watch: DisconnectWatch) -> None:
    """A client without sockets asks again and again from one task: the end of the first was held against the next."""
    asked, release = asyncio.Event(), asyncio.Event()

    async def first_receive() -> dict[str, Any]:
        asked.set()
        try:
            await asyncio.sleep(FOREVER_S)
        except asyncio.CancelledError:  # too late to be stopped: it was just about to tell
            await release.wait()
        return {"type": "http.disconnect"}

    async def requests() -> str:
        await watch.guard(first_receive, asked.wait())
        second = Client()
        work = asyncio.create_task(asyncio.sleep(0.1, "done"))
        asyncio.get_running_loop().call_soon(release.set)
        return await watch.guard(second.receive, work)

    assert await asyncio.create_task(requests()) == "done"


async def test_those_who_wait_are_looked_at_again_and_again(watch: DisconnectWatch) -> None:
    client = Client()
    waiting = asyncio.create_task(watch.guard(client.receive, asyncio.sleep(FOREVER_S)))
    await eventually(lambda: client.asked >= 3, "it is looked at")
    assert not waiting.done()
    client.gone.set()
    with pytest.raises(ClientGone):
        await waiting

"""Rates: whom they hold, what they count, how long one must wait, and what a Redis that is away does."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from app.access.access import _network
from app.access.client import Client
from app.access.rates import Rates, _until_free_s
from app.errors import SettingsError, TooManyRequests
from app.metrics import Metrics
from app.scopes import ALL_SCOPES
from app.settings import Settings, load_settings

STRANGER = Client("anonymous", frozenset(), address="192.0.2.1")
NEIGHBOUR = Client("anonymous", frozenset(), address="192.0.2.2")


def rates(**settings: Any) -> tuple[Rates, Metrics]:
    metrics = Metrics()
    return Rates(Settings(**settings), metrics), metrics


async def allowed(counting: Rates, client: Client, tries: int = 20) -> int:
    """How many requests in a row are let through."""
    for number in range(tries):
        try:
            await counting.request(client)
        except TooManyRequests:
            return number
    return tries


async def test_each_address_has_its_own() -> None:
    counting, metrics = rates(requests_per_address="3/hour")
    assert await allowed(counting, STRANGER) == 3
    assert await allowed(counting, NEIGHBOUR) == 3
    assert metrics.registry.get_sample_value("traghetto_refused_total", {"limit": "requests_per_address"}) == 2


async def test_a_session_is_held_besides_its_address() -> None:
    counting, _ = rates(requests_per_address="5/hour", requests_per_session="3/hour")
    here = Client("anonymous", frozenset(), session="a" * 64, address="192.0.2.1")
    assert await allowed(counting, here) == 3
    other = Client("anonymous", frozenset(), session="b" * 64, address="192.0.2.1")
    assert await allowed(counting, other) == 2, "a new session does not help beyond what the address may"


async def test_a_key_has_the_rate_of_all_or_its_own() -> None:
    counting, _ = rates(requests_per_key="4/hour", requests_per_address="1/hour")
    assert await allowed(counting, Client("k", frozenset(), key_id=uuid4())) == 4
    assert await allowed(counting, Client("k", frozenset(), key_id=uuid4(), requests="2/hour")) == 2
    assert await allowed(counting, Client("k", frozenset(), key_id=uuid4(), requests="none")) == 20


@pytest.mark.parametrize("name", ["local", "admin key"])
async def test_who_runs_the_server_is_not_held(name: str) -> None:
    counting, _ = rates(requests_per_address="1/hour", characters_per_address="50000/hour")
    owner = Client(name, ALL_SCOPES, address="127.0.0.1")
    assert await allowed(counting, owner) == 20
    await counting.characters(owner, 10**9)


async def test_characters_are_counted_by_how_many_there_are() -> None:
    counting, _ = rates(characters_per_address="50000/hour")
    await counting.characters(STRANGER, 30_000)
    with pytest.raises(TooManyRequests, match="50000 characters from one address within 1 hour") as refused:
        await counting.characters(STRANGER, 20_001)
    assert refused.value.setting == "characters_per_address"
    await counting.characters(STRANGER, 20_000)


async def test_several_rates_hold_together() -> None:
    counting, _ = rates(requests_per_address="5/second;7/hour")
    assert await allowed(counting, STRANGER) == 5
    with pytest.raises(TooManyRequests) as refused:
        await counting.request(STRANGER)
    assert refused.value.retry_after_s in (1, 2)


@pytest.mark.parametrize("cost", [1, 4, 10])
@pytest.mark.parametrize("spent", [(10, 0), (0, 10), (10, 5), (6, 6), (3, 9)])
def test_the_wait_is_as_long_as_it_must_be(spent: tuple[int, int], cost: int) -> None:
    """What was spent in the last window and in this one, 12 s of which are left, against ten a minute."""
    before, current = spent
    waits = _until_free_s(10 - cost, 60, before, 12.0 if before else 0.0, current, 72.0)

    def counted(after_s: float) -> float:
        if after_s < 12:
            return before * (12 - after_s) / 60 + current
        return max(0.0, current * (1 - (after_s - 12) / 60))

    assert counted(waits + 1e-6) + cost <= 10 + 1e-6
    assert waits == 0 or counted(waits - 0.01) + cost > 10, "that is longer than it must be"


async def test_the_wait_that_is_told_suffices() -> None:
    counting, _ = rates(requests_per_address="4/2 second")
    assert await allowed(counting, STRANGER) == 4
    with pytest.raises(TooManyRequests) as refused:
        await counting.request(STRANGER)
    await asyncio.sleep(refused.value.retry_after_s)
    await counting.request(STRANGER)


async def test_without_redis_each_process_counts_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    counting, _ = rates(requests_per_address="3/hour", redis_url="redis://127.0.0.1:1/0")
    assert await allowed(counting, STRANGER) == 3
    told = [record for record in caplog.records if "Redis does not answer" in record.getMessage()]
    assert len(told) == 1, "it is not asked again for each request"
    await counting.close()


async def test_of_many_at_once_one_asks_redis_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.access.rates.ALONE_S", 0.0)
    counting, _ = rates(requests_per_address="none", redis_url="redis://127.0.0.1:1/0", requests_per_key="9999/hour")
    key = Client("k", frozenset(), key_id=uuid4())
    for _ in range(3):
        await asyncio.gather(*(counting.request(key) for _ in range(20)))
    assert sum("Redis does not answer" in record.getMessage() for record in caplog.records) == 1


async def test_what_counts_no_more_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a task of ours, and not at each request, which must look through nothing."""
    monkeypatch.setattr("app.access.rates.FORGET_EVERY_S", 0.05)
    counting, _ = rates(requests_per_address="5/second;100/hour", requests_per_session="none")
    task = asyncio.create_task(counting.run())
    await asyncio.sleep(0)
    for number in range(300):
        await counting.request(Client("anonymous", frozenset(), address=f"192.0.2.{number}"))
    assert counting._memory.timer is task
    assert len(counting._memory.storage) == 600
    await asyncio.sleep(2.3)  # a window of a second is kept for two
    assert len(counting._memory.storage) == 300
    task.cancel()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("requests_per_address", "many"),
        ("requests_per_address", "0/minute"),
        ("requests_per_key", "-1/minute"),
        ("characters_per_address", "100/hour"),
        ("redis_url", "http://127.0.0.1"),
        ("redis_url", "redis://:secret@127.0.0.1:abc"),
        ("trusted_proxies", "0.0.0.0/0"),
        ("characters_per_key", "100 PER hour"),
        ("trusted_proxies", "proxy.example"),
        ("cors_origins", "example.org"),
        ("max_head_bytes", "100"),
    ],
)
def test_wrong_settings_are_refused(setting: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"(?i){setting}"):
        load_settings(**{setting: value})


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
    ],
)
def test_one_client_cannot_have_many_addresses(address: str, counted: str) -> None:
    assert _network(address) == counted

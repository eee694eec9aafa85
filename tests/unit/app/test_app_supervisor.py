"""When the supervisor of several workers gives up: only while none of them serves."""

from __future__ import annotations

from typing import Any

import pytest
import uvicorn
from patience import wait_until

from app import serve


class Pipe:
    def poll(self) -> bool:
        return False


class StandIn:
    """A worker: one of `healthy` serves, any other is dead as soon as it is looked at."""

    healthy = 0
    """How many of the next ones serve."""
    made = 0

    def __init__(self, _config: uvicorn.Config, _sockets: list[Any]) -> None:
        StandIn.made += 1
        self.pid = StandIn.made
        self.parent_conn = Pipe()
        self.exitcode: int | None = 1
        if StandIn.healthy:
            StandIn.healthy -= 1
            self.exitcode = None

    def start(self) -> None:
        """At once."""

    join = kill = start

    def is_alive(self, _timeout_s: float) -> bool:
        return self.exitcode is None

    is_ready = is_alive


def supervisor(monkeypatch: pytest.MonkeyPatch, healthy: int) -> serve.Supervisor:
    """One of two workers, `healthy` of which serve; nobody waits between tries."""
    monkeypatch.setattr(serve, "Process", StandIn)
    monkeypatch.setattr(serve, "FIRST_WAIT_S", 0.0)
    monkeypatch.setattr(StandIn, "healthy", healthy)
    monkeypatch.setattr(StandIn, "made", 0)
    made = serve.Supervisor(uvicorn.Config("none", workers=2), [])
    made.processes = [StandIn(made.config, []) for _ in range(2)]  # type: ignore[misc]
    return made


def look(watched: serve.Supervisor, times: int) -> None:
    for _ in range(times):
        if not watched.should_exit.is_set():
            watched.keep_subprocess_alive()


def test_a_worker_that_serves_is_not_ended_because_another_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = supervisor(monkeypatch, healthy=1)
    look(watched, 3000)
    assert StandIn.made > 1030, "it goes on trying, also where the wait would be too large for a number"
    assert not watched.gave_up, "the worker that serves was ended with the others"
    serving = watched.processes[0]
    serving.exitcode = 1  # type: ignore[misc]
    look(watched, 20)
    assert watched.gave_up, "now none serves, and none can start"
    assert watched.should_exit.is_set()


def test_without_one_that_serves_it_gives_up_after_three_tries_each(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = supervisor(monkeypatch, healthy=0)
    look(watched, 100)
    assert watched.gave_up
    assert StandIn.made <= 2 * serve.START_TRIES


def test_the_waits_grow_to_a_bound_while_another_serves(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    watched = supervisor(monkeypatch, healthy=1)
    monkeypatch.setattr(serve, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(serve, "LONGEST_WAIT_S", 0.002)
    look(watched, 2)

    def looked_often() -> bool:
        look(watched, 1)
        return StandIn.made >= 12

    wait_until(looked_often, "it goes on trying")
    waits = [record.getMessage().split()[-2] for record in caplog.records]
    assert waits[:2] == ["0.001", "0.001"] and set(waits[2:]) == {"0.002"}

"""Too many connections: the one that came last is refused, not those that are served."""

from __future__ import annotations

import contextlib
from pathlib import Path

import httpx
from fakes import make_app, problem, serving
from patience import wait_until


def test_a_connection_too_many_does_not_take_the_place_of_one_in_use(tmp_path: Path) -> None:
    with serving(make_app(tmp_path), limit_concurrency=1) as address, contextlib.ExitStack() as stack:
        old, late = (stack.enter_context(httpx.Client(base_url=address)) for _ in range(2))
        assert old.get("/v1/models").status_code == 200
        assert late.get("/health/live").status_code == 200, "stays open, one too many"
        assert old.get("/v1/models").status_code == 200, "who was there first was refused"
        problem(late.get("/v1/models"), 503, "too-many-connections")
        assert old.get("/v1/models").status_code == 200, "the connection was not closed either"


def test_a_connection_too_many_is_served_once_there_is_room(tmp_path: Path) -> None:
    with serving(make_app(tmp_path), limit_concurrency=1) as address, contextlib.ExitStack() as stack:
        old, late = (stack.enter_context(httpx.Client(base_url=address)) for _ in range(2))
        assert old.get("/v1/models").status_code == 200
        assert late.get("/health/live").status_code == 200
        old.close()
        wait_until(lambda: late.get("/v1/models").status_code == 200, "there is room again")

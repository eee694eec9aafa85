"""`traghetto serve --workers 2`: what happens when a worker dies, and when none can start."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import httpx
from dying import DEADLY
from fakes import body, client_at
from patience import eventually
from test_server_process import TESTS, served, start

SERVER = f"""
import sys
sys.path[:0] = [{str(TESTS)!r}]
import app.serve
from app.settings import load_settings
app.serve.WORKER_APP = "dying:%s"
sys.exit(app.serve.run(load_settings(port=0)))
"""
MORTAL, BROKEN = SERVER % "worker_app", SERVER % "broken_app"
WAIT_S = 120


async def ask(address: str, text: str) -> httpx.Response | None:
    """The answer; None where the connection broke, which a client mends by trying again."""
    async with client_at(address, timeout=WAIT_S) as client:
        try:
            return await client.post("/v1/translate", json=body(text))
        except httpx.TransportError as error:
            assert not isinstance(error, httpx.TimeoutException), "a caller was left waiting"
            return None


def workers_of(process: int) -> set[int]:
    """The server's worker processes."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return {int(child) for child in children if b"spawn_main" in _command(child)}


def _command(process: str) -> bytes:
    """Its command line; nothing if it has just ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


async def until_workers(process: int, old: set[int]) -> None:
    """Wait until there are two workers, and one of them is none of `old`."""

    def replaced() -> bool:
        now = workers_of(process)
        return len(now) == 2 and bool(now - old)

    await eventually(replaced, "a new worker takes the place of one that died", WAIT_S)


async def test_a_worker_that_is_killed_or_whose_engine_dies_is_replaced_and_all_are_answered(tmp_path: Path) -> None:
    with served(MORTAL, data_dir=str(tmp_path), workers="2") as (process, address):
        assert (await ask(address, "ciao")).status_code == 200  # type: ignore[union-attr]
        before = workers_of(process.pid)
        os.kill(min(before), signal.SIGKILL)
        await until_workers(process.pid, before)
        assert (await ask(address, "ciao")).status_code == 200  # type: ignore[union-attr]
        before = workers_of(process.pid)
        callers = [asyncio.create_task(ask(address, f"frase {number}")) for number in range(20)]
        deadly = await ask(address, DEADLY)
        assert deadly is None or (deadly.status_code, deadly.json()["status"]) == (503, 503)
        for answer in await asyncio.gather(*callers):
            if answer is not None:
                assert answer.status_code in (200, 503), answer.text
                assert answer.status_code == 200 or answer.headers["content-type"] == "application/problem+json"
        await until_workers(process.pid, before)
        for number in range(20):  # nobody is sent to the dead one
            answer = await ask(address, f"poi {number}")
            if answer is not None:  # accepted by the one that was just ending
                assert answer.status_code in (200, 503), answer.text
        live = [await ask(address, f"infine {number}") for number in range(10)]
        assert [answer.status_code for answer in live if answer is not None] == [200] * 10
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=WAIT_S) == 0


def test_workers_that_cannot_start_end_the_server_with_a_clear_message(tmp_path: Path) -> None:
    program = BROKEN.replace("sys.exit(", "app.serve.START_TRIES = 2\nsys.exit(")
    with start(program, data_dir=str(tmp_path), workers="2") as process:
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 1
    assert "no worker could start, 4 times in a row: the server ends" in errors
    assert "Traceback" not in errors
    assert errors.count("The models could not be loaded: model.safetensors was cut short") == 4


async def test_workers_do_not_outlive_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with served(MORTAL, data_dir=str(tmp_path), workers="2") as (process, address):
        assert (await ask(address, "ciao")).status_code == 200  # type: ignore[union-attr]
        workers = workers_of(process.pid)
        process.kill()
        await eventually(
            lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), "its workers end too", WAIT_S
        )

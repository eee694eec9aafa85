"""What must survive a crash: acknowledged corrections after kill -9, and service while PostgreSQL is away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from corrections_kit import draft
from fakes import client_at
from patience import eventually, wait_until

KILLS = 2
SUBMISSIONS = 200
"""For each life of the server, which is killed soon after 40 of them are acknowledged."""


class Program:
    """`traghetto serve` in a process of its own, on the tiny model."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self._environment = {**os.environ, "TRAGHETTO_DATA_DIR": str(data_dir), **settings}
        self._log = data_dir / "server.log"

    def __enter__(self) -> Program:
        command = [sys.executable, "-m", "app.cli", "serve", "--port", "0"]
        self._log.write_text("")
        with self._log.open("w") as log:
            self.process = subprocess.Popen(command, env=self._environment, stderr=log)
        self.address = self._wait_for_address()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=60)

    def _wait_for_address(self) -> str:
        def told() -> bool:
            assert self.process.poll() is None, f"the server did not start: {self._log.read_text()[-2000:]}"
            return re.search(r"http://\S+\s", self._log.read_text()) is not None

        wait_until(told, "the server tells its address", timeout_s=90)
        found = re.search(r"http://\S+", self._log.read_text())
        assert found is not None
        return found.group()


@pytest.fixture
def data_dir(tmp_path: Path, tiny_data_dir: Path) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(tiny_data_dir, folder)
    return folder


async def submit(address: str, first: int, acknowledged: set[str], kill: asyncio.Event | None = None) -> None:
    """Send corrections, many at once; note the ids of those that were acknowledged."""
    async with client_at(address) as client:
        room = asyncio.Semaphore(20)

        async def one(number: int) -> None:
            text = f"Il traghetto numero {number} parte alle sette."
            body = draft(f"Ferry number {number} leaves at seven.", text, "The boat.")
            async with room:
                with contextlib.suppress(httpx.TransportError):
                    answer = await client.post("/v1/corrections", json=body)
                    assert answer.status_code == 201, answer.text
                    acknowledged.add(answer.json()["id"])
                if kill is not None and len(acknowledged) >= 40:
                    kill.set()

        await asyncio.gather(*(one(first + number) for number in range(SUBMISSIONS)))


async def test_no_acknowledged_correction_is_lost_by_kill_9(data_dir: Path) -> None:
    acknowledged: set[str] = set()
    delays = random.Random(5)
    for life in range(KILLS):
        with Program(data_dir) as program:
            begun = asyncio.Event()
            mine: set[str] = set()
            work = asyncio.create_task(submit(program.address, 1000 * life, mine, begun))
            waiting = asyncio.create_task(begun.wait())
            await asyncio.wait({work, waiting}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(delays.uniform(0, 0.3))
            program.process.send_signal(signal.SIGKILL)
            await work
            waiting.cancel()
            acknowledged |= mine
    assert len(acknowledged) >= 40 * KILLS
    with Program(data_dir) as program:
        async with client_at(program.address) as client:
            for id in acknowledged:
                assert (await client.get(f"/v1/corrections/{id}")).status_code == 200, "an acknowledged row is gone"
            answer = await client.post("/v1/translate", json={"text": "Ciao.", "source": "it", "target": "en"})
    assert answer.status_code == 200


def bin_dir() -> Path | None:
    """Where PostgreSQL's own programs are, the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else (Path(on_path).parent if on_path else None)


class Cluster:
    """A PostgreSQL of the test's own, that may be stopped."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._as = {"user": "postgres"} if os.geteuid() == 0 else {}
        self.url = f"postgresql://postgres@/postgres?host={folder}"
        """By a socket in the folder: a port that is free now may be taken when the server starts."""
        if self._as:
            shutil.chown(folder, "postgres")
        self._run("initdb", "-D", str(folder / "pg"), "-U", "postgres", "-A", "trust", "--no-sync")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=90, **self._as)  # type: ignore[call-overload]

    def start(self) -> None:
        options = f"-c listen_addresses= -c unix_socket_directories={self._folder} -c fsync=on"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._folder / "pg"), "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "pg"), "-w", "-m", "immediate", "stop")


@pytest.fixture
def cluster(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    del postgres_url  # needs PostgreSQL, but not that one
    programs = bin_dir()
    if programs is None:
        pytest.skip("PostgreSQL's own programs (initdb, pg_ctl) are not here")
    folder = tmp_path_factory.mktemp("cluster")
    if os.geteuid() == 0:  # PostgreSQL's own user must come through
        for parent in (folder, *folder.parents):
            if parent.owner() == "root" and "pytest-" in str(parent):
                parent.chmod(0o755)
    made = Cluster(programs, folder)
    made.start()
    try:
        yield made
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            made.stop()


class Load:
    """Clients that correct and translate until they are told to stop."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._stop = False
        self.acknowledged: list[str] = []
        self.unavailable: list[httpx.Response] = []
        self.translated = 0
        self.work = [asyncio.create_task(self._correct(worker)) for worker in range(4)]
        self.work.append(asyncio.create_task(self._translate()))

    async def _correct(self, worker: int) -> None:
        number = 0
        async with client_at(self._address) as client:
            while not self._stop:
                number += 1
                text = f"Il traghetto {worker} numero {number} parte alle sette."
                body = draft(f"Ferry {worker} number {number} leaves at seven.", text, "The boat.")
                answer = await client.post("/v1/corrections", json=body)
                if answer.status_code == 201:
                    self.acknowledged.append(answer.json()["id"])
                else:
                    self.unavailable.append(answer)
                    await asyncio.sleep(0.05)

    async def _translate(self) -> None:
        body = {"text": "Il gatto dorme sul divano.", "source": "it", "target": "en"}
        async with client_at(self._address) as client:
            while not self._stop:
                answer = await client.post("/v1/translate", json=body)
                assert answer.status_code == 200, answer.text
                self.translated += 1

    async def until(self, acknowledged: int = 0, unavailable: int = 0, translated: int = 0) -> None:
        """Wait until so many more are there."""
        wanted = (
            len(self.acknowledged) + acknowledged,
            len(self.unavailable) + unavailable,
            self.translated + translated,
        )
        for task in self.work:
            assert not task.done(), task.exception()

        def enough() -> bool:
            return all(now >= then for now, then in zip(self._counts(), wanted, strict=True))

        await eventually(enough, f"{wanted} acknowledged, refused, translated", timeout_s=60)

    def _counts(self) -> tuple[int, int, int]:
        return len(self.acknowledged), len(self.unavailable), self.translated

    async def end(self) -> None:
        """Stop; raises what went wrong in a client."""
        self._stop = True
        await asyncio.gather(*self.work)


@pytest.mark.postgres
async def test_postgres_goes_away_and_comes_back_under_load(data_dir: Path, cluster: Cluster) -> None:
    with Program(data_dir, TRAGHETTO_DATABASE_URL=cluster.url) as program:
        load = Load(program.address)
        await load.until(acknowledged=20)
        await asyncio.to_thread(cluster.stop)
        await load.until(unavailable=5, translated=5)  # translation goes on
        await asyncio.to_thread(cluster.start)
        await load.until(acknowledged=20)  # the pool recovers
        await load.end()
    for answer in load.unavailable:
        assert answer.status_code == 503, answer.text
        assert answer.json()["type"] == "/problems/database-down"
        assert int(answer.headers["Retry-After"]) > 0
    with psycopg.connect(cluster.url) as connection:
        stored = {str(row[0]) for row in connection.execute("SELECT id FROM corrections").fetchall()}
    assert set(load.acknowledged) <= stored, "an acknowledged correction is gone"

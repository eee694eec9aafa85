"""`traghetto serve --cluster` for tests: started, looked at from outside, killed, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from cli_kit import PROGRAM
from corrections_kit import ADMIN_KEY
from patience import wait_until

from benchmarks.parts import REPLICA, command, family
from benchmarks.servers import free_port

START_TIMEOUT_S = 180


@dataclass
class Cluster:
    """The program, what it has said, and where it listens."""

    process: subprocess.Popen[str]
    port: int
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = threading.Thread(target=_listen, args=(self,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> httpx.Client:
        """One with the administration key."""
        return httpx.Client(base_url=self.url, timeout=60, headers={"Authorization": f"Bearer {ADMIN_KEY}"})

    def replicas(self) -> list[int]:
        """The processes of the replicas of this cluster."""
        return [pid for pid in family(self.process.pid) if REPLICA.match(command(pid))]

    def kill_one(self) -> None:
        """`kill -9` of a replica."""
        wait_until(self.replicas, "a replica")
        os.kill(self.replicas()[0], signal.SIGKILL)

    def wait_for(self, text: str, timeout_s: float = START_TIMEOUT_S) -> None:
        """Until the program has said `text`."""
        try:
            wait_until(lambda: self.process.poll() is not None or text in "".join(self.said), text, timeout_s)
        finally:
            assert self.process.poll() is None, "".join(self.said)


def start(folder: Path, arguments: Sequence[str]) -> Cluster:
    """`traghetto serve --cluster` with its data in `folder`, not awaited."""
    port = free_port()
    environment = {
        "TRAGHETTO_DATA_DIR": str(folder),
        "TRAGHETTO_ADMIN_KEY": ADMIN_KEY,
        "TRAGHETTO_REQUESTS_PER_ADDRESS": "none",
        "TRAGHETTO_CORRECTIONS_PENDING_PER_SENTENCE": "0",
    }
    process = subprocess.Popen(
        [PROGRAM, "serve", "--cluster", "--port", str(port), *arguments],
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    cluster = Cluster(process, port)
    cluster.listener.start()
    return cluster


def _listen(cluster: Cluster) -> None:
    assert cluster.process.stderr is not None
    with cluster.process.stderr as stderr:
        cluster.said.extend(iter(stderr.readline, ""))


def end(cluster: Cluster) -> int:
    """SIGTERM, and the status; all that is left is killed. Nothing for one that has ended."""
    if cluster.process.returncode is not None:
        return cluster.process.returncode
    cluster.process.send_signal(signal.SIGTERM)
    left = list(family(cluster.process.pid))
    try:
        return cluster.process.wait(90)
    finally:
        for pid in left:
            if pid == cluster.process.pid or b"ray" in command(pid):
                _kill(pid)
        cluster.listener.join()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return

"""Servers of their own, as programs, for those measurements that need several."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from model.kernels.native import INSTRUCTIONS

START_TIMEOUT_S, END_TIMEOUT_S = 180.0, 60.0
TOLD_CHARACTERS = 3000
"""Of the end of what a server has said that does not start."""
PROGRAM = Path(sys.executable).with_name("traghetto")
UNLIMITED = {"TRAGHETTO_REQUESTS_PER_ADDRESS": "none", "TRAGHETTO_CHARACTERS_PER_ADDRESS": "none"}


def environment(changed: Mapping[str, str]) -> dict[str, str]:
    """This one's, without the settings of whoever runs the benchmark, but for the processor's; and `changed`."""
    settings = {name for name in os.environ if name.startswith("TRAGHETTO_") or name == "RAY_ADDRESS"} - {INSTRUCTIONS}
    return {name: value for name, value in os.environ.items() if name not in settings} | dict(changed)


@contextlib.contextmanager
def served(folder: Path, options: Sequence[str] = (), changed: Mapping[str, str] | None = None) -> Iterator[int]:
    """The port of a server that is ready, with `folder` as its data directory; what it says is in a file beside it.

    Args:
        folder: its data directory.
        options: of `traghetto serve`.
        changed: what its environment has besides.

    Raises:
        RuntimeError: it does not start; the end of what it said is told.
    """
    port = free_port()
    variables = environment({"TRAGHETTO_DATA_DIR": str(folder), **UNLIMITED, **(changed or {})})
    log = folder.with_suffix(".log")
    with log.open("w") as said:
        server = subprocess.Popen(
            [str(PROGRAM), "serve", "--port", str(port), *options],
            env=variables, stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip
        try:
            if not _is_ready(server, port):
                told = log.read_text(encoding="utf-8", errors="replace")[-TOLD_CHARACTERS:]
                raise RuntimeError(f"the server does not start: {told}")
            yield port
        finally:
            _end(server)


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _is_ready(server: subprocess.Popen[bytes], port: int) -> bool:
    """Wait for it; whether it is."""
    ends = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < ends and server.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == http.client.OK:
                return True
        time.sleep(0.2)
    return False


def _end(server: subprocess.Popen[bytes]) -> None:
    """Ask it to end; one that does not is killed, with what it has started."""
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)  # the leader of its session
        server.wait()

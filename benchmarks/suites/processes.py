"""Programs run from outside: how long until they have done something, and how much memory they take."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

TRAGHETTO = str(Path(sys.executable).with_name("traghetto"))
TRANSLATE = (TRAGHETTO, "translate", "--pair", "it-en", "--device", "cpu")
PAUSE_S = 0.01
START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Finished:
    """A program that has ended well."""

    seconds: float
    """From its start to its end."""
    peak_mb: float
    """The most memory that was resident."""


def run(command: Sequence[str], given: Path) -> Finished:
    """Run `command` with `given` as its input. Its output is thrown away, but through a pipe, as another program would.

    Raises:
        RuntimeError: it failed.
    """
    started = time.perf_counter()
    with given.open("rb") as file, subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE) as process:
        while process.stdout is not None and process.stdout.read(1 << 16):
            pass
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with status {process.returncode}")
    return Finished(time.perf_counter() - started, usage.ru_maxrss * 1024 / 1e6)


def first_line(command: Sequence[str], line: str) -> float:
    """Seconds from the start of `command` until it has answered `line` with a line; its input stays open until then."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        into, out = _pipes(process)
        into.write(line.encode() + b"\n")
        into.flush()
        if not out.readline().strip():
            raise RuntimeError(f"{command[0]} gave no answer")
        seconds = time.perf_counter() - started
        into.close()
    return seconds


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None and process.stdout is not None  # both were asked for
    return process.stdin, process.stdout


@dataclass(frozen=True)
class Server:
    """`traghetto serve`, which has answered once."""

    pid: int
    port: int
    first_answer_s: float
    """After its start."""

    def translate(self, text: str, source: str = "it", target: str = "en") -> bool:
        """Ask for a translation; whether there was one, not an error."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_TIMEOUT_S)
        with contextlib.closing(connection):
            body = json.dumps({"text": text, "source": source, "target": target})
            connection.request("POST", "/v1/translate", body, {"Content-Type": "application/json"})
            return connection.getresponse().status == http.client.OK

    def resident_mb(self) -> float:
        """Memory of the process that is resident now."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024 / 1e6


@contextlib.contextmanager
def serving(data_dir: Path, text: str) -> Iterator[Server]:
    """`traghetto serve` in a process of its own, from when it has answered `text` on.

    Raises:
        RuntimeError: it did not start.
    """
    command = [TRAGHETTO, "serve", "--port", "0"]
    environment = {**os.environ, "TRAGHETTO_DATA_DIR": str(data_dir), "TRAGHETTO_DEVICE": "cpu"}
    started = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            said = iter(process.stderr or ())
            port = next(
                (int(found[1]) for line in said if (found := re.search(r"listens on http://\S+:(\d+)", line))), 0
            )
            server = Server(process.pid, port, 0.0)
            while not port or not server.translate(text):
                if not port or time.perf_counter() - started > START_TIMEOUT_S:
                    raise RuntimeError("the server did not start")
                time.sleep(PAUSE_S)
            yield Server(process.pid, port, time.perf_counter() - started)
        finally:
            process.terminate()

"""Programs run from outside: how long until they have done something, and how much memory they take."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from benchmarks.parts import family
from benchmarks.servers import PROGRAM, environment

TRANSLATE = (str(PROGRAM), "translate", "--pair", "it-en")
READ_BYTES = 1 << 16
PAUSE_S, LOOK_S = 0.01, 0.05
"""Between two requests of a server that is not ready, and between two looks at memory."""
START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Programs:
    """Programs that see neither the settings nor the trained models of whoever runs the benchmark."""

    data_dir: Path

    @property
    def _environment(self) -> dict[str, str]:
        return environment({"TRAGHETTO_DATA_DIR": str(self.data_dir), "TRAGHETTO_DEVICE": "cpu"})

    def run(self, command: Sequence[str], given: Path) -> float:
        """Seconds that `command` takes for all of `given`. Its output is thrown away, but through a pipe.

        Raises:
            RuntimeError: it failed.
        """
        started = time.perf_counter()
        with (
            given.open("rb") as file,
            subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, env=self._environment) as process,
        ):
            while os.read(_number(process.stdout), READ_BYTES):
                pass
        _check(process)
        return time.perf_counter() - started

    def peak_mb(self, command: Sequence[str], given: Path) -> float:
        """The most memory that `command` and the processes that it starts take for all of `given`, as often as looked.

        What several of them share counts once. Only where there is /proc; elsewhere 0.

        Raises:
            RuntimeError: it failed.
        """
        peak = 0.0
        with (
            given.open("rb") as file,
            subprocess.Popen(command, stdin=file, stdout=subprocess.DEVNULL, env=self._environment) as process,
        ):
            while process.poll() is None:
                peak = max(peak, sum(_memory_mb(pid, "smaps_rollup", "Pss") for pid in family(process.pid)))
                time.sleep(LOOK_S)
        _check(process)
        return peak

    def first_line(self, command: Sequence[str], line: str) -> float:
        """Seconds from the start of `command` until it has answered `line` with a line; its input stays open so long.

        Raises:
            RuntimeError: it gave no answer.
        """
        started = time.perf_counter()
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment) as process:
            os.write(_number(process.stdin), line.encode() + b"\n")
            if not os.read(_number(process.stdout), READ_BYTES):
                raise RuntimeError(f"{command[0]} gave no answer")
            return time.perf_counter() - started

    @contextlib.contextmanager
    def serving(self, text: str) -> Iterator[Server]:
        """`traghetto serve` in a process of its own, from when it has answered `text` on.

        Raises:
            RuntimeError: it did not start; what it wrote is told.
        """
        command = [str(PROGRAM), "serve", "--port", "0"]
        started = time.perf_counter()
        with (
            tempfile.TemporaryFile() as said,  # not a pipe, which would fill up
            subprocess.Popen(command, stderr=said, env=self._environment) as process,
        ):
            try:
                server = Server(process.pid, _port(process, said), 0.0)
                while not server.translate(text):
                    if process.poll() is not None or time.perf_counter() - started > START_TIMEOUT_S:
                        raise RuntimeError("traghetto serve translates nothing")
                    time.sleep(PAUSE_S)
                yield replace(server, first_answer_s=time.perf_counter() - started)
            finally:
                process.terminate()


@dataclass(frozen=True)
class Server:
    """`traghetto serve`, which has answered once."""

    pid: int
    port: int
    first_answer_s: float
    """After its start."""

    def translate(self, text: str, source: str = "it", target: str = "en") -> bool:
        """Ask for a translation; whether there was one, and no error."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_TIMEOUT_S)
        body = json.dumps({"text": text, "source": source, "target": target})
        try:
            connection.request("POST", "/v1/translate", body, {"Content-Type": "application/json"})
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False  # it has ended, or is about to
        finally:
            connection.close()

    def resident_mb(self) -> float:
        """Memory of its process that is resident now."""
        return _memory_mb(self.pid, "status", "VmRSS")


def _port(process: subprocess.Popen[bytes], said: IO[bytes]) -> int:
    """Where `process` says it listens."""
    ends = time.perf_counter() + START_TIMEOUT_S
    while True:
        has_ended = process.poll() is not None or time.perf_counter() > ends
        text = os.pread(said.fileno(), READ_BYTES, 0).decode(errors="replace")
        if found := re.search(r"listens on http://\S+:(\d+)\s", text):
            return int(found[1])
        if has_ended:
            raise RuntimeError(f"traghetto serve did not start: {text}")
        time.sleep(PAUSE_S)


def _number(pipe: IO[bytes] | None) -> int:
    """The file descriptor of a pipe that was asked for; by it, what has come is read at once."""
    if pipe is None:
        raise RuntimeError("no pipe was asked for")
    return pipe.fileno()


def _check(process: subprocess.Popen[bytes]) -> None:
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with status {process.returncode}")


def _memory_mb(pid: int, file: str, name: str) -> float:
    try:
        told = Path(f"/proc/{pid}/{file}").read_text(encoding="ascii")
    except OSError:
        return 0.0
    found = re.search(rf"^{name}:\s+(\d+) kB", told, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else 0.0

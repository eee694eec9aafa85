"""Processor time of a server that runs as a program, by part: what translates, what passes requests on, all the rest.

Linux only. What a process has used is read from its own clock, finely; /proc tells which processes there are.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SERVER, PROXY, REST = "server", "proxy", "rest"
REPLICA = re.compile(rb"ray::ServeReplica:traghetto")
RAYS_PROXY = re.compile(rb"ray::ProxyActor")
HAPROXY = re.compile(rb"[^\0]*/haproxy\0")
Clocks = Mapping[int, float]
"""Seconds that each process has used, by its number."""


@dataclass(frozen=True)
class Program:
    """A program that was started, with all that it has started.

    Args:
        pid: its process.
        proxy: how the command line of its proxy begins; None: there is none, and all processes are the server.
    """

    pid: int
    proxy: re.Pattern[bytes] | None = None

    def clocks(self) -> Clocks:
        """What each of its processes has used until now."""
        found = {}
        for pid in family(self.pid):
            with contextlib.suppress(OSError):  # it has just ended
                found[pid] = processor_s(pid)
        return found

    def spent(self, before: Clocks) -> dict[str, float]:
        """Seconds of processor time since `before`, by part."""
        spent = dict.fromkeys((SERVER, PROXY, REST), 0.0)
        for pid, used in self.clocks().items():
            spent[self._part(command(pid))] += used - before.get(pid, 0.0)
        return spent

    def _part(self, line: bytes) -> str:
        if self.proxy is None:
            return SERVER
        if self.proxy.match(line):
            return PROXY
        return SERVER if REPLICA.match(line) else REST


def per_request_ms(
    spent: Mapping[str, float], idle: Mapping[str, float], seconds: float, requests: int
) -> dict[str, float]:
    """Milliseconds a request takes of each part, beyond what the part takes anyhow.

    Args:
        spent: seconds of processor time, by part.
        idle: the same for each second in which nobody asks.
        seconds: how long `requests` took.
    """
    return {f"{part}_ms": 1000 * (used - idle[part] * seconds) / requests for part, used in spent.items()}


def child(port: int) -> int:
    """The process that this one has started to listen on `port`.

    Raises:
        LookupError: there is none.
    """
    wanted = f"--port\0{port}\0".encode()
    for pid in children(os.getpid()):
        if wanted in command(pid):
            return pid
    raise LookupError(f"nothing was started for port {port}")


def family(pid: int) -> Iterator[int]:
    """A process, all that it has started, and those."""
    yield pid
    for one in children(pid):
        yield from family(one)


def children(pid: int) -> list[int]:
    """What the threads of a process have started; nothing if it has ended."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, path.read_text(encoding="ascii").split())
    return found


def command(pid: int) -> bytes:
    """Its command line, each word ended by a zero; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def processor_s(pid: int) -> float:
    """Processor time of a process, with threads that have ended: the clock that clock_getcpuclockid(3) names."""
    return time.clock_gettime(~pid << 3 | 2)

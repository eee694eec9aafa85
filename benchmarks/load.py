"""Clients of a running server: `python -m benchmarks.load URL < sentences`. Prints one JSON object.

Each client waits for its answer before it asks again, as a program would. It is a process of its own, and reads answers
with as little Python as it can: it shares the cores with the server that it measures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import uvloop

LOCAL = ("127.0.0.1", "::1", "localhost")


@dataclass
class Tally:
    """What the clients saw."""

    seconds: list[float] = field(default_factory=list)
    translations: dict[str, str] = field(default_factory=dict)
    mixed_up: int = 0
    """Answers that differ from an earlier one to the same sentence."""

    def answer(self, sentence: str, status: int, body: bytes, seconds: float) -> None:
        """One answer."""
        if status != 200:
            return
        self.seconds.append(seconds)
        text = json.loads(body)["translations"][0]["text"]
        self.mixed_up += self.translations.setdefault(sentence, text) != text


def request_bytes(host: str, sentence: str) -> bytes:
    """One whole HTTP request."""
    body = json.dumps({"text": sentence, "source": "it", "target": "en"}).encode()
    head = f"POST /v1/translate HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class _Client(asyncio.Protocol):
    """One connection that sends the next of `work` as soon as it has its answer."""

    def __init__(self, work: Iterator[tuple[str, bytes]], tally: Tally, done: asyncio.Future[None]) -> None:
        self._work, self._tally, self._done = work, tally, done
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        self._sentence, request = next(self._work, ("", b""))
        if not request:
            self._transport.close()
            return
        self._started = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if found and len(body) >= int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]):
            self._received = b""
            self._tally.answer(self._sentence, int(head[9:12]), body, time.perf_counter() - self._started)
            self._ask()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)


async def _client(host: str, port: int, work: Iterator[tuple[str, bytes]], tally: Tally) -> None:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    await loop.create_connection(lambda: _Client(work, tally, done), host, port)
    await done


async def run(url: str, sentences: list[str], clients: int) -> dict[str, float]:
    """Send each of `sentences` once, over `clients` connections at a time."""
    place = urlsplit(url)
    host, port = place.hostname or "", place.port or 80
    if host not in LOCAL:
        raise SystemExit(f"{host} is not this machine; load is only put on this machine")
    tally = Tally()
    work = iter([(sentence, request_bytes(place.netloc, sentence)) for sentence in sentences])
    started = time.perf_counter()
    await asyncio.gather(*(_client(host, port, work, tally) for _ in range(clients)))
    elapsed = time.perf_counter() - started
    ordered = sorted(tally.seconds) or [0.0]
    return {
        "sentences_per_s": len(tally.seconds) / elapsed,
        "p50_ms": 1000 * ordered[len(ordered) // 2],
        "p95_ms": 1000 * ordered[int(0.95 * (len(ordered) - 1))],
        "answered": len(tally.seconds),
        "failed": len(sentences) - len(tally.seconds),
        "mixed_up": tally.mixed_up,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", help="such as http://127.0.0.1:8000")
    parser.add_argument("--clients", type=int, default=64)
    arguments = parser.parse_args()
    sentences = [line for line in sys.stdin.read().splitlines() if line]
    print(json.dumps(uvloop.run(run(arguments.url, sentences, arguments.clients))))


if __name__ == "__main__":
    main()

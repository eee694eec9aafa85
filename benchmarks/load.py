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
from urllib.parse import urlsplit

LOCAL = ("127.0.0.1", "::1", "localhost")


@dataclass
class Tally:
    """What the clients saw."""

    seconds: list[float] = field(default_factory=list)
    translations: dict[str, str] = field(default_factory=dict)
    mixed_up: int = 0
    """Answers that differ from an earlier one to the same sentence."""
    failed: int = 0

    def answer(self, sentence: str, status: int, body: bytes, seconds: float) -> None:
        """One answer."""
        if status != 200:
            self.failed += 1
            return
        self.seconds.append(seconds)
        text = json.loads(body)["translations"][0]["text"]
        self.mixed_up += self.translations.setdefault(sentence, text) != text


def request_bytes(host: str, sentence: str) -> bytes:
    """One whole HTTP request."""
    body = json.dumps({"text": sentence, "source": "it", "target": "en"}).encode()
    head = f"POST /v1/translate HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _client(host: str, port: int, work: Iterator[tuple[str, bytes]], tally: Tally) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    for sentence, request in work:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        body = await reader.readexactly(length)
        tally.answer(sentence, int(head[9:12]), body, time.perf_counter() - started)
    writer.close()
    await writer.wait_closed()


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
        "failed": tally.failed,
        "mixed_up": tally.mixed_up,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", help="such as http://127.0.0.1:8000")
    parser.add_argument("--clients", type=int, default=64)
    arguments = parser.parse_args()
    sentences = [line for line in sys.stdin.read().splitlines() if line]
    print(json.dumps(asyncio.run(run(arguments.url, sentences, arguments.clients))))


if __name__ == "__main__":
    main()

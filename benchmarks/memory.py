"""What a large translation memory costs: `python -m benchmarks.memory --rows 1000000`.

Fills a temporary SQLite database with approved corrections of our own sentences, loads them into one of two servers,
and asks both in turn, past the network, with a translator that answers at once: what is left is the server's own time.
Prints the memory and the seconds that loading takes, the longest pause of the event loop meanwhile, microseconds of a
look-up, and those of a request of one sentence with an empty and with the full memory.
docs/decisions/0010-memory.md has the numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import multiprocessing
import random
import resource
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI
from sqlalchemy import insert

from app.main import create_app
from app.memory.store import Memory, source_key
from app.memory.sync import MemorySync
from app.metrics import Metrics
from app.serve import SWITCH_INTERVAL_S
from app.settings import Settings
from app.storage.db import Database, migrate
from app.storage.tables import APPROVED, Correction
from benchmarks.sentences import sentences
from model.config import SearchConfig
from model.translation import Translation
from model.translator import Translator

ROWS_AT_ONCE = 10_000
DIFFERENT = 5000
"""Sentences before they come again with another number."""
TICK_S = 0.001


class Echo:
    """A translator that takes no time."""

    pair = "it-en"
    version = "echo"
    max_source_tokens = 200

    def translate_sentences(self, sentences: Sequence[str], search: SearchConfig) -> list[Translation]:
        """The sentences themselves."""
        return [Translation(sentence, -0.1, tokens=1) for sentence in sentences]

    def count_tokens(self, sentences: Sequence[str]) -> list[int]:
        """Words."""
        return [sentence.count(" ") + 1 for sentence in sentences]


def sources(first: int, last: int) -> Iterator[str]:
    """Different sentences, each with its number."""
    texts = sentences(DIFFERENT)
    for number in range(first, last):
        text = texts[number % DIFFERENT]
        yield f"{text[:-1]} {number}{text[-1]}"


def build(url: str, rows: int) -> None:
    """Write `rows` approved corrections. Runs in a process of its own: what it leaves behind is not measured."""
    migrate(url)
    asyncio.run(_build(url, rows))


async def _build(url: str, rows: int) -> None:
    database = Database(url)
    for start in range(0, rows, ROWS_AT_ONCE):
        values = [_row(text) for text in sources(start, min(rows, start + ROWS_AT_ONCE))]
        async with database.writing() as session:
            await session.execute(insert(Correction), values)
    await database.close()


def _row(text: str) -> dict[str, Any]:
    return {
        "id": uuid.uuid4(), "pair": "it-en", "source_text": text, "source_key": source_key(text), "status": APPROVED,
        "machine_translation": text, "corrected_translation": f"The right one of {text}", "marks": [],
        "confirmed_by": [],
    }  # fmt: skip


def resident_mb() -> float:
    """Memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


async def load(url: str) -> tuple[Memory, list[str]]:
    """A full memory, and what loading it took."""
    memory = Memory(Metrics())
    sync = MemorySync(Database(url), memory)
    pauses: list[float] = []
    ticking = asyncio.create_task(_tick(pauses))
    before, started = resident_mb(), time.perf_counter()
    await sync.load()
    seconds = time.perf_counter() - started
    ticking.cancel()
    await sync.close()
    pauses.sort()
    return memory, [
        f"{len(memory):,} corrections: {resident_mb() - before:.0f} MB, loaded in {seconds:.1f} s",
        f"event loop meanwhile: 99 of 100 pauses below {1000 * pauses[int(0.99 * len(pauses))]:.1f} ms, "
        f"the longest {1000 * pauses[-1]:.1f} ms",
    ]


async def _tick(pauses: list[float]) -> None:
    while True:
        started = time.perf_counter()
        await asyncio.sleep(TICK_S)
        pauses.append(time.perf_counter() - started - TICK_S)


def microseconds(work: Callable[[str], object], texts: Sequence[str]) -> str:
    """Median and 99th percentile of `work` on each of `texts`."""
    times = []
    for text in texts:
        started = time.perf_counter_ns()
        work(text)
        times.append((time.perf_counter_ns() - started) / 1000)
    return spread(times)


def spread(times: Sequence[float]) -> str:
    """Median and 99th percentile of microseconds."""
    return f"p50 {statistics.median(times):7.1f} us   p99 {statistics.quantiles(times, n=100)[98]:7.1f} us"


@contextlib.asynccontextmanager
async def server(folder: Path) -> AsyncIterator[FastAPI]:
    """A running server whose memory is loaded."""
    settings = Settings(data_dir=folder)
    migrate(settings.database)
    app = create_app(settings, lambda: {"it-en": cast(Translator, Echo())})
    async with app.router.lifespan_context(app):
        await app.state.services.memory_sync.ready.wait()
        yield app


async def ask(app: FastAPI, text: str, **more: object) -> tuple[float, bool]:
    """Microseconds of one request, and whether memory answered."""
    body = json.dumps({"text": text, "source": "it", "target": "en", **more}).encode()
    scope = {
        "type": "http", "method": "POST", "path": "/v1/translate", "raw_path": b"/v1/translate", "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
        "http_version": "1.1", "scheme": "http", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    chunks = [{"type": "http.request", "body": body, "more_body": False}]
    answer = b""

    async def receive() -> MutableMapping[str, Any]:
        if not chunks:
            await asyncio.Event().wait()
        return chunks.pop()

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal answer
        answer += message.get("body", b"")

    started = time.perf_counter_ns()
    await app(scope, receive, send)
    took = (time.perf_counter_ns() - started) / 1000
    return took, bool(json.loads(answer)["translations"][0]["from_memory"])


async def measure_memory(url: str, known: Sequence[str], unknown: Sequence[str]) -> None:
    """Load, and look up."""
    gc.collect()
    gc.freeze()  # as the server does
    memory, lines = await load(url)
    print(*lines, sep="\n")
    print("look-up, found:    ", microseconds(lambda text: memory.find("it-en", text), known))
    print("look-up, not found:", microseconds(lambda text: memory.find("it-en", text), unknown))


async def measure(folder: Path, rows: int, requests: int) -> None:
    """Load, look up, ask; print each."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    full = folder / "full"
    every = max(1, rows // DIFFERENT)
    known = [text for number, text in enumerate(sources(0, rows)) if number % every == 0]
    unknown = list(sources(rows, rows + len(known)))
    random.Random(1).shuffle(known)
    await measure_memory(Settings(data_dir=full).database, known, unknown)
    async with server(folder / "empty") as without, server(full) as with_rows:
        kinds: dict[str, tuple[FastAPI, list[str], dict[str, object]]] = {
            "memory empty": (without, unknown, {}),
            "memory full, switched off": (with_rows, unknown, {"memory": False}),
            "memory full, not found": (with_rows, unknown, {}),
            "memory full, found": (with_rows, known, {}),
        }
        times: dict[str, list[float]] = {kind: [] for kind in kinds}
        for number in range(requests):
            for kind, (app, texts, more) in kinds.items():
                took, found = await ask(app, texts[number % len(texts)], **more)
                if found != (kind == "memory full, found"):
                    raise RuntimeError(f"{kind}: from_memory is {found}")
                times[kind].append(took)
    for kind, of_kind in times.items():
        print(f"request, {kind + ':':26}", spread(of_kind[requests // 10 :]))


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=3000, help="of each kind")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = Settings(data_dir=folder / "full").database
        child = multiprocessing.get_context("spawn").Process(target=build, args=(url, options.rows))
        child.start()
        child.join()
        if child.exitcode:
            raise SystemExit(child.exitcode)
        asyncio.run(measure(folder, options.rows, options.requests))


if __name__ == "__main__":
    main()

"""A long load of everything at once: `python -m benchmarks.soak --minutes 30`. Prints one JSON object.

All dialects, corrections that are sent and approved, one promotion and its rollback, on a server of its own with the
bundled models. Whatever is answered but 200s and refusals that say when to come again is an error; memory is looked at
every few seconds and must be flat after a while.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from benchmarks.sentences import prose, sentences
from benchmarks.suites.timing import percentile

ADMIN_KEY = "soak-0123456789abcdef"
PAIR, OTHER_VERSION = "it-en", "stan-2018-attention"
PAUSE_S = 0.02
"""Of each client, after each answer: some are to be translated, not as many as can be."""
LOOK_EVERY_S = 5.0
WARM_SHARE = 0.2
"""Of the time, until memory must be flat."""
FLAT = 0.05

Ask = Callable[[httpx.Client, str], httpx.Response]


def _v1(client: httpx.Client, text: str) -> httpx.Response:
    return client.post("/v1/translate", json={"text": text, "source": "it", "target": "en", "details": True})


def _list(client: httpx.Client, text: str) -> httpx.Response:
    return client.post("/v1/translate", json={"text": [text] * 8, "source": "auto", "target": "en", "alternatives": 2})


def _html(client: httpx.Client, text: str) -> httpx.Response:
    body = {"text": f"<p>{text} <b>{text}</b></p>", "source": "it", "target": "en", "format": "html"}
    return client.post("/v1/translate", json=body)


def _libre(client: httpx.Client, text: str) -> httpx.Response:
    return client.post("/translate", data={"q": text, "source": "auto", "target": "en"})


def _deepl(client: httpx.Client, text: str) -> httpx.Response:
    return client.post("/v2/translate", json={"text": [text], "source_lang": "IT", "target_lang": "EN-GB"})


def _google(client: httpx.Client, text: str) -> httpx.Response:
    return client.post("/language/translate/v2", json={"q": [text], "target": "en", "format": "text"})


def _correct(client: httpx.Client, text: str) -> httpx.Response:
    """A correction of a sentence of its own, approved at once: it answers the next who asks."""
    body = {"source": "it", "target": "en", "source_text": text, "machine_translation": "The train is late today.",
            "corrected_translation": "Today the train is running late."}  # fmt: skip
    sent = client.post("/v1/corrections", json=body)
    if sent.status_code != 201:
        return sent
    return client.post(f"/v1/corrections/{sent.json()['id']}/approve")


ASKS: dict[str, tuple[Ask, int, bool]] = {
    "v1": (_v1, 4, True), "v1 lists": (_list, 1, True), "v1 html": (_html, 1, True),
    "libretranslate": (_libre, 2, True), "deepl": (_deepl, 2, True), "google": (_google, 2, True),
    "corrections": (_correct, 1, True), "strangers": (_v1, 2, False),
}  # fmt: skip
"""What is asked, by how many clients at once, and whether with a key; strangers come to the limit of their address."""


class Soak:
    """The clients, and what they saw."""

    def __init__(self, address: str, pause_s: float) -> None:
        self._address, self._pause_s = address, pause_s
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.answers: Counter[str] = Counter()
        self.errors: list[str] = []
        self.seconds: dict[str, list[float]] = {name: [] for name in ASKS}

    def run(self, seconds: float, look: Callable[[float], None]) -> None:
        """All clients for so long; `look` is called now and then with the share of the time that is over."""
        threads = [
            threading.Thread(target=self._client, args=(name, number), daemon=True)
            for name, (_, count, _) in ASKS.items()
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            look(passed / seconds)
            time.sleep(LOOK_EVERY_S)
        self._over.set()
        for thread in threads:
            thread.join(timeout=60)

    def _client(self, name: str, number: int) -> None:
        ask, _, has_key = ASKS[name]
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"} if has_key else {}
        texts = _texts(name, number)
        with httpx.Client(base_url=self._address, headers=headers, timeout=60) as client:
            while not self._over.is_set():
                started = time.monotonic()
                try:
                    answer = ask(client, next(texts))
                except httpx.HTTPError as error:
                    self._note(name, type(error).__name__, f"{name}: {type(error).__name__}", 0.0)
                    continue
                announced = answer.status_code in (429, 503) and "retry-after" in answer.headers
                fault = None if answer.is_success or announced else f"{name}: {answer.status_code} {answer.text[:200]}"
                self._note(name, str(answer.status_code), fault, time.monotonic() - started)
                self._over.wait(0.5 if announced else self._pause_s)

    def _note(self, name: str, status: str, fault: str | None, seconds: float) -> None:
        with self._lock:
            self.answers[f"{name} {status}"] += 1
            self.seconds[name].append(seconds)
            if fault is not None:
                self.errors.append(fault)


def _texts(name: str, number: int) -> Iterator[str]:
    if name == "corrections":
        return (f"Il treno numero {index} oggi è in ritardo." for index in itertools.count(1000))
    return itertools.cycle([*sentences(400, seed=number), *prose(40, seed=number)])


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024  # type: ignore[union-attr]


class Watch:
    """Looks at memory, and promotes another version in the middle."""

    def __init__(self, address: str, pid: int) -> None:
        self._pid = pid
        self._owner = httpx.Client(base_url=address, headers={"Authorization": f"Bearer {ADMIN_KEY}"}, timeout=120)
        self._moves = {0.5: f"{PAIR}/{OTHER_VERSION}/promote", 0.6: f"{PAIR}/rollback"}
        self.memory: list[tuple[float, float]] = []
        """Share of the time, and MB."""

    def look(self, share: float) -> None:
        """What is to be done at this share of the time."""
        self.memory.append((share, round(_resident_mb(self._pid), 1)))
        for due in [due for due in self._moves if due <= share]:
            self._owner.post(f"/v1/models/{self._moves.pop(due)}").raise_for_status()

    def told(self) -> dict[str, Any]:
        """What became of memory after the warm-up: a tenth of the time at its begin and at its end."""
        warm = [mb for share, mb in self.memory if WARM_SHARE <= share < WARM_SHARE + 0.1]
        last = [mb for share, mb in self.memory if share >= 0.9]
        first_mb, last_mb = (sum(some) / max(1, len(some)) for some in (warm, last))
        return {
            "after_warm_up_mb": round(first_mb, 1), "at_the_end_mb": round(last_mb, 1),
            "most_mb": max(mb for _, mb in self.memory), "growth": round(last_mb / first_mb - 1, 4),
            "is_flat": last_mb / first_mb - 1 <= FLAT, "every_minute_mb": [mb for _, mb in self.memory[::12]],
        }  # fmt: skip


def main() -> int:
    """Print what was seen; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="how long [%(default)s]")
    parser.add_argument(
        "--pause", type=float, default=PAUSE_S, help="of each client after an answer, in s [%(default)s]"
    )
    asked = parser.parse_args()
    minutes = asked.minutes
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TRAGHETTO_DATA_DIR": folder, "TRAGHETTO_ADMIN_KEY": ADMIN_KEY}
        command = [sys.executable, "-m", "app.cli", "serve", "--port", "0"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            address = next(re.search(r"listens on (\S+)", line).group(1) for line in server.stderr if "listens" in line)  # type: ignore[union-attr]
            threading.Thread(target=lambda: [None for _ in server.stderr or ()], daemon=True).start()
            soak, watch = Soak(address, asked.pause), Watch(address, server.pid)
            soak.run(60 * minutes, watch.look)
            server.terminate()
            status = server.wait(timeout=60)
    memory = watch.told()
    report = {
        "minutes": minutes, "pause_s": asked.pause, "answers": dict(sorted(soak.answers.items())),
        "errors": len(soak.errors), "first_errors": soak.errors[:5], "memory": memory, "exit_status": status,
        "p50_p99_ms": {name: [round(1000 * percentile(times, share), 1) for share in (0.5, 0.99)]
                       for name, times in soak.seconds.items() if times},
    }  # fmt: skip
    print(json.dumps(report, indent=1))
    return int(bool(soak.errors) or not memory["is_flat"])


if __name__ == "__main__":
    sys.exit(main())

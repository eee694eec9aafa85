"""Clients of a running server: `python -m benchmarks.load URL --clients 64 < texts`. Prints one JSON object.

They share the cores with the server that they measure, so they are one process without an event loop's machinery:
sockets that are kept alive, requests that were written before the clock starts, answers that are read when it has
stopped. The processor time that this takes is told, too.

    closed loop   each client waits for its answer before it asks again, as a program would
    open loop     requests come at random moments, at a given rate, as people's do; one that finds all connections in
                  use waits for one, and its time begins when it came
"""

from __future__ import annotations

import argparse
import json
import random
import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any
from urllib.parse import urlsplit

from benchmarks.suites.timing import percentile

LOCAL = ("127.0.0.1", "::1", "localhost")
SEED = 1
ANSWER_TIMEOUT_S = 60.0
"""What is not answered by then has failed."""
RECEIVE_BYTES = 1 << 18


@dataclass
class Request:
    """What one client asks, and what became of it."""

    texts: Sequence[str]
    payload: bytes
    """The whole HTTP request."""
    asked: float = 0.0
    """When it was sent, or came where none could be sent, on the clock of `time.perf_counter`."""
    answered: float = 0.0
    answer: bytes = b""
    """The whole HTTP answer; empty while there is none."""

    def translations(self) -> list[str] | None:
        """What was answered; None if it was an error, or nothing."""
        head, _, body = self.answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            return None
        return [translation["text"] for translation in json.loads(body)["translations"]]


def requests(netloc: str, texts: Sequence[str], per_request: int = 0, **options: Any) -> list[Request]:
    """`texts` as requests from Italian to English: of one each, or in lists of `per_request`; with `options`."""
    step = max(1, per_request)
    groups = [texts[start : start + step] for start in range(0, len(texts), step)]
    asked = [list(group) if per_request else group[0] for group in groups]
    return [
        Request(group, _payload(netloc, {"text": text, **options})) for group, text in zip(groups, asked, strict=True)
    ]


def _payload(netloc: str, options: dict[str, Any]) -> bytes:
    body = json.dumps({"source": "it", "target": "en", **options}, ensure_ascii=False).encode()
    head = f"POST /v1/translate HTTP/1.1\r\nHost: {netloc}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class Report:
    """What the clients saw."""

    seconds: float
    """From the first request to the last answer."""
    sentences_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float
    answered: int
    """Requests."""
    failed: int
    mixed_up: int
    """Texts that were answered with the translation of another text."""
    changed: int
    """Texts that were answered with a translation that is neither theirs nor that of another: in another batch a sum
    may have another last bit, and two hypotheses that score alike change places."""
    client_cpu_s: float
    """What asking cost."""
    translations: dict[str, str] = field(default_factory=dict)
    """By text, what was answered first."""


def report(asked: Sequence[Request], seconds: float, cpu_s: float, expected: dict[str, str] | None = None) -> Report:
    """What became of the requests `asked`. Where nothing is `expected`, the first answer to a text is the right one."""
    translations = dict(expected or {})
    latencies, differing, sentences, mixed_up = [], [], 0, 0
    for one in asked:
        found = one.translations()
        if found is None:
            continue
        latencies.append(1000 * (one.answered - one.asked))
        sentences += len(found)
        mixed_up += abs(len(one.texts) - len(found))
        differing += [
            made for text, made in zip(one.texts, found, strict=False) if translations.setdefault(text, made) != made
        ]
    of_others = set(translations.values())
    mixed_up += sum(made in of_others for made in differing)
    changed = sum(made not in of_others for made in differing)
    p50, p95, p99, longest = (round(percentile(latencies or [0.0], share), 3) for share in (0.5, 0.95, 0.99, 1.0))
    return Report(
        round(seconds, 4), round(sentences / seconds, 1), p50, p95, p99, longest,
        len(latencies), len(asked) - len(latencies), mixed_up, changed, round(cpu_s, 4), translations,
    )  # fmt: skip


class Client:
    """One connection, kept alive, with at most one request on it."""

    def __init__(self, place: tuple[str, int]) -> None:
        self._place = place
        self.connect()
        self.request: Request | None = None
        self._received = b""
        self._length = 0
        """Of the whole answer, once its head has come."""

    def connect(self) -> None:
        """Open a connection."""
        self.socket = socket.create_connection(self._place, timeout=ANSWER_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.has_ended = False

    def ask(self, request: Request, asked: float) -> None:
        """Send `request`, which came at `asked`."""
        request.asked = asked
        self.request, self._received, self._length = request, b"", 0
        self.socket.sendall(request.payload)

    def hear(self) -> bool:
        """Read what has come; whether `request` is answered now, or never will be."""
        data = self.socket.recv(RECEIVE_BYTES)
        self.has_ended = not data
        self._received += data
        if data and not self._length:
            end = self._received.find(b"\r\n\r\n")
            if end >= 0:
                head = self._received[:end].lower()
                self._length = end + 4 + int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        if data and (not self._length or len(self._received) < self._length):
            return False
        if self.request is not None:
            self.request.answered = time.perf_counter()
            self.request.answer = self._received if data else b""
        return True


class Crowd:
    """All clients. One thread, which sleeps until an answer comes or a request is due."""

    def __init__(self, place: tuple[str, int], clients: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._idle = [Client(place) for _ in range(clients)]
        for client in self._idle:
            self._selector.register(client.socket, selectors.EVENT_READ, client)

    def close(self) -> None:
        """Hang up."""
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        self._selector.close()

    def closed_loop(self, asked: Sequence[Request]) -> None:
        """Each client asks the next of `asked` as soon as it has its answer."""
        waiting = deque(asked)

        def next_of(client: Client) -> None:
            if waiting:
                client.ask(waiting.popleft(), time.perf_counter())
            else:
                self._idle.append(client)

        clients, self._idle = self._idle, []
        for client in clients:
            next_of(client)
        while len(self._idle) < len(self._selector.get_map()):
            if not self._hear(ANSWER_TIMEOUT_S, next_of):
                return

    def open_loop(self, asked: Sequence[Request], per_s: float, seed: int = SEED) -> None:
        """`asked` come at random moments, `per_s` of them a second on average."""
        rng = random.Random(seed)
        start = time.perf_counter()
        moments = accumulate((rng.expovariate(per_s) for _ in asked), initial=start)
        due = deque(zip(moments, asked, strict=False))
        late: deque[tuple[float, Request]] = deque()

        def next_of(client: Client) -> None:
            if late:
                moment, request = late.popleft()
                client.ask(request, moment)
            else:
                self._idle.append(client)

        while due or late or len(self._idle) < len(self._selector.get_map()):
            now = time.perf_counter()
            while due and due[0][0] <= now:
                late.append(due.popleft())
            while late and self._idle:
                next_of(self._idle.pop())
            wait_s = max(0.0, due[0][0] - time.perf_counter()) if due else ANSWER_TIMEOUT_S
            if not self._hear(wait_s, next_of) and not due:
                return

    def _connect_again(self, client: Client) -> None:
        self._selector.unregister(client.socket)
        client.socket.close()
        client.connect()
        self._selector.register(client.socket, selectors.EVENT_READ, client)

    def _hear(self, timeout_s: float, then: Callable[[Client], None]) -> bool:
        """Read what comes within `timeout_s`, and let `then` go on with who has its answer; whether anything came."""
        ready = self._selector.select(timeout_s)
        for key, _ in ready:
            client: Client = key.data
            if client.hear():
                if client.has_ended:
                    self._connect_again(client)
                then(client)
        return bool(ready)


def ask(
    url: str,
    texts: Sequence[str],
    clients: int,
    *,
    per_request: int = 0,
    per_s: float = 0.0,
    expected: dict[str, str] | None = None,
    **options: Any,
) -> Report:
    """Send each of `texts` once, over `clients` connections: as fast as answers come, or `per_s` requests a second.

    Args:
        per_request: texts of one request, as a list; 0: one, not as a list.
        expected: the right translations; without them the first answer to a text counts as right.
        options: further fields of the requests, such as `beam`.
    """
    place = urlsplit(url)
    if place.hostname not in LOCAL:
        raise SystemExit(f"{place.hostname} is not this machine; load is only put on this machine")
    asked = requests(place.netloc, texts, per_request, **options)
    crowd = Crowd((place.hostname or "", place.port or 80), min(clients, len(asked)))
    started, cpu_s = time.perf_counter(), time.process_time()
    if per_s:
        crowd.open_loop(asked, per_s)
    else:
        crowd.closed_loop(asked)
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_s
    crowd.close()
    return report(asked, seconds, cpu_s, expected)


def texts_of(lines: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Texts, one a line; after a tab, the translation that is expected of it."""
    rows = [line.rstrip("\n").split("\t") for line in lines if line.strip("\n")]
    return [row[0] for row in rows], {row[0]: row[1] for row in rows if len(row) > 1}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", help="such as http://127.0.0.1:8000")
    parser.add_argument("--clients", type=int, default=64, metavar="N", help="connections [64]")
    parser.add_argument("--list", type=int, default=0, metavar="N", help="texts of one request [one, not in a list]")
    parser.add_argument("--rate", type=float, default=0.0, metavar="R", help="requests a second [as answers come]")
    parser.add_argument("--beam", type=int, metavar="N", help="width of the search [the server's default]")
    arguments = parser.parse_args()
    texts, expected = texts_of(sys.stdin)
    options = {"beam": arguments.beam} if arguments.beam else {}
    found = ask(
        arguments.url, texts, arguments.clients,
        per_request=arguments.list, per_s=arguments.rate, expected=expected, **options,
    )  # fmt: skip
    print(json.dumps(asdict(found), ensure_ascii=False))


if __name__ == "__main__":
    main()

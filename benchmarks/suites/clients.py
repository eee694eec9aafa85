"""Clients of a server in processes of their own, and what they have been answered so far."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.load import Report
from benchmarks.suites.processes import Server

PAUSE_S, PATIENCE_S = 0.02, 60.0
MOST_CHANGED = 0.005
"""Of the texts."""


class Clients:
    """All clients of one server."""

    def __init__(self, server: Server, scratch: Path) -> None:
        self.url = f"http://127.0.0.1:{server.port}"
        self._port, self._given = server.port, scratch / "asked"
        self._known: dict[int, dict[str, str]] = {}
        """By beam and text, what is right, or was answered first."""

    def know(self, beam: int, translations: dict[str, str]) -> None:
        """These are right."""
        self._known.setdefault(beam, {}).update(translations)

    def ask(self, texts: Sequence[str], clients: int, beam: int, *, per_request: int = 0, per_s: float = 0.0) -> Report:
        """What clients see that ask for each of `texts` once; arguments as for `benchmarks.load.ask`.

        Raises:
            RuntimeError: a request failed, a text was answered with the translation of another, or there are more than
                `MOST_CHANGED` translations that are not as before.
        """
        known = self._known.setdefault(beam, {})
        self._write(f"{text}\t{known[text]}" if text in known else text for text in texts)
        options = ("--beam", beam, "--list", per_request, "--rate", per_s)
        with self._given.open("rb") as given:
            done = subprocess.run(self._command(clients, *options), stdin=given, stdout=subprocess.PIPE, check=True)
        report = Report(**json.loads(done.stdout))
        if report.failed or report.mixed_up or report.changed > MOST_CHANGED * len(texts):
            told = f"{report.failed} requests failed, {report.mixed_up} texts got the translation of another"
            raise RuntimeError(f"{told}, {report.changed} another than before")
        known.update(report.translations)
        return report

    @contextlib.contextmanager
    def asking(self, texts: Sequence[str], per_request: int) -> Iterator[None]:
        """While it lasts another user asks for all of `texts` at once, in lists, and then is gone.

        Raises:
            RuntimeError: all of them were answered before the end, or the server does not get rid of them.
        """
        self._write(texts)
        command = self._command(-(-len(texts) // per_request), "--list", per_request)
        with (
            self._given.open("rb") as given,
            subprocess.Popen(command, stdin=given, stdout=subprocess.DEVNULL) as process,
        ):
            _wait(lambda: self._waiting() > 0, "the other user asks")
            yield
            is_done = self._waiting() == 0
            process.kill()
        _wait(lambda: self._waiting() == 0, "the other user is forgotten")
        if is_done:
            raise RuntimeError("the other user was answered too soon")

    def _write(self, lines: Iterator[str] | Sequence[str]) -> None:
        self._given.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def _command(self, clients: int, *options: object) -> list[str]:
        return [sys.executable, "-m", "benchmarks.load", self.url, "--clients", str(clients), *map(str, options)]

    def _waiting(self) -> int:
        """Sentences in the server's queue."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port)) as connection:
            connection.request("GET", "/metrics")
            told = connection.getresponse().read().decode()
        return int(float(re.findall(r"^traghetto_waiting_sentences (\S+)", told, re.MULTILINE)[0]))


def _wait(until: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not until():
        if time.monotonic() > ends:
            raise RuntimeError(f"not within {PATIENCE_S:.0f} s: {what}")
        time.sleep(PAUSE_S)

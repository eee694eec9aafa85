"""How soon all servers have a version that was promoted: `python -m benchmarks.promotion URL`. Prints one JSON object.

Servers with a data directory each, on one store (a folder) and one PostgreSQL, in a database of their own there;
clients who ask all of them all the time; and `traghetto models promote` again and again, from one version that came
with the program to another, or with --fresh to copies of them that only the first server's data directory has, so that
the others have to fetch them. A server has a version when one of its answers was made by it.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
from psycopg import sql
from sqlalchemy import make_url

from benchmarks.sentences import sentences
from benchmarks.servers import PROGRAM, environment, served
from benchmarks.suites.timing import percentile
from model.versions.card import CARD
from model.versions.store import BUNDLED, find

PAIR, VERSIONS = "it-en", ("stan-2018-attention", "default")
PAUSE_S = 0.02
"""Of each client, after each answer."""
SETTLE_S = 1.0
"""Between two promotions."""
TIMEOUT_S = 30.0


class Seen(NamedTuple):
    """A version in an answer, and when it came, on the clock of `time.time`."""

    at: float
    version: str


class Watched:
    """One server: when each version was first heard of it, and what failed."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"
        self._lock = threading.Lock()
        self.heard: list[Seen] = []
        self.failures: list[str] = []
        self.answers = 0

    def ask(self, enough: threading.Event, seed: int) -> None:
        """One client."""
        with httpx.Client(base_url=self._address, timeout=60) as client:
            for text in itertools.cycle(sentences(200, seed)):
                if enough.is_set():
                    return
                try:
                    self.keep(client.post("/v1/translate", json={"text": text, "source": "it", "target": "en"}))
                except httpx.HTTPError as error:
                    self._fail(repr(error))
                time.sleep(PAUSE_S)

    def keep(self, answer: httpx.Response) -> None:
        """Note what an answer tells."""
        now = time.time()
        if answer.status_code != httpx.codes.OK:
            self._fail(f"{answer.status_code} {answer.text}")
            return
        with self._lock:
            self.answers += 1
            version = answer.json()["translations"][0]["model_version"]
            if version not in [one.version for one in self.heard]:
                self.heard.append(Seen(now, version))

    def _fail(self, why: str) -> None:
        with self._lock:
            self.failures.append(why)

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self.heard.clear()

    def has_at(self, version: str) -> float:
        """When it was first heard; waits for it.

        Raises:
            TimeoutError: it is not heard.
        """
        ends = time.time() + TIMEOUT_S
        while time.time() < ends:
            with self._lock:
                for one in self.heard:
                    if one.version == version:
                        return one.at
            time.sleep(0.005)
        raise TimeoutError(f"{self._address} does not change to {version}")


@contextlib.contextmanager
def _database(url: str) -> Iterator[str]:
    """The address of a new, empty database on the server of `url`, for our settings; dropped at the end."""
    name = f"traghetto_promotion_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield make_url(url).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def versions(rounds: int, data_dir: Path | None) -> Iterator[str]:
    """What to promote, one after the other: what came with the program, or a new copy of it each time in `data_dir`."""
    for number, version in zip(range(rounds), itertools.cycle(VERSIONS), strict=False):
        yield _copy(version, f"{version}-{number}", data_dir) if data_dir else version


def _copy(version: str, name: str, data_dir: Path) -> str:
    """The same version under another name; that name."""
    folder = data_dir / "models" / PAIR / name
    shutil.copytree(find([BUNDLED], PAIR, version), folder)
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    (folder / CARD).write_text(json.dumps({**card, "version": name}), encoding="utf-8")
    return name


def _measure(
    watched: Sequence[Watched], store: Path, variables: dict[str, str], promoted: Iterator[str]
) -> Iterator[dict[str, float]]:
    """Promote again and again; seconds of the command, and from its end, and from when the pointer of the store moved,
    until the last server has the version."""
    command = [str(PROGRAM), "models", "promote", PAIR]
    for version in promoted:
        time.sleep(SETTLE_S)
        for one in watched:
            one.forget()
        began = time.time()
        subprocess.run([*command, version], env=variables, check=True, stdout=subprocess.DEVNULL)
        ended = time.time()
        last = max(one.has_at(version) for one in watched)
        moved = max(path.stat().st_mtime for path in (store / PAIR / "_pointer").iterdir())
        yield {"command_s": ended - began, "after_its_end_s": last - ended, "after_the_move_s": last - moved}


@contextlib.contextmanager
def _asked(watched: Sequence[Watched], clients: int) -> Iterator[None]:
    """So many clients ask each server."""
    enough = threading.Event()
    threads = [threading.Thread(target=one.ask, args=(enough, seed)) for one in watched for seed in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def report(found: Sequence[dict[str, float]], watched: Sequence[Watched]) -> dict[str, Any]:
    """Medians and worst seconds, and what was answered and what failed."""
    by_name = {name: [one[name] for one in found] for name in found[0]}
    seconds = {
        name: {"median": round(percentile(values, 0.5), 3), "most": round(max(values), 3)}
        for name, values in by_name.items()
    }
    failures = [text for one in watched for text in one.failures]
    return {"promotions": len(found), **seconds, "answers": sum(one.answers for one in watched), "failures": failures}


def main() -> None:
    """Measure and print."""
    about = (__doc__ or "").split("\n\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.promotion", description=about)
    parser.add_argument("url", metavar="URL", help="of PostgreSQL, with a role that may create databases")
    parser.add_argument("--rounds", type=int, default=20, help="promotions [20]")
    parser.add_argument("--servers", type=int, default=2, help="[2]")
    parser.add_argument("--clients", type=int, default=2, help="of each server [2]")
    parser.add_argument("--fresh", action="store_true", help="versions that the other servers have to fetch")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, _database(options.url) as url, contextlib.ExitStack() as servers:
        folder, store = Path(name), Path(name) / "store"
        store.mkdir()
        shared = {
            "TRAGHETTO_DATABASE_URL": url,
            "TRAGHETTO_MODELS_URL": f"file://{store}",
            "TRAGHETTO_TORCH_THREADS": "1",
        }
        watched = [Watched(servers.enter_context(served(folder / str(n), (), shared))) for n in range(options.servers)]
        with _asked(watched, options.clients):
            variables = environment({**shared, "TRAGHETTO_DATA_DIR": str(folder / "0")})
            promoted = versions(options.rounds, folder / "0" if options.fresh else None)
            found = list(_measure(watched, store, variables, promoted))
    sys.stdout.write(json.dumps(report(found, watched), indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Servers with a data directory each, on one store and one PostgreSQL: what one promotes, all have at once."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest
from cli_kit import as_program, succeeded
from databases import emptied
from fakes import body
from patience import wait_until
from sqlalchemy import URL, make_url

PAIR = "it-en"
ROOT = Path(__file__).parents[3]
SERVE = """
import sys
from app.serve import run
from app.settings import load_settings
sys.exit(run(load_settings(port=0)))
"""


@contextlib.contextmanager
def served(**settings: str) -> Iterator[str]:
    """The address of a server process."""
    environment = {f"TRAGHETTO_{name.upper()}": value for name, value in settings.items()}
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        try:
            yield _address(process)
        finally:
            process.terminate()
            process.communicate(timeout=60)


def _address(process: subprocess.Popen[str]) -> str:
    lines: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if found := re.search(r"listens on (http://\S+)", line):
            threading.Thread(target=process.stderr.read, daemon=True).start()  # or it would wait for a reader
            return found.group(1)
    raise AssertionError("the server did not start:\n" + "".join(lines))


@dataclass
class Client:
    """Asks one server again and again; keeps when it first heard each version, and what failed."""

    address: str
    versions: list[tuple[float, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with httpx.Client(base_url=self.address, timeout=60) as http:
            while not self.enough.is_set():
                answer = http.post("/v1/translate", json=body("Vorrei un bicchiere."))
                if answer.status_code != 200:
                    self.failures.append(answer.text)
                    continue
                version = answer.json()["translations"][0]["model_version"]
                if not self.versions or self.versions[-1][1] != version:
                    self.versions.append((time.monotonic(), version))
                time.sleep(0.02)

    def has(self, version: str) -> bool:
        return bool(self.versions) and self.versions[-1][1] == version


@contextlib.contextmanager
def asking(*addresses: str) -> Iterator[list[Client]]:
    """A client of each server."""
    clients = [Client(address) for address in addresses]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.enough.set()
        for thread in threads:
            thread.join(60)


@pytest.fixture
def data_dirs(tiny_data_dir: Path, tmp_path: Path) -> list[Path]:
    """Of two servers that have `default`; the first has `second` too."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        shutil.copytree(tiny_data_dir / "models", folder / "models")
    shutil.rmtree(folders[1] / "models" / PAIR / "second")
    return folders


def common(folder: Path, url: str, store: str) -> dict[str, str]:
    return {"data_dir": str(folder), "models_url": store, "database_url": url, "device": "cpu", "log_level": "info",
            "requests_per_address": "none", "migrate_on_start": "false"}  # fmt: skip


@pytest.mark.postgres
@pytest.mark.long
def test_a_promotion_reaches_two_servers_at_once_and_fails_no_request(
    data_dirs: list[Path], shared_database: URL, s3_url: str
) -> None:
    url = emptied(shared_database)
    one, two = (common(folder, url, s3_url) for folder in data_dirs)
    environment = {f"TRAGHETTO_{name.upper()}": value for name, value in one.items()}
    with served(**one) as first, served(**two) as second, asking(first, second) as clients:
        wait_until(lambda: all(client.has("default") for client in clients), "both serve", 60)
        assert "is in the store now" in succeeded(as_program("models", "push", PAIR, "second", **environment))
        wait_until((data_dirs[1] / "models" / PAIR / "second").is_dir, "the other fetches it ahead of a promotion")
        for command, version in ((("promote", PAIR, "second"), "second"), (("rollback", PAIR), "default")):
            succeeded(as_program("models", *command, **environment))
            moved = time.monotonic()
            wait_until(lambda version=version: all(client.has(version) for client in clients), "both follow")
            took = [client.versions[-1][0] - moved for client in clients]
            sys.stdout.write(f"{version} answers {took[0]:.2f} s and {took[1]:.2f} s after the command has ended\n")
        _the_connections_that_listen_come_back(url, clients, environment)
    assert [client.failures for client in clients] == [[], []]


def _the_connections_that_listen_come_back(url: str, clients: list[Client], environment: dict[str, str]) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query = 'LISTEN traghetto_models'"
        ).fetchone()
        assert ended == (2,), "each server has one connection that listens"

        def listen_again() -> bool:
            found = connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query = 'LISTEN traghetto_models'"
            ).fetchone()
            return found == (2,)

        wait_until(listen_again, "both listen again")
    succeeded(as_program("models", "promote", PAIR, "second", **environment))
    wait_until(lambda: all(client.has("second") for client in clients), "both follow")


@pytest.mark.long
def test_a_server_whose_store_is_away_starts_and_follows_when_it_is_back(data_dirs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    database, store = f"sqlite:///{tmp_path / 'shared.db'}", f"file://{tmp_path / 'store'}"
    settings = [{**common(folder, database, store), "migrate_on_start": "true"} for folder in data_dirs]
    environment = {f"TRAGHETTO_{name.upper()}": value for name, value in settings[0].items()}
    succeeded(as_program("models", "promote", PAIR, "second", **environment))
    (tmp_path / "store").rename(tmp_path / "away")
    with served(**settings[1]) as address, asking(address) as (client,):
        wait_until(lambda: client.has("default"), "it serves what it has", 60)

        def told() -> bool:
            found = httpx.get(f"{address}/health/ready").json()
            return found["status"] == "ready" and found["detail"] == "The store of models does not answer."

        wait_until(told, "it says that it may be behind")
        (tmp_path / "away").rename(tmp_path / "store")
        wait_until(lambda: client.has("second"), "it follows when the store is back")
        wait_until(lambda: httpx.get(f"{address}/health/ready").json()["detail"] is None, "it is not behind any more")
        assert "traghetto_model_store_failures_total" in httpx.get(f"{address}/metrics").text
    assert client.failures == []


@pytest.mark.long
def test_a_server_that_starts_with_a_damaged_copy_serves_it_once_it_is_mended(
    data_dirs: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "store").mkdir()
    database, store = f"sqlite:///{tmp_path / 'shared.db'}", f"file://{tmp_path / 'store'}"
    settings = {**common(data_dirs[0], database, store), "migrate_on_start": "true"}
    environment = {f"TRAGHETTO_{name.upper()}": value for name, value in settings.items()}
    succeeded(as_program("models", "promote", PAIR, "second", **environment))
    weights = data_dirs[0] / "models" / PAIR / "second" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + b"?")
    with served(**settings) as address, asking(address) as (client,):
        wait_until(lambda: client.has("second"), "it serves what is current", 60)
    assert weights.read_bytes() == whole
    assert client.failures == []

"""Two real servers behind nginx with the file that is in `deploy`: one dies under load, and nobody sees it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from cli_kit import PROGRAM
from cluster_kit import free_port
from corrections_kit import ADMIN_KEY
from fakes import body
from patience import wait_until
from test_proxies import AROUND

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
FILE = Path(__file__).parents[3] / "deploy" / "nginx.replicas.conf"
CLIENTS, EACH = 8, 40

pytestmark = pytest.mark.skipif(NGINX is None, reason="needs nginx")


@contextlib.contextmanager
def started(command: list[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def server(data_dir: Path, port: int) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    settings = {"DATA_DIR": str(data_dir), "ADMIN_KEY": ADMIN_KEY, "ALLOWED_HOSTS": "localhost",
                "TRUSTED_PROXIES": "127.0.0.1", "REQUESTS_PER_ADDRESS": "none"}  # fmt: skip
    environment = {f"TRAGHETTO_{name}": value for name, value in settings.items()}
    return started([str(PROGRAM), "serve", "--port", str(port)], **environment)


def nginx(folder: Path, port: int, servers: list[int]) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    """With the servers by their ports, since there is no name server that knows them."""
    site = FILE.read_text(encoding="utf-8")
    line = "    server server:8000 resolve max_fails=1 fail_timeout=5s;\n"
    upstreams = "".join(line.replace("server:8000 resolve", f"127.0.0.1:{one}") for one in servers)
    for old, new in {line: upstreams, "resolver 127.0.0.11 valid=2s;": "", "8080;": f"127.0.0.1:{port};"}.items():
        assert site.count(old) == 1, old
        site = site.replace(old, new)
    (folder / "site.conf").write_text(site, encoding="utf-8")
    user = "user root;\n" if os.geteuid() == 0 else ""  # or its workers could not write into the folder
    (folder / "nginx.conf").write_text(user + AROUND.format(folder=folder), encoding="utf-8")
    return started([str(NGINX), "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"])


def is_up(port: int) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/health/ready", headers={"Host": "localhost"}).status_code == 200
    return False


def ask(port: int, number: int, first: threading.Event) -> Counter[int]:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Host": f"localhost:{port}"}, timeout=20) as client:
        texts = [f"Il treno numero {number} parte alle {turn}." for turn in range(EACH)]
        statuses = Counter[int]()
        for text in texts:
            statuses[client.post("/v1/translate", json=body(text)).status_code] += 1
            first.set()
        return statuses


def test_a_server_that_dies_under_load_is_not_missed(tiny_data_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_data_dir / "models", tmp_path / "data" / "models")
    first_answer = threading.Event()
    port, *ports = free_port(), free_port(), free_port()
    with server(tmp_path / "data", ports[0]) as first, server(tmp_path / "data", ports[1]):
        wait_until(lambda: all(map(is_up, ports)), "both servers are up", 90)
        with nginx(tmp_path, port, ports):
            wait_until(lambda: is_up(port), "the proxy is up")
            with ThreadPoolExecutor(CLIENTS) as pool:
                counts = [pool.submit(ask, port, number, first_answer) for number in range(CLIENTS)]
                assert first_answer.wait(30)
                first.send_signal(signal.SIGKILL)
                total = sum((count.result() for count in counts), Counter())
    assert total == {200: CLIENTS * EACH}

"""nginx and Caddy, as in `deploy`, in front of a real server: what comes through, and who is said to have sent it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cli_kit import PROGRAM
from cluster_kit import free_port
from corrections_kit import ADMIN_KEY, draft
from fakes import body

ROOT = Path(__file__).parents[3]
NAME = "translate.example.org"
CLIENT = "127.0.0.2"
"""Another address of this machine: the proxy's own is 127.0.0.1."""
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
AROUND = """
daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""
CADDY = shutil.which("caddy")
OPTIONS = """{{
	admin off
	auto_https disable_redirects
	skip_install_trust
	storage file_system {folder}/storage
}}
"""
KINDS = [
    pytest.param("nginx", marks=pytest.mark.skipif(
        NGINX is None or shutil.which("openssl") is None, reason="needs nginx, and openssl for a certificate"
    )),
    pytest.param("caddy", marks=pytest.mark.skipif(CADDY is None, reason="needs Caddy")),
]  # fmt: skip


@dataclass
class Behind:
    """A server behind a proxy."""

    kind: str
    port: int
    plain_port: int
    server: subprocess.Popen[str]
    data_dir: Path
    said: list[str]
    """Lines of the server's log."""

    def client(self, **headers: str) -> httpx.Client:
        transport = httpx.HTTPTransport(verify=False, local_address=CLIENT)
        return httpx.Client(
            base_url=f"https://{NAME}:{self.port}", transport=Here(transport), headers=headers, timeout=30
        )


class Here(httpx.BaseTransport):
    """Sends what is for `NAME` to this machine, as its name server would, and says `NAME` in the TLS handshake."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["sni_hostname"] = NAME
        request.url = request.url.copy_with(host="127.0.0.1")
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


@contextlib.contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


def started_server(data_dir: Path) -> subprocess.Popen[str]:
    settings = {
        "DATA_DIR": str(data_dir), "ADMIN_KEY": ADMIN_KEY, "ALLOWED_HOSTS": NAME, "TRUSTED_PROXIES": "127.0.0.1",
        "ACCESS_LOG": "true",
    }  # fmt: skip
    environment = {**os.environ, **{f"TRAGHETTO_{name}": value for name, value in settings.items()}}
    command = [str(PROGRAM), "serve", "--port", "0"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def started_nginx(folder: Path, server_port: int, ports: tuple[int, int]) -> subprocess.Popen[str]:
    """nginx with the file that is in `deploy`, but other ports and a certificate of our own."""
    site = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    changes = {
        "listen 80;": f"listen 127.0.0.1:{ports[0]};", "listen 443": f"listen 127.0.0.1:{ports[1]}",
        "/etc/ssl/traghetto": str(folder), "127.0.0.1:8000": f"127.0.0.1:{server_port}",
    }  # fmt: skip
    for old, new in changes.items():
        assert site.count(old) in (1, 2), old
        site = site.replace(old, new)
    (folder / "site.conf").write_text(site, encoding="utf-8")
    user = "user root;\n" if os.geteuid() == 0 else ""  # or its workers could not write into the folder
    (folder / "nginx.conf").write_text(user + AROUND.format(folder=folder), encoding="utf-8")
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}",
            "-keyout", f"{folder}/privkey.pem", "-out", f"{folder}/fullchain.pem"]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True, timeout=60)
    command = [str(NGINX), "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def started_caddy(folder: Path, server_port: int, ports: tuple[int, int]) -> subprocess.Popen[str]:
    """Caddy with the file that is in `deploy`, but another port and a certificate of its own making."""
    site = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    changes = {
        f"\n{NAME} {{": f"\nhttps://{NAME}:{ports[1]} {{\n\ttls internal",
        "reverse_proxy 127.0.0.1:8000": f"reverse_proxy 127.0.0.1:{server_port}",
    }
    for old, new in changes.items():
        assert site.count(old) == 1, old
        site = site.replace(old, new)
    (folder / "Caddyfile").write_text(OPTIONS.format(folder=folder) + site, encoding="utf-8")
    command = [str(CADDY), "run", "--adapter", "caddyfile", "--config", f"{folder}/Caddyfile"]
    environment = {**os.environ, "HOME": str(folder)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)


@pytest.fixture(scope="module", params=KINDS)
def behind(
    request: pytest.FixtureRequest, tiny_data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copytree(tiny_data_dir / "models", folder / "data" / "models")
    said: list[str] = []
    server = started_server(folder / "data")
    with ended(server):
        assert server.stderr is not None
        address = None
        while address is None:
            said.append(server.stderr.readline())
            assert said[-1], "".join(said)
            address = re.search(r"listens on http://127.0.0.1:(\d+)", said[-1])
        threading.Thread(target=lambda: said.extend(server.stderr or ()), daemon=True).start()
        ports = (free_port(), free_port())
        start = started_nginx if request.param == "nginx" else started_caddy
        with ended(start(folder, int(address[1]), ports)):
            found = Behind(request.param, ports[1], ports[0], server, folder / "data", said)
            wait_until_up(found)
            yield found


def wait_until_up(behind: Behind) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        with contextlib.suppress(httpx.TransportError), behind.client() as client:
            if client.get("/health/ready").status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("".join(behind.said))


def test_it_translates_for_the_client_that_the_proxy_has_seen(behind: Behind) -> None:
    """Whatever the client says of its own address."""
    with behind.client(**{"X-Forwarded-For": "203.0.113.9", "X-Request-ID": "asked-by-a-test"}) as client:
        answer = client.post("/v1/translate", json=body("Vorrei un bicchiere."))
    assert answer.status_code == 200, answer.text
    assert answer.headers["strict-transport-security"]
    ends = time.monotonic() + 10
    while not (lines := [line for line in behind.said if "asked-by-a-test" in line]) and time.monotonic() < ends:
        time.sleep(0.05)
    assert lines and CLIENT in lines[0] and "203.0.113.9" not in "".join(behind.said)


def test_pages_come_and_may_correct_and_those_of_others_may_not(behind: Behind) -> None:
    with behind.client() as client:
        page = client.get("/")
        assert page.status_code == 200
        script = re.search(r'src="(/static/[^"]+main.js)"', page.text)
        assert script is not None and client.get(script[1]).status_code == 200
        own = client.post("/v1/corrections", json=draft(), headers={"Origin": f"https://{NAME}:{behind.port}"})
        assert own.status_code == 201, own.text
        foreign = client.post("/v1/corrections", json=draft("Otherwise."), headers={"Origin": "https://example.com"})
        assert foreign.status_code == 403


def test_nobody_is_the_owner_and_the_metrics_are_not_for_all(behind: Behind) -> None:
    with behind.client() as client:
        assert client.get("/v1/models").status_code == 401
        assert client.get("/metrics").status_code == 404


@pytest.mark.parametrize(("path", "most"), [("/v1/translate", 1 << 20), ("/v1/corrections/import", 16 << 20)])
def test_bodies_have_the_limits_of_the_server(behind: Behind, path: str, most: int) -> None:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}
    with behind.client(**headers) as client:
        fits = client.post(path, content=b" " * most)
        for _ in range(3):  # Caddy may see the connection end before the answer: it says 503, and to come again
            large = client.post(path, content=b" " * (most + 1))
            if large.status_code != 503:
                break
    assert fits.status_code != 413 and fits.status_code < 500
    assert (large.status_code, large.headers["content-type"]) == (413, "application/problem+json")
    assert large.json()["status"] == 413


def test_events_come_at_once(behind: Behind) -> None:
    """A run that tells something now and then, as its file does."""
    folder = behind.data_dir / "progress"
    folder.mkdir(exist_ok=True)
    run = folder / f"{uuid.uuid4()}.jsonl"
    line = '{"event": "stage", "stage": "train", "number": %d, "done": 1, "total": 9, "seconds": 1}\n'
    run.write_text(line % 1, encoding="utf-8")
    seen: list[str] = []
    path = f"/v1/retraining/{run.stem}/events"
    with (
        behind.client(Authorization=f"Bearer {ADMIN_KEY}") as client,
        client.stream("GET", path, timeout=20) as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        for told in response.iter_lines():
            if told.startswith("data:"):
                seen.append(told)
                if len(seen) == 3:
                    break
                with run.open("a", encoding="utf-8") as file:  # only when the one before has come through
                    file.write(line % (len(seen) + 1))
    assert [f'"number":{number}' in told for number, told in enumerate(seen, 1)] == [True] * 3


def test_plain_http_is_led_to_https(behind: Behind) -> None:
    if behind.kind == "caddy":
        pytest.skip("Caddy does this by itself, on port 80 alone")
    answer = httpx.get(f"http://127.0.0.1:{behind.plain_port}/docs?x=1", headers={"Host": NAME})
    assert (answer.status_code, answer.headers["location"]) == (301, f"https://{NAME}/docs?x=1")


def test_a_server_that_is_away_is_told_in_the_words_of_the_api(behind: Behind) -> None:
    """The last one behind each proxy: it ends the server."""
    behind.server.terminate()
    behind.server.wait(timeout=30)
    with behind.client() as client:
        answer = client.post("/v1/translate", json=body("Ciao."))
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.headers["retry-after"] == "5" and answer.json()["status"] == 503

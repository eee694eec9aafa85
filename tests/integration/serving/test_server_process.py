"""`app.serve.run` in a process of its own: it starts, tells its address, refuses what is unsafe, and ends well."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cli_kit import failed, in_process
from fakes import body

SERVE = """
import sys
from app.errors import AppError
from app.serve import run
from app.settings import load_settings
try:
    sys.exit(run(load_settings(port=0)))
except AppError as error:
    sys.exit(str(error))
"""
WITHOUT_TORCH = "import sys; sys.modules['torch'] = None"
"""Whoever imports it from then on gets an ImportError."""
SLOW_FAKE = """
import sys
sys.path[:0] = [{tests!r}]
from fakes import FakeTranslator, fake_detect
import app.serve
from app.main import create_app
from app.settings import load_settings
app.serve.create_app = lambda settings, **more: create_app(
    settings, lambda: {{"it-en": FakeTranslator(seconds_per_batch=0.7)}}, detect=fake_detect, **more
)
sys.exit(app.serve.run(load_settings(port=0)))
"""
TESTS = Path(__file__).parents[2]


def start(program: str, **environment: str) -> subprocess.Popen[str]:
    variables = {f"TRAGHETTO_{name.upper()}": value for name, value in environment.items()}
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=TESTS.parent,
        env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextlib.contextmanager
def served(program: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its address, once it says so; at the end neither it nor one of its workers is left."""
    with start(program, **environment) as process:
        try:
            yield process, _address(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _address(process: subprocess.Popen[str]) -> str:
    lines = []
    assert process.stderr is not None
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        for line in process.stderr:
            lines.append(line)
            found = re.search(r"listens on (http://\S+)", line)
            if found:
                return found.group(1)
    finally:
        watchdog.cancel()
    raise AssertionError("the server did not start:\n" + "".join(lines))


def test_it_translates_with_a_real_model_and_ends_on_sigterm(tiny_data_dir: Path) -> None:
    with served(SERVE, data_dir=str(tiny_data_dir)) as (process, address):
        answer = httpx.post(f"{address}/v1/translate", json=body("Vorrei un bicchiere."), timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.json()["translations"][0]["model_version"] == "default"
        assert httpx.get(f"{address}/health/ready").json()["status"] == "ready"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == -signal.SIGTERM
    assert (tiny_data_dir / "traghetto.db").is_file(), "the embedded database must be migrated at start"


@pytest.mark.native
@pytest.mark.weights
def test_it_needs_no_torch_where_decode_c_decodes(tmp_path: Path) -> None:
    """A worker would take half a gigabyte, and seconds to start."""
    searches = ({}, {"beam": 1}, {"alternatives": 2}, {"prefix": "Where "}, {"prefix": "Wh", "alternatives": 3})
    with served(WITHOUT_TORCH + SERVE, data_dir=str(tmp_path)) as (_, address):
        for search in searches:
            answer = httpx.post(f"{address}/v1/translate", json=body("Dove abiti?", **search), timeout=60)
            assert answer.status_code == 200, answer.text
        back = {"text": "Where do you live?", "source": "auto", "target": "it"}
        assert httpx.post(f"{address}/v1/translate", json=back, timeout=60).json()["translations"][0]["source"] == "en"


def test_several_workers_share_the_address(tiny_data_dir: Path) -> None:
    with served(SERVE, data_dir=str(tiny_data_dir), workers="2") as (process, address):
        answers = [_until_answered(address) for _ in range(4)]
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
    assert [answer.status_code for answer in answers] == [200] * 4
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


def _until_answered(address: str) -> httpx.Response:
    """The socket is open before the workers are there: a request waits in it."""
    return httpx.post(f"{address}/v1/translate", json=body("Ciao."), timeout=60)


def test_sigterm_lets_accepted_requests_finish(tmp_path: Path) -> None:
    with served(SLOW_FAKE.format(tests=str(TESTS)), data_dir=str(tmp_path)) as (process, address):
        httpx.post(f"{address}/v1/translate", json=body("calda"), timeout=30)
        host, port = address.removeprefix("http://").split(":")
        clients = [http.client.HTTPConnection(host, int(port), timeout=30) for _ in range(5)]
        for number, client in enumerate(clients):
            client.request("POST", "/v1/translate", json.dumps(body(f"frase {number}")))
        httpx.get(f"{address}/health/live")  # which came later: the server has read them all
        process.send_signal(signal.SIGTERM)
        answers = [json.load(client.getresponse()) for client in clients]
        process.wait(timeout=20)
        with pytest.raises(httpx.ConnectError):
            httpx.get(address)
    assert [answer["translations"][0]["text"] for answer in answers] == [f"FRASE {number}" for number in range(5)]


def test_without_models_it_ends_with_a_clear_message(tmp_path: Path, tiny_data_dir: Path) -> None:
    broken = tmp_path / "models" / "it-en" / "default"
    broken.mkdir(parents=True)
    (broken / "card.json").write_text("{}", encoding="utf-8")
    with start(SERVE, data_dir=str(tmp_path)) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "The models could not be loaded" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"host": "0.0.0.0"}, "TRAGHETTO_ADMIN_KEY"),
        ({"max_char": "5"}, "did you mean TRAGHETTO_MAX_CHARS"),
        ({"max_chars": "many"}, "TRAGHETTO_MAX_CHARS"),
        ({"data_dir": "/dev/null/x"}, "TRAGHETTO_DATA_DIR"),
    ],
)
def test_unsafe_or_wrong_settings_end_it_with_a_clear_message(environment: dict[str, str], message: str) -> None:
    """In this process: that of `test_without_models_it_ends_with_a_clear_message` is its own."""
    variables = {f"TRAGHETTO_{name.upper()}": value for name, value in environment.items()}
    failed(in_process("serve", "--port", "0", **variables), 2, message)


def test_the_access_log_leaves_out_what_follows_the_question_mark(tmp_path: Path) -> None:
    program = SLOW_FAKE.format(tests=str(TESTS))
    with served(program, data_dir=str(tmp_path), access_log="true") as (process, address):
        assert httpx.get(f"{address}/health/live?signature=segreto").status_code == 200
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        assert process.stderr is not None
        errors = process.stderr.read()
    assert "127.0.0.1 GET /health/live 200 " in errors
    assert "segreto" not in errors

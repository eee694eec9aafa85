"""Servers for measurements: one that does not start says why, one that does not end is killed."""

import os
import sys
from pathlib import Path

import httpx
import pytest

from benchmarks import servers

READY = """
import http.server, signal, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
signal.signal(signal.SIGTERM, {at_sigterm})
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Ready).serve_forever()
"""
FAILS = "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Has `traghetto` be a program of a few lines."""

    def be(text: str) -> Path:
        program = tmp_path / "traghetto"
        program.write_text(f"#!{sys.executable}\n{text}")
        program.chmod(0o755)
        monkeypatch.setattr(servers, "PROGRAM", program)
        return tmp_path / "data"

    return be


def test_a_server_that_does_not_start_says_why(stand_in):
    with pytest.raises(RuntimeError, match="no such thing"), servers.served(stand_in(FAILS)):
        pytest.fail("it is not ready")


@pytest.mark.parametrize("at_sigterm", ["signal.SIG_DFL", "signal.SIG_IGN"], ids=["ends", "goes on"])
def test_no_server_is_left(stand_in, at_sigterm, monkeypatch):
    monkeypatch.setattr(servers, "END_TIMEOUT_S", 0.5)
    with servers.served(stand_in(READY.format(at_sigterm=at_sigterm))) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/health/ready")


def test_a_program_has_no_settings_but_those_it_is_given(monkeypatch):
    for name in ("TRAGHETTO_MODELS_URL", "RAY_ADDRESS", servers.INSTRUCTIONS, "LANGUAGE"):
        monkeypatch.setenv(name, "mine")
    found = servers.environment({"TRAGHETTO_DATA_DIR": "/data"})
    assert not found.keys() & {"TRAGHETTO_MODELS_URL", "RAY_ADDRESS"}
    assert (found[servers.INSTRUCTIONS], found["LANGUAGE"], found["TRAGHETTO_DATA_DIR"]) == ("mine", "mine", "/data")
    assert "TRAGHETTO_DATA_DIR" not in os.environ

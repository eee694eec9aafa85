"""When servers have a version is told by their answers, and what fails is told, too."""

import http.server
import json
import threading
import time

import httpx
import pytest

from benchmarks import promotion
from benchmarks.promotion import Watched


def answered(version: str) -> httpx.Response:
    return httpx.Response(200, json={"translations": [{"model_version": version}]})


def test_a_version_is_there_with_its_first_answer():
    one = Watched(1)
    one.keep(answered("old"))
    one.forget()
    before = time.time()
    for version in ("old", "new", "new"):
        one.keep(answered(version))
    assert before <= one.has_at("new") <= time.time()
    assert ([seen.version for seen in one.heard], one.answers, one.failures) == (["old", "new"], 4, [])


def test_a_version_that_does_not_come_is_an_error(monkeypatch):
    monkeypatch.setattr(promotion, "TIMEOUT_S", 0.05)
    with pytest.raises(TimeoutError, match="does not change to new"):
        Watched(1).has_at("new")


def test_what_fails_is_told_and_the_client_goes_on(monkeypatch):
    monkeypatch.setattr(promotion, "PAUSE_S", 0.001)
    answers = [b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy", b"not HTTP at all"]
    enough = threading.Event()

    class Answers(http.server.BaseHTTPRequestHandler):
        def handle(self) -> None:
            self.connection.recv(1 << 16)
            self.wfile.write(answers.pop())
            if not answers:
                enough.set()

    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        one = Watched(server.server_port)
        one.ask(enough, seed=1)
        server.shutdown()
    assert "RemoteProtocolError" in one.failures[0]
    assert one.failures[1:] == ["503 busy"]


def test_the_report_has_medians_the_worst_and_all_failures():
    first, second = Watched(1), Watched(2)
    first.keep(answered("new"))
    second.keep(httpx.Response(503, text="busy"))
    told = promotion.report([{"command_s": seconds} for seconds in (0.1, 0.3, 0.2)], [first, second])
    assert told == {
        "promotions": 3, "command_s": {"median": 0.2, "most": 0.3}, "answers": 1, "failures": ["503 busy"],
    }  # fmt: skip


@pytest.mark.weights
def test_a_fresh_version_is_a_copy_under_a_name_of_its_own(tmp_path):
    names = list(promotion.versions(3, tmp_path))
    assert len({*names}) == 3
    for name in names:
        folder = tmp_path / "models" / promotion.PAIR / name
        assert json.loads((folder / "card.json").read_text())["version"] == name
    assert list(promotion.versions(3, None)) == [*promotion.VERSIONS, promotion.VERSIONS[0]]

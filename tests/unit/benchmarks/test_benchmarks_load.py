"""Clients for the benchmark of the server: every request is asked once and answered once, and what is wrong is seen."""

import contextlib
import json
import socket
import threading
from pathlib import Path

import pytest
from fakes import make_app, serving

from benchmarks.load import Request, ask, report, requests, texts_of

TEXTS = [f"frase {number} di prova." for number in range(60)]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: "


@pytest.mark.parametrize(
    ("clients", "per_request", "per_s"), [(1, 0, 0), (7, 0, 0), (4, 16, 0), (100, 1, 0), (8, 0, 2000)]
)
def test_each_text_is_asked_and_answered_once(tmp_path: Path, clients: int, per_request: int, per_s: float) -> None:
    expected = {text: text.upper() for text in TEXTS}
    with serving(make_app(tmp_path)) as url:
        found = ask(url, TEXTS, clients, per_request=per_request, per_s=per_s, expected=expected, beam=1)
    assert (found.failed, found.mixed_up, found.changed) == (0, 0, 0)
    assert found.answered == -(-len(TEXTS) // max(1, per_request))
    assert found.translations == expected
    assert 0 < found.p50_ms <= found.p95_ms <= found.p99_ms <= found.longest_ms <= 1000 * found.seconds + 0.1, "rounded"
    assert found.sentences_per_s == pytest.approx(len(TEXTS) / found.seconds, rel=0.01)


def test_errors_are_failures(tmp_path: Path) -> None:
    with serving(make_app(tmp_path)) as url:
        found = ask(url, ["bene", "boom", "", "bene"], 2)
    assert (found.answered, found.failed) == (3, 1), "the model fails on `boom`"


def answered(texts: list[str], made: list[str], latency_s: float = 0.01) -> Request:
    body = json.dumps({"translations": [{"text": one} for one in made]}).encode()
    return Request(texts, b"", 1.0, 1.0 + latency_s, HEAD + str(len(body)).encode() + b"\r\n\r\n" + body)


def test_answers_of_others_are_told_from_those_that_changed() -> None:
    right = {"a": "A", "b": "B", "c": "C"}
    asked = [answered(["a"], ["A"]), answered(["b"], ["A"]), answered(["c"], ["Sea"]), answered(["a", "b"], ["A", "B"])]
    found = report(asked, 2.0, 0.5, right)
    assert (found.mixed_up, found.changed, found.sentences_per_s) == (1, 1, 2.5)
    assert report([answered(["a", "b"], ["A"])], 1.0, 0.0, right).mixed_up == 1, "one too few"
    first = report([answered(["d"], ["D"]), answered(["d"], ["other"])], 1.0, 0.0)
    assert first.changed == 1 and first.translations == {"d": "D"}


def test_what_was_not_answered_counts_for_nothing() -> None:
    asked = [answered(["a"], ["A"], 0.5), Request(["b"], b""), Request(["c"], b"", answer=b"HTTP/1.1 503 No\r\n\r\n")]
    found = report(asked, 1.0, 0.0)
    assert (found.answered, found.failed, found.longest_ms) == (1, 2, 500.0)


def test_load_is_put_on_this_machine_only() -> None:
    with pytest.raises(SystemExit, match="not this machine"):
        ask("http://192.0.2.1:8000", ["a"], 1)


def test_lines_may_have_the_expected_translation() -> None:
    assert texts_of(["a\tA\n", "\n", "b\n"]) == (["a", "b"], {"a": "A"})


def test_a_request_is_written_as_bytes() -> None:
    (one,) = requests("127.0.0.1:1", ["È qui."], beam=4)
    head, _, body = one.payload.partition(b"\r\n\r\n")
    assert json.loads(body) == {"text": "È qui.", "source": "it", "target": "en", "beam": 4}
    assert f"Content-Length: {len(body)}".encode() in head
    assert [list(one.texts) for one in requests("x", ["a", "b", "c"], 2)] == [["a", "b"], ["c"]]


def test_a_connection_that_ends_is_a_failure_and_its_client_asks_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            with contextlib.suppress(OSError):  # the test is over
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(1 << 16)

        threading.Thread(target=hang_up, daemon=True).start()
        found = ask(f"http://127.0.0.1:{server.getsockname()[1]}", ["a", "b", "c", "d", "e"], 2)
        server.shutdown(socket.SHUT_RDWR)
    assert (found.answered, found.failed) == (0, 5)

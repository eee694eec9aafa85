"""What is seen from outside: ids of requests, JSON in the log, spans as a collector gets them; never a text."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes import FakeTranslator, body, client_of, make_app
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from app import logs
from app.main import create_app
from app.settings import Settings

KEY = "0123456789abcdef"
SECRET = "Il mio segreto."


@contextmanager
def logged(format_: logs.LogFormat) -> Iterator[io.StringIO]:
    """What would be on stderr."""
    written, root = io.StringIO(), logging.getLogger()
    before = (root.handlers[:], root.level)
    root.handlers = []
    try:
        logs.set_up_logging("info", format_)
        (handler,) = root.handlers
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(written)
        yield written
    finally:
        root.handlers, level = before
        root.setLevel(level)


async def test_each_line_of_json_tells_its_request_and_no_text(tmp_path: Path) -> None:
    with logged("json") as written:
        async with client_of(make_app(tmp_path, access_log=True)) as client:
            first = await client.post(f"/v1/translate?x={SECRET}", json=body(SECRET))
            await client.post("/v1/translate", json=body(f"boom {SECRET}"), headers={"X-Request-ID": "mine-1"})
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert SECRET not in written.getvalue()
    assert all(line["event"] and line["level"] and line["timestamp"] for line in lines)
    requests = [line for line in lines if line["logger"] == "traghetto.requests"]
    assert [(line["status"], line["request_id"], line["dialect"]) for line in requests] == [
        (200, first.headers["x-request-id"], "v1"),
        (500, "mine-1", "v1"),
    ]
    assert requests[0]["path"] == "/v1/translate" and requests[0]["milliseconds"] > 0


async def test_a_fault_is_told_with_its_request_in_either_format(tmp_path: Path) -> None:
    for format_ in ("text", "json"):
        with logged(format_) as written:  # type: ignore[arg-type]
            app = make_app(tmp_path / format_)

            async def broken() -> None:
                logging.getLogger("traghetto.test").error("it broke", exc_info=ValueError("why"))

            app.add_api_route("/broken", broken)
            async with client_of(app) as client:
                await client.get("/broken", headers={"X-Request-ID": "of-this"})
        (line, *_) = [line for line in written.getvalue().splitlines() if "it broke" in line]
        if format_ == "json":
            assert json.loads(line)["request_id"] == "of-this"
            assert "ValueError: why" in json.loads(line)["exception"]
        else:
            assert line.endswith("ERROR traghetto.test: it broke [of-this]")
            assert "ValueError: why" in written.getvalue()


@pytest.mark.parametrize("given", ["x" * 129, "two words", "line\\u2028", 'q"uote', ""])
async def test_an_id_that_is_none_is_not_taken(tmp_path: Path, given: str) -> None:
    async with client_of(make_app(tmp_path)) as client:
        answer = await client.get("/health/live", headers={"X-Request-ID": given})
        assert len(answer.headers["x-request-id"]) == 24
        assert answer.headers["x-request-id"] != (await client.get("/health/live")).headers["x-request-id"]


async def test_metrics_tell_dialects_clients_warnings_and_limits(tmp_path: Path) -> None:
    app = make_app(tmp_path, admin_key=KEY, requests_per_address="3/hour")
    asked = {"q": "Ciao.", "source": "it", "target": "en"}
    async with client_of(app) as client:
        await client.post("/translate", json=asked)
        await client.post("/language/translate/v2", json=asked)
        await client.post("/v2/translate", json={"text": ["Ciao."], "target_lang": "EN-GB"})
        await client.post("/v1/translate", json=body("Ciao."))
        await client.post("/v1/translate", json=body("Ciao."), headers={"Authorization": f"Bearer {KEY}"})
        text = (await client.get("/metrics")).text
    for line in (
        'traghetto_requests_total{dialect="libretranslate",route="/translate",status="200"} 1.0',
        'traghetto_requests_total{dialect="google",route="/language/translate/v2",status="200"} 1.0',
        'traghetto_requests_total{dialect="deepl",route="/v2/translate",status="200"} 1.0',
        'traghetto_requests_total{dialect="v1",route="/v1/translate",status="429"} 1.0',
        'traghetto_refused_total{limit="requests_per_address"} 1.0',
        'traghetto_characters_total{client="anonymous"} 15.0',
        'traghetto_characters_total{client="owner"} 5.0',
        'traghetto_model_info{pair="it-en",version="fake-1"} 1.0',
    ):
        assert line in text, line
    assert "process_resident_memory_bytes" in text


class Collector:
    """Takes spans by OTLP over HTTP, as OpenTelemetry's collector does."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.raw = b""
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    raw = gzip.decompress(raw)
                collector.take(raw)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, raw: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(raw)
        self.raw += raw
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)

    def of(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    found = Collector()
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.address)
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


def attributes(span: Span) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value") or "") for one in span.attributes}


async def test_a_trace_tells_how_long_each_part_took(collector: Collector, tmp_path: Path) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with client_of(make_app(tmp_path)) as client:
        await client.post("/v1/translate", json=body([SECRET, "Ciao."]), headers={"traceparent": parent})
        await client.post("/v2/translate", json={"text": ["boom"], "target_lang": "EN-GB"})
        await client.get("/nothing/of/the/kind")
    (request,) = collector.of("POST /v1/translate")
    assert request.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c", "it belongs to the caller's trace"
    assert request.parent_span_id.hex() == "b7ad6b7169203331"
    told = attributes(request)
    assert (told["http.route"], told["http.response.status_code"], told["traghetto.dialect"]) == (
        "/v1/translate", 200, "v1",
    )  # fmt: skip
    parts = {name: span for name in ("prepare", "wait", "decode") for span in collector.of(name)
             if span.trace_id == request.trace_id}  # fmt: skip
    assert set(parts) == {"prepare", "wait", "decode"}
    for span in parts.values():
        assert span.parent_span_id == request.span_id
        assert span.start_time_unix_nano <= span.end_time_unix_nano
    assert parts["wait"].end_time_unix_nano == parts["decode"].start_time_unix_nano
    assert attributes(parts["decode"])["sentences"] == 2
    (failed,) = collector.of("POST /v2/translate")
    assert failed.status.code == Status.STATUS_CODE_ERROR
    assert collector.of("GET unmatched")
    assert SECRET.encode() not in collector.raw


async def test_the_text_of_an_error_is_in_no_trace(collector: Collector, tmp_path: Path) -> None:
    def broken(text: str) -> Any:
        raise ValueError(f"cannot read {text}")

    app = create_app(Settings(data_dir=tmp_path), lambda: {"it-en": FakeTranslator()}, detect=broken)
    async with client_of(app) as client:
        for path, asked in (("/v1/translate", body(SECRET) | {"source": "auto"}),
                            ("/translate", {"q": SECRET, "source": "auto", "target": "en"})):  # fmt: skip
            assert (await client.post(path, json=asked)).status_code == 500
    assert collector.of("prepare")
    assert SECRET.encode() not in collector.raw


async def test_a_collector_that_hangs_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr("app.traces.CLOSE_TIMEOUT_S", 0.1)
        async with asyncio.timeout(15):
            async with client_of(make_app(tmp_path)) as client:
                await client.post("/v1/translate", json=body("Ciao."))


async def test_a_collector_that_is_away_hinders_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    async with client_of(make_app(tmp_path)) as client:
        answer: httpx.Response = await client.post("/v1/translate", json=body("Ciao."))
        assert answer.status_code == 200

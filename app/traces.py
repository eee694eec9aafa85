"""Traces by OpenTelemetry, where `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector; else nothing, at next to no cost.

The SDK reads its own variables (`OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`, ...). Spans
tell numbers, names of routes and of versions; no texts, keys or addresses.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
NAME = "traghetto"
CLOSE_TIMEOUT_S = 3.0


NO_SPAN: AbstractContextManager[object] = nullcontext()


class Begun(NamedTuple):
    """A span that others lie within."""

    span: Span
    token: Token[Context]


class Traces:
    """Makes spans. Without a provider it makes none."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self._zero = time.time() - time.monotonic()
        """When the monotonic clock began."""
        self._tracer = provider.get_tracer(NAME) if provider is not None else None

    @property
    def are_on(self) -> bool:
        """Whether spans are made."""
        return self._tracer is not None

    def begin(self, name: str, headers: Mapping[str, str]) -> Begun | None:
        """A span of the server, part of the trace that `headers` tell of (W3C Trace Context). Others lie within it
        until `end`, which must be called by the same task."""
        if self._tracer is None:
            return None
        from opentelemetry import context
        from opentelemetry.trace import SpanKind, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._zero = time.time() - time.monotonic()
        around = TraceContextTextMapPropagator().extract(headers)
        span = self._tracer.start_span(name, around, SpanKind.SERVER)
        return Begun(span, context.attach(set_span_in_context(span)))

    def end(self, begun: Begun) -> None:
        """What was begun is over."""
        from opentelemetry import context

        context.detach(begun.token)
        begun.span.end()

    def part(self, name: str, **attributes: Any) -> AbstractContextManager[object]:
        """A span within that of the request."""
        if self._tracer is None:
            return NO_SPAN
        return self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        )  # the text of an error may hold a user's

    def past(self, name: str, began: float, ended: float, **attributes: Any) -> None:
        """A span of what has been, by times on the monotonic clock."""
        if self._tracer is not None:
            span = self._tracer.start_span(name, attributes=attributes, start_time=_ns(self._zero + began))
            span.end(_ns(self._zero + ended))

    def close(self) -> None:
        """Send what is left, within `CLOSE_TIMEOUT_S`."""
        if self._provider is not None:
            sending = threading.Thread(target=self._provider.shutdown, daemon=True)
            sending.start()
            sending.join(CLOSE_TIMEOUT_S)


def configured(version: str) -> Traces:
    """Those that the environment asks for."""
    if not any(map(os.environ.get, ENDPOINTS)):
        return Traces()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = {"service.name": os.environ.get("OTEL_SERVICE_NAME", NAME), "service.version": version}
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Traces(provider)


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)

"""What the log looks like: lines for people, or JSON for machines by structlog. Each tells the request that it is of.

No message of ours holds a text or a key.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from typing import Any, Literal

LogFormat = Literal["text", "json"]
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s%(of_request)s"

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is being answered; empty elsewhere."""


def set_up_logging(level: str, format_: LogFormat) -> None:
    """Log to stderr: ours from `level` on, of libraries warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json_formatter() if format_ == "json" else logging.Formatter(TEXT))
    handler.addFilter(_with_request)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("traghetto").setLevel(level.upper())
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every malformed form


def _with_request(record: logging.LogRecord) -> bool:
    found = request_id.get()
    record.of_request = f" [{found}]" if found else ""
    return True


def _json_formatter() -> logging.Formatter:
    import structlog  # here, since only who wants JSON needs it

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _request,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def _request(_logger: Any, _name: str, event: Any) -> Any:
    """The request of a record as a field of its own."""
    event.pop("of_request", None)
    if found := request_id.get():
        event["request_id"] = found
    return event

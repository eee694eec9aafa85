"""What a file of a corpus is, by its name: text, JSON lines, or Parquet; and what of it is translated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.corpora.files.lines import BYTE_ORDER_MARK, decode_line, encode_line
from app.corpora.files.packing import packing_of

Kind = Literal["text", "jsonl", "parquet"]
ENDINGS: dict[str, Kind] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
"""Of names, in lower case and without what says that the file is packed; all others are text."""


@dataclass(frozen=True)
class Fields:
    """Of a JSON object, or of a row of Parquet."""

    source: str = "text"
    target: str = "translation"


@dataclass(frozen=True)
class Piece:
    """A line or a row: what of it is translated, or why nothing can be."""

    text: str | None
    """None: nothing, and it stays as it is."""
    problem: str | None = None


def kind_of(name: str) -> Kind:
    """Of the file of that name."""
    bare = name.lower().removesuffix(packing_of(name))
    return next((kind for ending, kind in ENDINGS.items() if bare.endswith(ending)), "text")


def lines_in(data: bytes) -> list[bytes]:
    """Without their newlines; a last line without one counts."""
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def pieces_of(kind: Kind, lines: Sequence[bytes], fields: Fields) -> list[Piece]:
    """What of each line is translated."""
    return [Piece(decode_line(line)) if kind == "text" else _of_object(line, fields) for line in lines]


def line_with(kind: Kind, line: bytes, translation: str | None, fields: Fields) -> bytes:
    """The line of the output for a `line` of the input; a `translation` of None leaves it as it is."""
    if kind == "text":
        return encode_line(translation or "")
    if translation is None:
        return line + b"\n"
    end = line.rindex(b"}")
    return line[:end] + b", " + _json(fields.target) + b": " + _json(translation) + line[end:] + b"\n"


def clean(text: str) -> str:
    """`text` without halves of characters, which JSON can hold and no file."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _of_object(line: bytes, fields: Fields) -> Piece:
    if not line.removeprefix(BYTE_ORDER_MARK.encode()).strip():
        return Piece(None)
    try:
        found: Any = json.loads(line.decode().removeprefix(BYTE_ORDER_MARK), parse_int=float)  # of any length
    except UnicodeDecodeError as error:
        return Piece(None, f"byte 0x{line[error.start]:02X} at {error.start + 1} is not UTF-8")
    except (ValueError, RecursionError) as error:
        return Piece(None, f"it is not JSON: {error}")
    if not isinstance(found, dict):
        return Piece(None, "it is not a JSON object")
    if fields.source not in found:
        return Piece(None, f"it has no field {fields.source!r}")
    if fields.target in found:
        return Piece(None, f"it has a field {fields.target!r} already")
    text = found[fields.source]
    return Piece(clean(text)) if isinstance(text, str) else Piece(None, f"its field {fields.source!r} is not a string")


def _json(text: str) -> bytes:
    return json.dumps(clean(text), ensure_ascii=False).encode()

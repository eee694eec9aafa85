"""A correction as it stands in a file, and as a line of JSON. `app.corrections.tmx` is the other format."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, BinaryIO, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from app.corrections.values import Draft, Moment, Status
from app.errors import field_errors
from app.languages import Language
from app.translating.limits import text_problem

MAX_LINE_BYTES = 1_048_576
"""Of a line of JSON: three texts of 10,000 characters, each written as `\\ud83d\\ude00`, take 360,000."""
SKIP_BYTES = 65_536
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_NOTE_CHARS = 2000
MAX_NOTES = 100


def language_code(code: Any) -> Any:
    """`it` of `it`, `IT`, `it-IT` and `it_CH`; whether it is a language of ours is checked elsewhere."""
    return re.split("[-_]", code.strip(), maxsplit=1)[0].lower() if isinstance(code, str) else code


def _fit(text: str) -> str:
    if problem := text_problem(text, MAX_NOTE_CHARS):
        raise ValueError(problem[0])
    return text


Note = Annotated[str, AfterValidator(_fit)]
"""A text about a correction. The correction's own texts are looked at by `app.corrections.checks`."""
Code = Annotated[Language, BeforeValidator(language_code)]


class Record(BaseModel):
    """One correction in a file. Its languages, source text and corrected translation must be there; the rest may be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: uuid.UUID | None = None
    source: Code
    target: Code
    source_text: str
    machine_translation: str = ""
    """Empty where it is not known, as in the memories of other programs."""
    corrected_translation: str
    model_version: Annotated[Note, Field(max_length=200)] | None = None
    status: Status | None = None
    reason: Note | None = None
    marks: Annotated[list[Note], Field(max_length=MAX_NOTES)] = []
    created_at: Moment | None = None
    changed_at: Moment | None = None
    reviewed_at: Moment | None = None
    trained_in: list[Note] = []
    """Versions trained on it, where it comes from; not read back, for their models are not in the file."""

    @property
    def pair(self) -> str:
        """Such as `it-en`."""
        return f"{self.source}-{self.target}"

    @property
    def draft(self) -> Draft:
        """What is checked, and stored."""
        return Draft(
            self.source, self.target, self.source_text, self.machine_translation, self.corrected_translation,
            self.model_version,
        )  # fmt: skip


class Entry(NamedTuple):
    """What stands at a line of a file: a correction, or why there is none."""

    line: int
    record: Record | None
    problem: str = ""
    note: str = ""
    """What was chosen in reading it, where that is not plain."""


def entry_of(line: int, values: Mapping[str, Any]) -> Entry:
    """The correction that `values` describe, or what is wrong with them."""
    try:
        return Entry(line, Record.model_validate(values))
    except ValidationError as error:
        wrong = field_errors(error.errors(include_input=False, include_url=False))
        return Entry(line, None, "; ".join(f"{item.field}: {item.message}" for item in wrong))


def to_jsonl(record: Record) -> bytes:
    """One line of JSON in UTF-8."""
    return record.model_dump_json().encode() + b"\n"


def read_jsonl(file: BinaryIO) -> Iterator[Entry]:
    """Each line of a JSONL file that is not blank. Never holds more than `MAX_LINE_BYTES` of it."""
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            _skip_line(file, line)
            yield Entry(number, None, f"longer than {MAX_LINE_BYTES} bytes")
            continue
        if number == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        if line.strip():
            yield _entry_of_line(number, line)


def _skip_line(file: BinaryIO, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = file.readline(SKIP_BYTES)


def _entry_of_line(number: int, line: bytes) -> Entry:
    try:
        values = from_json(line, allow_inf_nan=False)
    except ValueError as error:
        return Entry(number, None, f"not valid JSON: {error}")
    return entry_of(number, values) if isinstance(values, dict) else Entry(number, None, "not a JSON object")

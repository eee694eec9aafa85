"""Bodies, queries and answers of `/v1/corrections`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.corrections.search import DEFAULT_PAGE, MAX_PAGE
from app.corrections.service import MAX_BULK
from app.corrections.values import MAX_REASON_CHARS, Action, Moment, Status
from app.http.schemas.translation import TWO_LANGUAGES
from app.languages import Language, Pair
from app.translating.limits import FIT_NOT_BLANK

EXAMPLE_SUBMIT: dict[str, Any] = {
    "source": "it",
    "target": "en",
    "source_text": "Il traghetto parte alle sette e mezza.",
    "machine_translation": "The ferry leaves at seven.",
    "corrected_translation": "The ferry leaves at half past seven.",
    "model_version": "default",
}
EXAMPLE_CORRECTION: dict[str, Any] = {
    "id": "6f9d9c0e-3c0f-4c0e-9b8e-0f4f6f1f2a3b",
    "status": "pending",
    "state": "pending",
    "reason": None,
    "source": "it",
    "target": "en",
    "created_at": "2026-11-25T09:30:00Z",
    "changed_at": "2026-11-25T09:30:00Z",
    "trained_in": [],
    "confirmations": 0,
}


NOT_BLANK = WithJsonSchema({"type": "string", "pattern": FIT_NOT_BLANK})
A_REASON = WithJsonSchema({"type": "string", "pattern": FIT_NOT_BLANK, "maxLength": MAX_REASON_CHARS})


class Body(BaseModel):
    """Of a request: no type is guessed, no unknown field is ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


class SubmitBody(Body):
    """Body of `POST /v1/corrections`."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_SUBMIT], "allOf": TWO_LANGUAGES})

    source: Annotated[Language, Field(description="Language of the source text.")]
    target: Annotated[Language, Field(description="Language of the translation.")]
    source_text: Annotated[str, NOT_BLANK, Field(description="What was translated, as it was sent.")]
    machine_translation: Annotated[str, NOT_BLANK, Field(description="The translation that is wrong.")]
    corrected_translation: Annotated[str, NOT_BLANK, Field(description="The right one.")]
    model_version: Annotated[
        str | None, Field(max_length=200, description="Which model made it, from `model_version` of the answer.")
    ] = None


class EditBody(Body):
    """Body of `PATCH /v1/corrections/{id}`."""

    corrected_translation: Annotated[str, NOT_BLANK]


class RejectBody(Body):
    """Body of `POST /v1/corrections/{id}/reject`."""

    reason: Annotated[str, A_REASON, Field(description=f"For the author; up to {MAX_REASON_CHARS} characters.")]


class BulkBody(Body):
    """Body of `POST /v1/corrections/bulk`."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"action": {"enum": ["approve", "reopen"]}}},
                {"properties": {"reason": {"type": "string"}}, "required": ["reason"]},
            ]
        }
    )

    action: Action
    ids: Annotated[list[str], Field(min_length=1, max_length=MAX_BULK)]
    reason: Annotated[Annotated[str, A_REASON] | None, Field(description="Needed by `reject`.")] = None


class SearchQuery(BaseModel):
    """Query of `GET /v1/corrections`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Status | None = None
    pair: Annotated[Pair | None, Field(description="Such as `it-en`.")] = None
    text: Annotated[
        str | None, Field(max_length=1000, description="Stands in one of the three texts, in capitals or not.")
    ] = None
    marked: Annotated[bool | None, Field(description="Whether the checks found something odd.")] = None
    author_key: Annotated[UUID | None, Field(description="Id of the key that sent it.")] = None
    created_after: Annotated[Moment | None, Field(description="From then on, such as `2026-11-25T00:00:00Z`.")] = None
    created_before: Annotated[Moment | None, Field(description="Before then.")] = None
    rivals_of: Annotated[
        UUID | None, Field(description="Id of a correction: all of its sentence and pair, itself among them.")
    ] = None
    order: Literal["newest", "oldest"] = "newest"
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
    cursor: Annotated[
        str | None, Field(max_length=300, description="`next_cursor` of the page before; the rest must stay the same.")
    ] = None


class CorrectionOut(BaseModel):
    """A correction. Its texts are shown to who made it and to reviewers, the fields from `marks` on to reviewers."""

    model_config = ConfigDict(protected_namespaces=(), json_schema_extra={"examples": [EXAMPLE_CORRECTION]})

    id: UUID
    status: Status
    state: Annotated[
        str, Field(description="`pending`, `in memory`, `trained in V`, `rejected: why` or `superseded by ID`.")
    ]
    reason: Annotated[str | None, Field(description="Why it was rejected, or what superseded it.")]
    source: Language
    target: Language
    created_at: dt.datetime
    changed_at: dt.datetime
    trained_in: Annotated[list[str], Field(description="Promoted model versions trained on it, the serving one first.")]
    confirmations: Annotated[int, Field(description="How many people have approved it.")]
    source_text: str | None = None
    machine_translation: str | None = None
    corrected_translation: str | None = None
    model_version: str | None = None
    marks: Annotated[list[str] | None, Field(description="What the checks found odd.")] = None
    author_key: Annotated[UUID | None, Field(description="Id of the key that sent it; null without one.")] = None
    confirmed_by: list[str] | None = None
    reviewer: Annotated[str | None, Field(description="Who decided: id of a key, `admin key` or `local`.")] = None
    reviewed_at: dt.datetime | None = None
    rivals: Annotated[
        int | None, Field(description="In a search: how many others of its sentence wait or are approved.")
    ] = None


class SubmittedOut(CorrectionOut):
    """Answer of `POST /v1/corrections`."""

    session: Annotated[
        str | None,
        Field(
            description="For clients without a key that sent no `X-Traghetto-Session`: the token to send in it, to see "
            "and delete this correction later. Told only once."
        ),
    ] = None


class PageOut(BaseModel):
    """Answer of `GET /v1/corrections`."""

    corrections: list[CorrectionOut]
    total: Annotated[int, Field(description="On all pages.")]
    next_cursor: Annotated[str | None, Field(description="For the next page; null on the last one.")]


class OutcomeOut(BaseModel):
    """What became of one id of a bulk decision."""

    id: str
    status: Annotated[Status | None, Field(description="Null if there is no such correction.")]
    confirmations: int
    problem: Annotated[str | None, Field(description="Why nothing was decided.")]


class BulkOut(BaseModel):
    """Answer of `POST /v1/corrections/bulk`: one outcome for each id, in order."""

    outcomes: list[OutcomeOut]


class DayOut(BaseModel):
    """Numbers of one day."""

    model_config = ConfigDict(from_attributes=True)

    day: Annotated[dt.date, Field(description="In UTC.")]
    submitted: int
    approved: Annotated[int, Field(description="Also those that others have superseded since.")]
    rejected: int


class PairStatisticsOut(BaseModel):
    """Numbers of one pair."""

    model_config = ConfigDict(from_attributes=True)

    by_status: dict[Status, int]
    approved_last_24_hours: int
    approved_last_7_days: int
    oldest_pending_s: Annotated[float | None, Field(description="How long the oldest one waits for a reviewer.")]
    in_memory: Annotated[int, Field(description="Sentences that memory answers.")]
    trained_in_current: Annotated[
        int, Field(description="Approved ones that the serving model or an ancestor of it was trained on.")
    ]
    top_marks: Annotated[dict[str, int], Field(description="Most frequent marks of pending ones.")]
    by_day: Annotated[list[DayOut], Field(description="The last 30 days; the oldest comes first, today last.")]


class StatisticsOut(BaseModel):
    """Answer of `GET /v1/corrections/statistics`."""

    pairs: dict[str, PairStatisticsOut]

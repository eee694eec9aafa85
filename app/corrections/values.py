"""What a correction is made of, what goes into the service, and what comes out of it."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import uuid
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator, Field

from app.access.client import Client
from app.corrections.states import Found
from app.errors import FieldError, InvalidRequest, NotFound
from app.memory.store import source_key
from app.storage.tables import PENDING, Correction
from app.translating.limits import text_problem

Status = Literal["pending", "approved", "rejected", "superseded"]
Action = Literal["approve", "reject", "reopen"]


def _no_number(value: object) -> object:
    """Seconds since 1970 would be taken for a moment, too."""
    if isinstance(value, str) and value.strip().lstrip("+-").replace(".", "").isdigit():
        raise ValueError("should be a moment such as 2026-11-25T00:00:00Z")
    return value


EARLIEST, LATEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(9000, 1, 1, tzinfo=dt.UTC)
"""What both databases can compare with."""
Moment = Annotated[AwareDatetime, Field(ge=EARLIEST, le=LATEST), BeforeValidator(_no_number)]
MAX_REASON_CHARS = 1000
SESSION_BYTES = 32
OWNER = "owner"
"""In the place of a session, as author: who runs the server, by whichever way it came. No session has such a hash."""
REVIEW_SCOPES = frozenset({"review", "admin"})
"""Who has one of them sees and decides about all corrections."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A correction as it is sent in. Languages are `it` or `en`."""

    source: str
    target: str
    source_text: str
    machine_translation: str
    corrected_translation: str
    model_version: str | None = None

    @property
    def pair(self) -> str:
        """Such as `it-en`."""
        return f"{self.source}-{self.target}"


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of a submitted draft."""

    found: Found
    created: bool
    """False: it had been submitted before, with the same idempotency key."""
    session: str | None = None
    """The token that shows who made it, new for a stranger who has neither key nor token. Only its hash is stored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one correction that was decided about."""

    id: uuid.UUID
    found: Found | None
    """None: there is no such correction."""
    problem: str | None = None
    """Why the decision was not taken."""

    @property
    def status(self) -> str | None:
        """Of the correction."""
        return None if self.found is None else self.found.correction.status

    @property
    def confirmations(self) -> int:
        """How many people have approved it."""
        return 0 if self.found is None else len(self.found.correction.confirmed_by)


def with_session(client: Client) -> tuple[Client, str | None]:
    """`client` as an author: who is known by no key and no session gets a session, whose token is told once. Who runs
    the server is always the same author."""
    if client.is_owner:
        return replace(client, session=OWNER), None
    if client.key_id is not None or client.session is not None:
        return client, None
    token = secrets.token_urlsafe(SESSION_BYTES)
    return replace(client, session=hashlib.sha256(token.encode()).hexdigest()), token


def row_of(draft: Draft, author: Client) -> Correction:
    """A new pending correction, with an unguessable id."""
    return Correction(
        id=uuid.uuid4(),
        pair=draft.pair,
        source_text=draft.source_text,
        source_key=source_key(draft.source_text),
        machine_translation=draft.machine_translation,
        corrected_translation=draft.corrected_translation,
        model_version=draft.model_version,
        status=PENDING,
        marks=[],
        author_key_id=author.key_id,
        author_session=author.session if author.key_id is None else None,
        confirmed_by=[],
    )


def draft_of(row: Correction, corrected: str) -> Draft:
    """What `row` would be with another text."""
    source, target = row.pair.split("-")
    return Draft(source, target, row.source_text, row.machine_translation, corrected, row.model_version)


def checked_reason(reason: str) -> str:
    """`reason` without white space around it.

    Raises:
        InvalidRequest: it is empty, too long, or holds what no text can.
    """
    stripped = reason.strip()
    problem = text_problem(stripped, MAX_REASON_CHARS) if stripped else ("is empty", None)
    if problem is not None:
        raise InvalidRequest([FieldError("reason", *problem)])
    return stripped


def not_found(correction_id: uuid.UUID | str) -> NotFound:
    """The same for what there is not and what is somebody else's, so that ids cannot be tried out."""
    return NotFound(f"There is no correction {str(correction_id)[:50]!r}, or it is not yours.")

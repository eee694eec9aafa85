"""`/v1/corrections/export` and `/v1/corrections/import`: corrections as files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from app.access.client import Client
from app.corrections.exchange import MEDIA_TYPES, Format, Selection, export, read
from app.corrections.values import Moment, Status
from app.errors import UnsupportedBody
from app.http.deps import ServicesDep, client_with
from app.http.problems import responses
from app.languages import Pair

IMPORT_PATH = "/v1/corrections/import"
"""The one path whose bodies may have `corrections_import_max_bytes`, and `upload_timeout_s` to arrive."""
UPLOAD_TIMEOUT_S = 60.0
"""For a small file..."""
UPLOAD_BYTES_PER_S = 1_000_000
"""... and for the largest one as if it came so slowly."""
Reviewer = Annotated[Client, Depends(client_with("review"))]
FILE = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

router = APIRouter(tags=["corrections"])


def upload_timeout_s(max_bytes: int) -> float:
    """How long a file may take to arrive where one may have `max_bytes`."""
    return max(UPLOAD_TIMEOUT_S, max_bytes / UPLOAD_BYTES_PER_S)


class ImportProblemOut(BaseModel):
    """Something in the file."""

    model_config = ConfigDict(from_attributes=True)

    line: int
    reason: str


class ImportOut(BaseModel):
    """What became of a file."""

    model_config = ConfigDict(from_attributes=True)

    imported: Annotated[int, Field(description="Stored now.")]
    approved: Annotated[int, Field(description="Of those, approved at once.")]
    skipped: Annotated[int, Field(description="There already.")]
    refused: int
    problems: Annotated[list[ImportProblemOut], Field(description="Why; at most 1,000 are told one by one.")]
    notes: Annotated[
        list[ImportProblemOut] | None,
        Field(description="What was chosen in reading, such as one of two kinds of English; left out without any."),
    ] = None


@router.get(
    "/v1/corrections/export",
    summary="Corrections as a file",
    response_class=StreamingResponse,
    responses={200: {"content": {kind: {} for kind in MEDIA_TYPES.values()}}, **responses(401, 403, 422, 503)},
)
async def export_corrections(
    services: ServicesDep,
    _client: Reviewer,
    format: Annotated[Format, Query(description="JSON lines, or TMX 1.4 for other programs.")] = "jsonl",
    status: Status | None = None,
    pair: Pair | None = None,
    since: Annotated[Moment | None, Query(description="Only what changed then or later.")] = None,
) -> StreamingResponse:
    """All corrections that are asked for, oldest first, sent as they are read from the database."""
    pieces = export(services.database, Selection(status, pair, since), format)
    first = await anext(pieces, b"")  # a database that is away is told before the answer begins
    if format == "tmx":
        first += await anext(pieces)
    name = "-".join(filter(None, ("corrections", status, pair))) + f".{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_chain(first, pieces), media_type=MEDIA_TYPES[format], headers=headers)


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


@router.post(
    IMPORT_PATH,
    summary="Take corrections from a file",
    response_model_exclude_none=True,
    responses=responses(401, 403, 408, 413, 415, 422, 503),
    openapi_extra={"requestBody": {"content": FILE}},
)
async def import_corrections(
    request: Request,
    services: ServicesDep,
    client: Reviewer,
    format: Format = "jsonl",
    pair: Annotated[
        Pair | None, Query(description="The direction to read TMX in; by default what its units say.")
    ] = None,
    approve: Annotated[bool, Query(description="Approve what is imported, as the client who asks.")] = False,
) -> ImportOut:
    """The body is the file. What is there already is skipped, and what a submission would be refused for is refused
    with its line; the rest is stored."""
    _refuse_forms(request)
    body = BytesIO(await request.body())
    report = await services.importer.run(read(body, format, pair), client, approve=approve)
    answer = ImportOut.model_validate(report)
    return answer if answer.notes else answer.model_copy(update={"notes": None})


def _refuse_forms(request: Request) -> None:
    declared = request.headers.get("content-type", "")
    if declared.lower().startswith("multipart/"):
        raise UnsupportedBody(declared, "Send the file itself, as `Content-Type: application/octet-stream`.")

"""What the retraining routes answer."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field

from app.http.schemas.translation import Strict
from app.storage.tables import RetrainingRun


class RunOut(BaseModel):
    """One retraining."""

    id: uuid.UUID
    pair: str
    state: Annotated[str, Field(description="running, promoted, kept, rejected, failed or interrupted.")]
    parent: Annotated[str, Field(description="The version that it began from.")]
    candidate: str
    corrections: Annotated[int, Field(description="How many it was given; `left_out` of its report were not learnt.")]
    started_at: dt.datetime
    finished_at: dt.datetime | None
    log: Annotated[str, Field(description="Why it was refused or failed; empty if all went well.")]
    has_report: bool
    report: Annotated[dict[str, Any] | None, Field(description="The gate's report; only for one run.")] = None
    report_url: Annotated[
        str | None, Field(description="Opens the report in a browser, without a key, for 15 minutes; only for one run.")
    ] = None

    @classmethod
    def of(cls, run: RetrainingRun) -> Self:
        """Without the report."""
        names = (name for name in cls.model_fields if name not in ("has_report", "report", "report_url"))
        return cls(has_report=run.report is not None, **{name: getattr(run, name) for name in names})


class RunBody(Strict):
    """Body of `POST /v1/retraining`."""

    pair: Annotated[Literal["it-en", "en-it"], Field(description="What to retrain.")]
    dry_run: Annotated[
        bool, Field(description="Keep a candidate that passes as a version, and leave its promotion to you.")
    ] = False


class BegunOut(BaseModel):
    """Answer of `POST /v1/retraining`."""

    id: uuid.UUID
    events: Annotated[str, Field(description="Where the run can be watched.")]


class RunsOut(BaseModel):
    """Answer of `GET /v1/retraining`."""

    runs: list[RunOut]

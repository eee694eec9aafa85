"""What a retraining is given, tries, and gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.adapting.adaptation import AdaptationSettings
from training.adapting.gate import Judgement, Limits


@dataclass(frozen=True)
class Job:
    """What a retraining is given."""

    parent: Path
    """Folder of the version that serves."""
    corrections: Path
    """See `training.adapting.corrections`."""
    out: Path
    """Root of the versions."""
    version: str
    """Name of the candidate."""
    work: Path
    """A folder for what is not kept."""
    sha256: str | None = None
    """Of the corrections file."""
    data: Path | None = None
    """Folder of the corpus, or a prepared set."""
    consented: Path | None = None
    """Sentences logged with consent, see `training.adapting.replay`."""
    read_at: str | None = None
    """When the corrections were read, ISO 8601; for the card."""
    settings: AdaptationSettings = field(default_factory=AdaptationSettings)
    limits: Limits = field(default_factory=Limits)
    processes: int = 1


@dataclass(frozen=True)
class Attempt:
    """One blend before the gate."""

    strength: float
    judgements: list[Judgement]

    @property
    def passed(self) -> bool:
        """Whether every set lets it pass."""
        return all(judgement.passed for judgement in self.judgements)


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    passed: bool
    candidate: Path | None
    """None if there was nothing to train on."""
    trained_ids: list[str]
    report: dict[str, Any]
    """JSON; `docs/corrections.md` describes it."""

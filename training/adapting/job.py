"""What a retraining is given: a folder with what the server's side knows, and the choices of who starts it.

job.json            below
corrections.jsonl   what is to be learnt, see `training.adapting.corrections`
consented.jsonl     sentences logged with consent, see `training.adapting.replay`
models/PAIR/VERSION the candidate, once there is one; all else that is written there is not kept
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from model.config import JsonConfig
from model.errors import ConfigError
from training.adapting.adaptation import AdaptationSettings
from training.adapting.gate import Limits
from training.scoring.sets import SETS

JOB, CORRECTIONS, CONSENTED, MODELS = "job.json", "corrections.jsonl", "consented.jsonl", "models"


@dataclass(frozen=True)
class Job(JsonConfig):
    """`job.json`; `app.retraining.run` writes it."""

    pair: str
    parent: str
    """The version that serves."""
    version: str
    """Name of the candidate."""
    roots: list[str]
    """Folders where versions are looked for, the first first."""
    sha256: str
    """Of the corrections file."""
    read_at: str
    """When the corrections were read, ISO 8601; for the card."""
    progress: str = ""
    """The file where the run tells how far it is, see `training.run.milestones`; empty: nowhere."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The job in `folder`.

        Raises:
            ConfigError: there is none, or it is not one of ours.
        """
        try:
            return cls.from_json((folder / JOB).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read {folder / JOB}: {error.strerror}") from error


@dataclass(frozen=True)
class Options:
    """What may be chosen."""

    data: Path | None = None
    """Folder of the corpus, or a prepared set."""
    sets: Path = SETS
    """Folder of the sets of our own that the gate looks at."""
    settings: AdaptationSettings = field(default_factory=AdaptationSettings)
    limits: Limits = field(default_factory=Limits)
    processes: int = 1
    """Folds trained at once."""

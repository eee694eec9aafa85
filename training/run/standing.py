"""How far a run is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from training.run.batching import Cursor


@dataclass
class Standing:
    """How far a run is; all of it goes into the checkpoint."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0
    cursor: Cursor = field(default_factory=Cursor)
    schedule_from: tuple[int, float] | None = (0, 0.0)
    """Step and seconds at which the schedule began; None while a constant rate has no end yet."""
    best_bleu: float = -1.0
    """Of all dev sets, the mean."""
    best_step: int = 0
    scores: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {**self.__dict__, "cursor": self.cursor.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Standing:
        """Back from JSON."""
        began = values.get("schedule_from", (0, 0.0))
        return cls(**{**values, "cursor": Cursor(**values["cursor"]), "schedule_from": began and tuple(began)})

"""What a person sees while a run goes on: a bar in a terminal, a line now and then in a log file."""

from __future__ import annotations

import time
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from training.config import TrainingConfig
from training.run.milestones import Milestones
from training.run.standing import Standing

LINE_SECONDS = 30.0


class Display:
    """Progress on stderr with time left, tokens a second, loss and the best score."""

    def __init__(self, config: TrainingConfig, *, enabled: bool = True) -> None:
        self._console = Console(stderr=True, quiet=not enabled)
        self._bar = Progress(
            TextColumn("[bold]{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
            console=self._console, disable=not (enabled and self._console.is_terminal),
        )  # fmt: skip
        self._task: TaskID = self._bar.add_task(f"{config.pair}/{config.version}", total=1.0, note="")
        self._best = ""
        self._last = (time.monotonic(), 0)
        self._line_at = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, standing: Standing, progress: float, values: dict[str, Any]) -> None:
        """Show a training step: `values` has loss, nll (nats a token) and rate."""
        now = time.monotonic()
        seconds, tokens = now - self._last[0], standing.tokens - self._last[1]
        self._last = (now, standing.tokens)
        speed = tokens / max(seconds, 1e-9)
        loss, rate = f"{values['loss']:.3f}", f"{values['rate']:.1e}"
        note = f"step {standing.step}  loss {loss}  lr {rate}  {speed:,.0f} tokens/s{self._best}"
        self._bar.update(self._task, completed=min(1.0, progress), note=note)
        if not self._console.is_terminal and now - self._line_at >= LINE_SECONDS:
            self._line_at = now
            self._console.print(f"{100 * progress:5.1f} %  {standing.seconds:7.0f} s  {note}", highlight=False)

    def scores(self, standing: Standing) -> None:
        """Show an evaluation."""
        scores = standing.scores
        self._best = f"  best BLEU {standing.best_bleu:.1f}"
        shown = "  ".join(f"{name} {value:.2f}" for name, value in scores.items() if isinstance(value, float))
        self._console.print(f"dev at step {standing.step} ({standing.seconds:.0f} s): {shown}", highlight=False)


class Stages:
    """Progress through some stages of known size: a bar in a terminal, a line for each stage in a log file; and in
    `milestones`, for whoever follows the run from elsewhere."""

    def __init__(self, console: Console, milestones: Milestones | None = None) -> None:
        self._console = console
        self._milestones = milestones
        self._bar = Progress(
            TextColumn("[bold]{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._task: TaskID | None = None
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, stage: str, what: str, steps: int = 1, number: float | None = None) -> None:
        """A stage of so many steps begins; the one before is done.

        Args:
            stage: its name for programs, one of `training.run.milestones`.
            what: its name for people.
            number: what the stage is one of, or of how many, if its name needs that.
        """
        if self._task is not None:
            self._bar.update(self._task, completed=self._bar.tasks[-1].total)
        self._task = self._bar.add_task(what, total=steps)
        if not self._console.is_terminal:
            self._console.print(f"{time.monotonic() - self._began:6.0f} s  {what}", highlight=False)
        if self._milestones is not None:
            self._milestones.begin(stage, steps, number)

    def advance(self) -> None:
        """One step of the stage is done."""
        if self._task is not None:
            self._bar.advance(self._task)
        if self._milestones is not None:
            self._milestones.advance()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False)

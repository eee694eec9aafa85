"""What a run costs: told after its first shards, as an estimate, and at its end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from app.corpora.shards import Made


@dataclass
class Cost:
    """Counts what was done by so many `workers`; `price_per_hour` is that of one of them."""

    workers: int
    unit: str = "CPU"
    price_per_hour: float | None = None
    shards: int = 0
    lines: int = 0
    characters: int = 0
    truncated: int = 0
    seconds: float = 0.0
    """Of all workers together."""
    begun: float = field(default_factory=time.monotonic)

    def add(self, made: Made) -> None:
        """Count a shard."""
        self.shards += 1
        self.lines += made.lines
        self.characters += made.characters
        self.truncated += made.truncated
        self.seconds += made.seconds

    def estimate(self, lines: int) -> str:
        """Of a run of so many lines, were they all like those that are done."""
        share = lines / max(1, self.lines)
        rate = self.workers * self.lines / max(self.seconds, 1e-6)
        about = f"{lines:,} lines with some {_rounded(self.characters * share):,} characters will take about"
        return f"{about} {span(lines / rate)}, {rate:,.0f} lines/s by {self.workers}, {self._hours(share)}"

    def total(self, files: int) -> str:
        """Of what was done."""
        wall = max(time.monotonic() - self.begun, 1e-6)
        about = f"{self.lines:,} lines with {self.characters:,} characters of {files:,} file{'s' * (files != 1)}"
        return f"{about} in {span(wall)}, {self.lines / wall:,.0f} lines/s, {self._hours(1.0)}"

    def _hours(self, share: float) -> str:
        hours = self.seconds * share / 3600
        money = "" if self.price_per_hour is None else f", for {_exact(hours * self.price_per_hour)}"
        return f"{_exact(hours)} {self.unit}-hours in all{money}"


def span(seconds: float) -> str:
    """A time, for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _exact(amount: float) -> str:
    """To two digits after the point, or of the amount where it is small."""
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.2g}"


def _rounded(number: float) -> int:
    """To two digits: no more is known."""
    return int(float(f"{number:.2g}"))

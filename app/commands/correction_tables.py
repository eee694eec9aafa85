"""Corrections as tables and as JSON, for `traghetto corrections`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from app.commands.options import wide_console

if TYPE_CHECKING:
    from rich.table import Table

    from app.corrections.states import Found
    from app.corrections.statistics import PairStatistics

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


def as_dict(found: Found) -> dict[str, Any]:
    """Everything about a correction; the names are those of the API."""
    row = found.correction
    moments = {name: getattr(row, name) for name in ("created_at", "changed_at", "reviewed_at")}
    names = (
        "source_text",
        "machine_translation",
        "corrected_translation",
        "model_version",
        "status",
        "reason",
        "marks",
    )
    source, _, target = row.pair.partition("-")
    return {
        "id": str(row.id),
        "source": source,
        "target": target,
        **{name: getattr(row, name) for name in names},
        "state": found.state,
        "reviewer": row.reviewer,
        "confirmed_by": row.confirmed_by,
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
        "trained_in": list(found.trained_in),
    }


def print_table(found: Iterable[Found]) -> None:
    """A line for each: what tells it from others, and what a reviewer reads."""
    from rich.table import Table

    table = Table(box=None)
    for name in ("id", "pair", "created", "state"):
        table.add_column(name, no_wrap=name != "state")
    for name in ("source", "corrected", "marks"):
        table.add_column(name, overflow="fold")
    for one in found:
        row = one.correction
        texts = (one.state, row.source_text, row.corrected_translation, ", ".join(row.marks))
        _add_row(table, str(row.id), row.pair, f"{row.created_at:%Y-%m-%d}", *texts)
    wide_console().print(table)


def print_details(found: Found) -> None:
    """Each field on a line of its own; those that are empty are left out."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in as_dict(found).items():
        shown = "\n".join(value) if isinstance(value, list) else value
        if shown:
            _add_row(table, name.replace("_", " "), str(shown))
    wide_console().print(table)


def print_statistics(found: Mapping[str, PairStatistics]) -> None:
    """A column for each pair."""
    from rich.table import Table

    table = Table("", *found, box=None)
    for status in next(iter(found.values())).by_status:
        _add_row(table, status, *(f"{numbers.by_status[status]:,}" for numbers in found.values()))
    rows: dict[str, list[str]] = {}
    for numbers in found.values():
        for name, value in _numbers(numbers).items():
            rows.setdefault(name, []).append(value)
    for name, values in rows.items():
        _add_row(table, name, *values)
    wide_console().print(table)


def _numbers(numbers: PairStatistics) -> dict[str, str]:
    marks = "\n".join(f"{mark} {count:,}" for mark, count in numbers.top_marks.items())
    return {
        "approved in 24 hours": f"{numbers.approved_last_24_hours:,}",
        "approved in 7 days": f"{numbers.approved_last_7_days:,}",
        "oldest pending waits": _duration(numbers.oldest_pending_s),
        "sentences in memory": f"{numbers.in_memory:,}",
        "trained in the current model": f"{numbers.trained_in_current:,}",
        "marks of pending ones": marks or "–",
    }


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    for unit_s, unit in ((DAY_S, "days"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{seconds:.0f} s"


def _add_row(table: Table, *cells: str) -> None:
    """Texts of people, in which brackets are no markup."""
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in cells))

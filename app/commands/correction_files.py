"""`traghetto corrections export` and `import`: corrections as JSONL and TMX files."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from app.access.client import LOCAL, Client
from app.commands.database import opened_database, run
from app.commands.options import reader_left
from app.errors import AppError
from app.scopes import ALL_SCOPES

if TYPE_CHECKING:
    from app.corrections.exchange import Format, Selection
    from app.corrections.importing import ImportReport

    Job = Callable[..., Awaitable[ImportReport]]

OWNER = Client(LOCAL, ALL_SCOPES)
SHOWN_PROBLEMS = 20


class Status(enum.Enum):
    """As `app.storage.tables.STATUSES`."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


class Pair(enum.Enum):
    """Directions that there can be corrections of."""

    IT_EN = "it-en"
    EN_IT = "en-it"


class FileFormat(enum.Enum):
    """As `app.corrections.exchange.FORMATS`."""

    JSONL = "jsonl"
    TMX = "tmx"


FormatOption = Annotated[
    FileFormat | None, typer.Option("--format", help="Default: by the name of the file, else jsonl.")
]


def export_file(
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="The file to write. Default: stdout.")] = None,
    format: FormatOption = None,
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    pair: Annotated[Pair | None, typer.Option("--pair", "-p", help="Only this direction.")] = None,
    since: Annotated[dt.datetime | None, typer.Option(help="Only what changed then or later; local time.")] = None,
) -> None:
    """Write corrections as JSON lines, or as TMX for other programs; oldest first.

    [bold]Examples[/bold]

      traghetto corrections export --status approved --out approved.jsonl

      traghetto corrections export --format tmx --pair it-en > memory.tmx
    """
    from app.corrections.exchange import Selection

    wanted = Selection(
        status.value if status else None, pair.value if pair else None, _with_zone(since) if since else None
    )
    chosen = _format(format, out)
    if out is None:
        _export_to_stdout(wanted, chosen)
        return
    unfinished = out.with_name(f"{out.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            written = run(_export(file, wanted, chosen, sys.stderr.isatty()))
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    typer.echo(f"{written:,} corrections in {out}", err=True)


def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="JSON lines or TMX.")],
    format: FormatOption = None,
    pair: Annotated[
        Pair | None, typer.Option("--pair", "-p", help="Direction to read TMX in; else what its units say.")
    ] = None,
    approve: Annotated[bool, typer.Option("--approve", help="Approve what is imported; else it is pending.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Store nothing if anything is refused.")] = False,
) -> None:
    """Take corrections from a file. What is there already is skipped; importing a file twice changes nothing.

    Each is checked as if it were submitted. What is refused is told with its line, and ends in exit status 1.

    [bold]Examples[/bold]

      traghetto corrections import approved.jsonl --approve

      traghetto corrections import memory.tmx --pair it-en
    """
    report = run(_import(file, _format(format, file), pair.value if pair else None, approve, strict))
    _tell_problems(report)
    if strict and report.refused:
        raise AppError(f"nothing was stored: {report.refused:,} are refused")
    waits = f"; {report.imported - report.approved:,} wait for a second person" if approve else ""
    waits = waits if report.imported > report.approved else ""
    approved = f" ({report.approved:,} approved{waits})" if approve else ""
    there = f"skipped {report.skipped:,} that were there"
    typer.echo(f"imported {report.imported:,}{approved}, {there}, refused {report.refused:,}", err=True)
    if report.refused:
        raise typer.Exit(1)


@contextlib.contextmanager
def progress(unit: str, total: int, *, shown: bool | None = None) -> Iterator[Callable[[int], None]]:
    """A bar with the time left on stderr, if that is a terminal; gives a function that takes how far one has come."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    disabled = not console.is_terminal if shown is None else not shown
    with Progress(*columns, console=console, transient=True, disable=disabled) as bar:
        task = bar.add_task(unit, total=total)
        yield lambda completed: bar.update(task, completed=completed)


def _with_zone(local: dt.datetime) -> dt.datetime:
    try:
        return local.astimezone(dt.UTC)
    except (OverflowError, ValueError, OSError):
        raise typer.BadParameter(f"--since {local:%Y} is too far away") from None


def _format(chosen: FileFormat | None, file: Path | None) -> Format:
    if chosen is not None:
        return "tmx" if chosen is FileFormat.TMX else "jsonl"
    return "tmx" if file is not None and file.suffix.lower() == ".tmx" else "jsonl"


# --- export --------------------------------------------------------------------------------------------------------


def _export_to_stdout(wanted: Selection, format: Format) -> None:
    try:
        run(_export(sys.stdout.buffer, wanted, format, sys.stderr.isatty() and not sys.stdout.isatty()))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise reader_left() from None


async def _export(file: BinaryIO, wanted: Selection, format: Format, shown: bool) -> int:
    """Write the file and say how many corrections it has."""
    from app.corrections.exchange import count, export

    written = 0
    async with opened_database() as database:
        total = await count(database, wanted) if shown else 0
        with progress("corrections", total, shown=shown) as reached:

            def on_page(rows: int) -> None:
                nonlocal written
                written += rows
                reached(written)

            async for piece in export(database, wanted, format, on_page):
                file.write(piece)
    return written


# --- import --------------------------------------------------------------------------------------------------------


async def _import(path: Path, format: Format, pair: str | None, approve: bool, strict: bool) -> ImportReport:
    from app.corrections.importing import Importer
    from app.settings import load_settings
    from app.translating.detection import detect

    async with opened_database() as database:
        importer = Importer(database, load_settings(), detect)
        if strict:
            report = await _through(path, format, pair, partial(importer.check, approve=approve))
            if report.refused:
                return report
        return await _through(path, format, pair, partial(importer.run, client=OWNER, approve=approve))


async def _through(path: Path, format: Format, pair: str | None, job: Job) -> ImportReport:
    """Give a file to `job`, and show how much of it was read."""
    from app.corrections.exchange import read

    with path.open("rb") as file, progress("bytes", os.fstat(file.fileno()).st_size) as reached:
        return await job(read(file, format, pair), on_chunk=lambda _: reached(file.tell()))


def _tell_problems(report: ImportReport) -> None:
    for note in report.notes[:SHOWN_PROBLEMS]:
        typer.echo(f"line {note.line}: {note.reason}", err=True)
    if len(report.notes) > SHOWN_PROBLEMS:
        typer.echo(f"and {len(report.notes) - SHOWN_PROBLEMS:,} more of this kind", err=True)
    for problem in report.problems[:SHOWN_PROBLEMS]:
        typer.echo(f"line {problem.line}: {problem.reason}", err=True)
    if report.refused > SHOWN_PROBLEMS:
        typer.echo(f"and {report.refused - SHOWN_PROBLEMS:,} more", err=True)

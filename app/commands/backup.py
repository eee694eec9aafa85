"""`traghetto backup` and `traghetto restore`: all that a server has, in one file."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from app.errors import AppError

Archive = Annotated[Path, typer.Argument(metavar="FILE.tar.gz", dir_okay=False, help="The archive.")]


def backup(
    file: Archive,
    no_database: Annotated[
        bool, typer.Option("--no-database", help="Only model versions and which one is current.")
    ] = False,
) -> None:
    """Write the database, the trained model versions and which one is current to one archive; the server may run.

    SQLite is copied as it is at one moment. PostgreSQL is copied by pg_dump, which must be installed here, and not be
    older than the server. The archive holds users' texts: only you can read it, keep it so. What comes with the program
    is not in it, nor are settings and their secrets.

    [bold]Examples[/bold]

      traghetto backup /backups/traghetto-$(date +%F).tar.gz
    """
    from importlib import metadata

    from app.settings import load_settings
    from app.storage.archive import Place
    from app.storage.backup import create, size_bytes
    from app.versions.store import pointer_root

    settings = load_settings()
    place = Place(pointer_root(settings), None if no_database else settings.database)
    if no_database and not place.models.is_dir():
        raise AppError(f"there is nothing to keep: no folder {place.models}")
    with _stopped_in_order(), _bar("copied", size_bytes(place)) as advance:
        found = create(file, place, metadata.version("traghetto"), advance)
    for remark in found.remarks:
        typer.echo(f"traghetto: {remark}", err=True)
    what = "no database" if no_database else "the database"
    size = file.stat().st_size / 1e6
    typer.echo(f"{file}: {what}, {_counted(found.versions)}, {size:,.1f} MB", err=True)


def restore(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.tar.gz", help="An archive of traghetto backup; - reads it from stdin.")
    ],
    into: Annotated[
        Path | None,
        typer.Option(
            "--into", metavar="DIR", file_okay=False, help="Data directory. Default: TRAGHETTO_DATA_DIR, else ./var."
        ),
    ] = None,
) -> None:
    """Put back what traghetto backup has written, to where there is nothing yet, while no server runs there.

    All hashes are checked before anything is changed. A data directory with versions, or a database with tables, is
    refused. The database goes to TRAGHETTO_DATABASE_URL, or into the data directory: to the same kind that it came
    from. Restore only archives that you trust, as the user that the server runs as.

    [bold]Examples[/bold]

      traghetto restore traghetto-2026-11-29.tar.gz --into /var/lib/traghetto
    """
    from app.settings import load_settings
    from app.storage.archive import Place
    from app.storage.restore import restore as put_back
    from app.versions.store import pointer_root

    settings = load_settings(data_dir=into)
    total = file.stat().st_size if file.is_file() else 0
    with _stopped_in_order(), _bar("unpacked", total) as advance:
        manifest, found = put_back(file, Place(pointer_root(settings), settings.database), advance)
    what = "no database" if manifest.database is None else f"the database (schema {manifest.schema})"
    typer.echo(f"{settings.data_dir}: {what}, {_counted(found.versions)}, as of {manifest.created}", err=True)
    if manifest.database is not None:
        typer.echo("the server brings the database up to date at its start; without it: traghetto migrate", err=True)


def _counted(versions: list[str]) -> str:
    return f"{len(versions)} model version{'' if len(versions) == 1 else 's'}"


@contextlib.contextmanager
def _stopped_in_order() -> Iterator[None]:
    """SIGTERM, by which timers and service managers end programs, removes what is half written, as Ctrl-C does."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _bar(verb: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar in bytes on stderr, if that is a terminal. `total` 0: nobody knows."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
               TimeRemainingColumn())  # fmt: skip
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(verb, total=total or None)
        yield lambda count: bar.advance(task, count)

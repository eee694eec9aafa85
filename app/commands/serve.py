"""`traghetto serve` and `traghetto migrate`."""

from __future__ import annotations

import os
from typing import Annotated

import typer


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; any but localhost needs TRAGHETTO_ADMIN_KEY. [127.0.0.1]")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="TCP port; 0 takes a free one. [8000]")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes, each with its own copy of the models. [1]")
    ] = None,
) -> None:
    """Serve the API and the demo page on http://127.0.0.1:8000.

    Brings the database up to date first. Every setting is also an environment variable (docs/settings.md); an option
    given here wins.

    [bold]Examples[/bold]

      traghetto serve --port 8080

      TRAGHETTO_ADMIN_KEY=$(openssl rand -hex 24) traghetto serve --host 0.0.0.0
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy packs the weights of both directions side by side
    from app.serve import run
    from app.settings import load_settings

    raise typer.Exit(run(load_settings(host=host, port=port, workers=workers)))


def migrate() -> None:
    """Bring the database up to date and leave; for deployments with several servers on one database."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import SQLAlchemyError

    from app.errors import AppError
    from app.settings import load_settings
    from app.storage.db import migrate as migrate_database

    url = load_settings().database
    shown = make_url(url).render_as_string(hide_password=True)
    try:
        migrate_database(url)
    except SQLAlchemyError as error:
        raise AppError(f"cannot migrate {shown}: {' '.join(str(error).split())}") from error
    typer.echo(f"{shown} is up to date")

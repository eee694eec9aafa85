"""`traghetto serve` and `traghetto migrate`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

PANEL = "On Ray, with --cluster"


Host = Annotated[
    str | None,
    typer.Option(help="Address to listen on; any but localhost needs TRAGHETTO_ADMIN_KEY. Default: 127.0.0.1."),
]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="TCP port; 0 takes a free one. Default: 8000.")]
Workers = Annotated[
    int | None, typer.Option(min=1, max=64, help="Processes, each with its own copy of the models. Default: 1.")
]
Cluster = Annotated[bool, typer.Option("--cluster", help="Serve by replicas on Ray.", rich_help_panel=PANEL)]
Replicas = Annotated[int, typer.Option(min=1, help="Replicas, at least.", rich_help_panel=PANEL)]
MaxReplicas = Annotated[
    int | None, typer.Option(min=1, help="Replicas under load, at most. Default: as --replicas.", rich_help_panel=PANEL)
]
Cores = Annotated[int, typer.Option(min=1, help="CPU cores of each replica.", rich_help_panel=PANEL)]
Gpus = Annotated[float, typer.Option(min=0, help="GPUs of each replica.", rich_help_panel=PANEL)]
RayAddress = Annotated[
    str | None,
    typer.Option(
        envvar="RAY_ADDRESS",
        help="A Ray that runs, such as 10.0.0.5:6379. Default: one is started.",
        rich_help_panel=PANEL,
    ),
]


def serve(  # noqa: PLR0913 - one argument for each option
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    cluster: Cluster = False,
    replicas: Replicas = 2,
    max_replicas: MaxReplicas = None,
    cores: Cores = 1,
    gpus: Gpus = 0,
    ray_address: RayAddress = None,
) -> None:
    """Serve the API and the demo page on http://127.0.0.1:8000.

    Brings the database up to date first. Every setting is also an environment variable (docs/settings.md); an option
    given here wins.

    [bold]Examples[/bold]

      traghetto serve --port 8080

      TRAGHETTO_ADMIN_KEY=$(openssl rand -hex 24) traghetto serve --host 0.0.0.0

      traghetto serve --cluster --replicas 2 --max-replicas 8
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy packs the weights of both directions side by side
    from app.settings import load_settings

    settings = load_settings(host=host, port=port, workers=workers)
    if cluster:
        from app.cluster.options import ClusterOptions
        from app.cluster.running import run as run_cluster

        if max_replicas is not None and max_replicas < replicas:
            raise typer.BadParameter(f"it is less than --replicas, {replicas}", param_hint="--max-replicas")
        options = ClusterOptions(replicas=replicas, max_replicas=max_replicas, cores=cores, gpus=gpus)
        raise typer.Exit(run_cluster(settings, options, ray_address))
    from app.serve import run

    raise typer.Exit(run(settings))


def migrate() -> None:
    """Bring the database up to date and leave; for deployments with several servers on one database."""
    from sqlalchemy.exc import SQLAlchemyError

    from app.errors import AppError
    from app.settings import load_settings
    from app.storage.db import migrate as migrate_database
    from app.storage.db import shown

    url = load_settings().database
    where = shown(url)
    try:
        migrate_database(url)
    except SQLAlchemyError as error:
        raise AppError(f"cannot migrate {where}: {' '.join(str(error).split())}") from error
    typer.echo(f"{where} is up to date")

"""The command `traghetto`.

Every command imports what it needs when it runs, asyncio too: `--help` is quick, and `serve` never loads the trainer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from app.commands import backup, corrections, data, distil, evaluate, keys, models, retrain, serve, train, translate
from app.errors import AppError, SettingsError
from model.errors import ConfigError, ModelError

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
USAGE_ERRORS = (SettingsError, ConfigError)

app = typer.Typer(
    name="traghetto",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Italian–English translation: a server, a translator for the command line, and the trainer of its models.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"traghetto {metadata.version('traghetto')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    del version  # its callback has answered already


def _add(function: Callable[..., Any], panel: str) -> None:
    app.command(rich_help_panel=panel)(function)


_add(translate.translate, "Use")
_add(serve.serve, "Use")
_add(serve.migrate, "Use")
_add(backup.backup, "Use")
_add(backup.restore, "Use")
app.add_typer(keys.app, name="keys", rich_help_panel="Use")
app.add_typer(corrections.app, name="corrections", rich_help_panel="Use")
app.add_typer(models.app, name="models", rich_help_panel="Models")
_add(evaluate.evaluate, "Models")
_add(train.train, "Models")
_add(retrain.retrain, "Models")
_add(distil.distil, "Models")
app.add_typer(data.app, name="data", rich_help_panel="Models")


def main() -> None:
    """Run the command line. Errors meant for people become one line on stderr and an exit status, not a traceback."""
    try:
        app()
    except (ModelError, AppError) as error:
        _fail(str(error), EXIT_USAGE if isinstance(error, USAGE_ERRORS) else EXIT_FAILED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}", EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _fail(message: str, status: int) -> None:
    typer.echo(f"traghetto: error: {message}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()

"""`traghetto keys`: who may use the server, and for what."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.database import opened_database, run
from app.commands.options import wide_console
from app.scopes import SCOPES, Scope

if TYPE_CHECKING:
    from app.access.keys import NewKey
    from app.storage.tables import ApiKey

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke the keys that clients send.")


class KeyScope(enum.Enum):
    """`app.access.access.Scope`, as Typer wants it."""

    TRANSLATE = "translate"
    CORRECT = "correct"
    REVIEW = "review"
    ADMIN = "admin"


AsJson = Annotated[bool, typer.Option("--json", help="JSON instead.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is; for people.")],
    scope: Annotated[list[KeyScope], typer.Option(help="What it allows; may be repeated. admin allows everything.")],
    trusted: Annotated[
        bool, typer.Option("--trusted", help="Approve its corrections at once, if no check marks them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it on stdout. It is shown this once: only its hash is stored.

    [bold]Example[/bold]

      traghetto keys create "Anna, reviewer" --scope correct --scope review
    """
    made = run(_create(name, [name for name in SCOPES if KeyScope(name) in scope], trusted))
    if as_json:
        typer.echo(json.dumps(_as_dict(made.row) | {"key": made.secret}, indent=2, ensure_ascii=False))
        return
    typer.echo(f"key {made.row.id} of {made.row.name}; it cannot be shown again:", err=True)
    typer.echo(made.secret)


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List all keys, revoked ones too."""
    rows = run(_list())
    if as_json:
        typer.echo(json.dumps([_as_dict(row) for row in rows], indent=2, ensure_ascii=False))
    elif rows:
        _print_table(rows)
    else:
        typer.echo("no keys; make one with: traghetto keys create NAME --scope SCOPE", err=True)


@app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID_OR_PREFIX", help="As `traghetto keys list` shows it.")],
) -> None:
    """End a key for good. Servers that run refuse it within 2 s."""
    row = run(_revoke(key))
    typer.echo(f"revoked {row.id} ({row.name}); running servers refuse it within 2 s", err=True)


async def _create(name: str, scopes: list[Scope], trusted: bool) -> NewKey:
    from app.access.keys import Keys

    async with opened_database() as database:
        return await Keys(database).create(name, scopes, trusted=trusted)


async def _list() -> list[ApiKey]:
    from app.access.keys import Keys

    async with opened_database() as database:
        return await Keys(database).list_all()


async def _revoke(key: str) -> ApiKey:
    from app.access.keys import Keys

    async with opened_database() as database:
        return await Keys(database).revoke(key)


def _as_dict(row: ApiKey) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "prefix": row.prefix,
        "name": row.name,
        "scopes": row.scopes,
        "trusted": row.trusted,
        "created_at": row.created_at.isoformat(),
        "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None,
    }


def _print_table(rows: list[ApiKey]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("id", "prefix", "name", "scopes", "trusted", "created", "revoked", box=None)
    for row in rows:
        revoked = f"{row.revoked_at:%Y-%m-%d %H:%M}" if row.revoked_at else ""
        created = f"{row.created_at:%Y-%m-%d}"
        scopes = " ".join(row.scopes)
        table.add_row(str(row.id), row.prefix, Text(row.name), scopes, "yes" if row.trusted else "", created, revoked)
    wide_console().print(table)

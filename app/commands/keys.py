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
    from app.access.statements import Day, Used
    from app.storage.tables import ApiKey

app = typer.Typer(no_args_is_help=True, help="Make, list, limit and revoke the keys that clients send.")


class KeyScope(enum.Enum):
    """`app.access.access.Scope`, as Typer wants it."""

    TRANSLATE = "translate"
    CORRECT = "correct"
    REVIEW = "review"
    ADMIN = "admin"


Requests = Annotated[
    str | None, typer.Option(metavar="RATE", help="How often it may ask, such as 100/minute or 5/second;2000/hour.")
]
PerMonth = Annotated[
    int | None,
    typer.Option("--characters-per-month", min=0, help="Characters that it may have translated; 0: any number."),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is; for people.")],
    scope: Annotated[list[KeyScope], typer.Option(help="What it allows; may be repeated. admin allows everything.")],
    trusted: Annotated[
        bool, typer.Option("--trusted", help="Approve its corrections at once, if no check marks them.")
    ] = False,
    requests: Requests = None,
    characters_per_month: PerMonth = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it on stdout. It is shown this once: only its hash is stored. What is not limited here is as
    the settings say for all keys.

    [bold]Example[/bold]

      traghetto keys create "Anna, reviewer" --scope correct --scope review
    """
    scopes = [name for name in SCOPES if KeyScope(name) in scope]
    made = run(_create(name, scopes, trusted, (requests, characters_per_month)))
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


@app.command("limit")
def limit(
    key: Annotated[str, typer.Argument(metavar="ID_OR_PREFIX", help="As `traghetto keys list` shows it.")],
    requests: Requests = None,
    characters_per_month: PerMonth = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Hold it as all keys to whatever is not given here, not as before.")
    ] = False,
) -> None:
    """Hold a key to other limits. What is not given here stays as it was."""
    row = run(_limit(key, (requests, characters_per_month), anew))
    typer.echo(f"limited {row.id} ({row.name}): {_limits(row)}; running servers know it within 2 s", err=True)


@app.command("usage")
def usage(
    key: Annotated[
        str | None, typer.Argument(metavar="ID_OR_PREFIX", help="Of one key, by day; without, of all.")
    ] = None,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="By default this one (UTC).")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what clients have had translated in a month; at most a second behind what servers know."""
    from app.access.statements import by_client
    from app.settings import load_settings

    rows, days = run(_usage(key, month))
    if as_json:
        found = [{"day": f"{day.day}", "client": day.client, **day.used._asdict()} for day in days]
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    if not days:
        typer.echo("nothing was translated in this month", err=True)
        return
    names = {name: row.name for name, row in rows.items()}
    common = load_settings().characters_per_month
    of_keys = {
        name: common if row.characters_per_month is None else row.characters_per_month for name, row in rows.items()
    }
    quotas = {name: f"{quota:,}" for name, quota in of_keys.items() if quota}
    if key is not None:
        _print_usage("day", [(f"{day.day}", names[day.client], day.used, "") for day in days])
    clients = [(name, names.get(name, ""), used, quotas.get(name, "")) for name, used in by_client(days)]
    _print_usage("client", clients)


async def _create(name: str, scopes: list[Scope], trusted: bool, limits: tuple[str | None, int | None]) -> NewKey:
    from app.access.keys import KeyLimits, Keys

    async with opened_database() as database:
        return await Keys(database).create(name, scopes, trusted=trusted, limits=KeyLimits(*limits))


async def _limit(key: str, limits: tuple[str | None, int | None], anew: bool) -> ApiKey:
    from app.access.keys import KeyLimits, Keys

    async with opened_database() as database:
        return await Keys(database).limit(key, KeyLimits(*limits), anew=anew)


async def _usage(key: str | None, month: str | None) -> tuple[dict[str, ApiKey], list[Day]]:
    from app.access.keys import Keys
    from app.access.months import month_of
    from app.access.statements import stored

    starts = month_of(month)
    async with opened_database() as database:
        keys = Keys(database)
        rows = [await keys.named(key)] if key is not None else await keys.list_all()
        days = await stored(database, starts, str(rows[0].id) if key is not None else None)
    return {str(row.id): row for row in rows}, days


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
        "requests": row.requests,
        "characters_per_month": row.characters_per_month,
        "created_at": row.created_at.isoformat(),
        "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None,
    }


def _print_table(rows: list[ApiKey]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("id", "prefix", "name", "scopes", "trusted", "limits", "created", "revoked", box=None)
    for row in rows:
        revoked = f"{row.revoked_at:%Y-%m-%d %H:%M}" if row.revoked_at else ""
        created = f"{row.created_at:%Y-%m-%d}"
        scopes = " ".join(row.scopes)
        trusted = "yes" if row.trusted else ""
        table.add_row(str(row.id), row.prefix, Text(row.name), scopes, trusted, _limits(row), created, revoked)
    wide_console().print(table)


def _limits(row: ApiKey) -> str:
    limits = [row.requests or ""]
    if row.characters_per_month is not None:
        limits.append(f"{row.characters_per_month:,} characters/month" if row.characters_per_month else "any number")
    return "; ".join(filter(None, limits)) or "as all keys"


def _print_usage(first: str, rows: list[tuple[str, str, Used, str]]) -> None:
    """`rows`: day or client, its name, what it used, of how many characters."""
    from rich.table import Table
    from rich.text import Text

    table = Table(first, "name", box=None)
    for heading in ("requests", "characters", "of"):
        table.add_column(heading, justify="right")
    for what, name, used, quota in rows:
        table.add_row(what, Text(name), f"{used.requests:,}", f"{used.characters:,}", quota)
    wide_console().print(table)

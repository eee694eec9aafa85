"""`traghetto corrections`: what people corrected, reviewed in the terminal. Works on the database; needs no server."""

from __future__ import annotations

import enum
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from app.commands import correction_files
from app.commands.correction_files import OWNER, Pair, Status, progress
from app.commands.correction_tables import as_dict, print_details, print_statistics, print_table
from app.commands.database import opened_database, run

if TYPE_CHECKING:
    from app.corrections.search import Search
    from app.corrections.service import Corrections
    from app.corrections.states import Found
    from app.corrections.values import Action, Outcome

app = typer.Typer(no_args_is_help=True, help="Review corrections, and take them out and in as files.")
LIST_LIMIT = 50
DECIDED_AT_ONCE = 500
DONE: dict[Action, str] = {"approve": "approved", "reject": "rejected", "reopen": "reopened"}


Answer = TypeVar("Answer")

PairOption = Annotated[Pair | None, typer.Option("--pair", "-p", help="Only this direction.")]
Marked = Annotated[bool | None, typer.Option("--marked/--unmarked", help="Only those the checks marked, or did not.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Id = Annotated[uuid.UUID, typer.Argument(metavar="ID", help="As `list` shows it.")]
Ids = Annotated[list[uuid.UUID] | None, typer.Argument(metavar="[ID]...", help="As `list` shows them.")]
All = Annotated[bool, typer.Option("--all", help="All pending ones, as --pair and --marked or --unmarked narrow them.")]


@app.command("list")
def list_corrections(
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    pair: PairOption = None,
    search: Annotated[str | None, typer.Option(help="Only those with this in one of their texts.")] = None,
    marked: Marked = None,
    limit: Annotated[int, typer.Option(min=1, help="Most that are shown; the newest come first.")] = LIST_LIMIT,
    as_json: AsJson = False,
) -> None:
    """List corrections, newest first.

    [bold]Example[/bold]

      traghetto corrections list --status pending --search grazie
    """
    from app.corrections.search import Search

    wanted = Search(_value(status), _value(pair), search, marked)
    found, total = _ask(lambda corrections: _search(corrections, wanted, limit))
    if as_json:
        typer.echo(json.dumps([as_dict(one) for one in found], indent=2, ensure_ascii=False))
    elif not found:
        typer.echo("no corrections", err=True)
    else:
        print_table(found)
        if total > len(found):
            typer.echo(f"{len(found)} of {total}; --limit shows more", err=True)


@app.command("show")
def show(correction: Id, as_json: AsJson = False) -> None:
    """Show everything about one correction."""
    _show(_ask(lambda corrections: corrections.get(correction)), as_json)


@app.command("add")
def add(
    pair: Annotated[Pair, typer.Option("--pair", "-p", help="Direction, such as it-en.")],
    source: Annotated[str, typer.Option(help="The text that was translated.")],
    machine: Annotated[str, typer.Option(help="What the model made of it.")],
    corrected: Annotated[str, typer.Option(help="What it should have been.")],
    model_version: Annotated[str | None, typer.Option(help="The model's version.")] = None,
) -> None:
    """Submit one correction, and print its id on stdout. It is pending until it is approved.

    [bold]Example[/bold]

      traghetto corrections add --pair it-en --source "Ho fame." --machine "I have fame." --corrected "I am hungry."
    """
    from app.corrections.values import Draft

    languages = pair.value.split("-")
    draft = Draft(languages[0], languages[1], source, machine, corrected, model_version)
    found = _ask(lambda corrections: corrections.submit(draft, OWNER)).found
    for mark in found.correction.marks:
        typer.echo(f"odd: {mark}", err=True)
    typer.echo(found.correction.id)


@app.command("approve")
def approve(
    ids: Ids = None, every: All = False, pair: PairOption = None, marked: Marked = None, yes: Yes = False
) -> None:
    """Approve corrections: from now on they answer from memory, and the next training learns them.

    [bold]Examples[/bold]

      traghetto corrections approve 3f0c0b52-5f6e-4f0e-9a52-0d7a2b1c9e10

      traghetto corrections approve --all --pair it-en --unmarked
    """
    _decide(_selected(ids, every, pair, marked), "approve", yes=yes)


@app.command("reject")
def reject(
    reason: Annotated[str, typer.Option(help="Why; its author can read it.")],
    ids: Ids = None,
    every: All = False,
    pair: PairOption = None,
    marked: Marked = None,
    yes: Yes = False,
) -> None:
    """Reject corrections, approved ones too: memory forgets them.

    [bold]Example[/bold]

      traghetto corrections reject --all --marked --reason "not a translation"
    """
    _decide(_selected(ids, every, pair, marked), "reject", reason, yes=yes)


@app.command("reopen")
def reopen(ids: Annotated[list[uuid.UUID], typer.Argument(metavar="ID...", help="As `list` shows them.")]) -> None:
    """Take back what was decided about corrections: they wait again, and what they had superseded comes back.

    [bold]Example[/bold]

      traghetto corrections reopen 3f0c0b52-5f6e-4f0e-9a52-0d7a2b1c9e10
    """
    _decide(list(dict.fromkeys(ids)), "reopen")


@app.command("edit")
def edit(correction: Id, text: Annotated[str, typer.Argument(metavar="TEXT", help="The better text.")]) -> None:
    """Give a pending or approved correction another text. Its status stays."""
    found = _ask(lambda corrections: corrections.edit(correction, text, OWNER))
    for mark in found.correction.marks:
        typer.echo(f"odd: {mark}", err=True)
    typer.echo(f"{correction} is {found.state}", err=True)


@app.command("delete")
def delete(correction: Id, yes: Yes = False) -> None:
    """Delete a correction for good. What a model has learned from it stays learned."""
    if not yes:
        _show(_ask(lambda corrections: corrections.get(correction)), as_json=False)
        typer.confirm("Delete it?", abort=True, err=True)
    _ask(lambda corrections: corrections.delete(correction, OWNER))
    typer.echo(f"deleted {correction}", err=True)


@app.command("stats")
def stats(as_json: AsJson = False) -> None:
    """Numbers about corrections: how many of each status, how long they wait, what memory and the model know."""
    found = _ask(lambda corrections: corrections.statistics())
    if as_json:
        typer.echo(json.dumps({pair: asdict(numbers) for pair, numbers in found.items()}, indent=2))
    elif found:
        print_statistics(found)
    else:
        typer.echo("no corrections", err=True)


app.command("export")(correction_files.export_file)
app.command("import")(correction_files.import_file)


def _value(choice: enum.Enum | None) -> str | None:
    return None if choice is None else str(choice.value)


def _show(found: Found, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(as_dict(found), indent=2, ensure_ascii=False))
    else:
        print_details(found)


# --- deciding ------------------------------------------------------------------------------------------------------


def _selected(
    ids: list[uuid.UUID] | None, every: bool, pair: Pair | None, marked: bool | None
) -> list[uuid.UUID] | Search:
    from app.corrections.search import Search

    if bool(ids) == every:
        raise typer.BadParameter("give ids, or --all")
    if not every and (pair is not None or marked is not None):
        raise typer.BadParameter("--pair, --marked and --unmarked go with --all")
    if ids:
        return list(dict.fromkeys(ids))
    return Search(Status.PENDING.value, _value(pair), marked=marked, order="oldest")


def _decide(selected: list[uuid.UUID] | Search, action: Action, reason: str = "", *, yes: bool = False) -> None:
    """Do it to what is selected; ask first if that was not made by hand."""
    ids = selected if isinstance(selected, list) else _pending(selected)
    if not ids:
        typer.echo("no pending corrections", err=True)
        return
    if not (yes or isinstance(selected, list)):
        typer.confirm(f"{action.capitalize()} {len(ids)} corrections?", abort=True, err=True)
    outcomes = _ask(lambda corrections: _decide_all(corrections, ids, action, reason))
    problems = [outcome for outcome in outcomes if outcome.problem]
    for outcome in problems:
        typer.echo(f"{outcome.id}: {outcome.problem}", err=True)
    pending = sum(outcome.status == Status.PENDING.value and not outcome.problem for outcome in outcomes)
    waiting = pending if action == "approve" else 0
    typer.echo(_summary(len(ids) - len(problems) - waiting, waiting, action), err=True)
    if problems:
        raise typer.Exit(1)


def _summary(done: int, waiting: int, action: Action) -> str:
    decided = f"{DONE[action]} {done}"
    return f"{decided}; {waiting} wait for a second person" if waiting else decided


def _pending(wanted: Search) -> list[uuid.UUID]:
    found, _ = _ask(lambda corrections: _search(corrections, wanted))
    return [one.correction.id for one in found]


async def _decide_all(corrections: Corrections, ids: list[uuid.UUID], action: Action, reason: str) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with progress("corrections", len(ids)) as reached:
        for start in range(0, len(ids), DECIDED_AT_ONCE):
            batch = ids[start : start + DECIDED_AT_ONCE]
            outcomes += await corrections.decide(batch, OWNER, action, reason)
            reached(start + len(batch))
    return outcomes


# --- asking the service --------------------------------------------------------------------------------------------


def _ask(question: Callable[[Corrections], Awaitable[Answer]]) -> Answer:
    """The answer of the service, on a database that is opened for it."""

    async def ask() -> Answer:
        from app.corrections.service import Corrections
        from app.settings import load_settings
        from app.translating.detection import detect

        async with opened_database() as database:
            return await question(Corrections(database, load_settings(), detect))

    return run(ask())


async def _search(corrections: Corrections, wanted: Search, most: int | None = None) -> tuple[list[Found], int]:
    """Up to `most` of what is wanted, and how many there are."""
    from app.corrections.search import MAX_PAGE

    found: list[Found] = []
    while True:
        limit = MAX_PAGE if most is None else min(MAX_PAGE, most - len(found))
        page = await corrections.search(replace(wanted, limit=limit))
        found += page.items
        if page.next_cursor is None or len(found) == most:
            return found, page.total
        wanted = replace(wanted, cursor=page.next_cursor)

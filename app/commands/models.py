"""`traghetto models`: what there is, what is known about one, and which one is current."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.options import wide_console

if TYPE_CHECKING:
    from model.versions.card import Card
    from model.versions.pointers import Move
    from model.versions.store import VersionInfo

app = typer.Typer(no_args_is_help=True, help="Look at model versions, and choose which one translates.")
MEGABYTE = 1_000_000


@app.command("list")
def list_models(
    pair: Annotated[str | None, typer.Option("--pair", "-p", help="Only this language pair.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array instead of a table.")] = False,
) -> None:
    """List the model versions in the data directory and those that came with the program."""
    from app.settings import load_settings
    from app.versions.store import current_version, model_roots
    from model.versions import store

    settings = load_settings()
    found = store.list_versions(model_roots(settings), pair)
    current = {name: current_version(settings, name) for name in {info.pair for info in found}}
    if as_json:
        typer.echo(json.dumps([_as_dict(info, current) for info in found], indent=2, ensure_ascii=False))
        return
    if not found:
        typer.echo("no model versions; train one with: traghetto train CONFIG.toml", err=True)
        return
    _print_table(found, current)


@app.command("show")
def show_model(
    pair: Annotated[str, typer.Argument(metavar="PAIR", help="Language pair, such as it-en.")],
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="Default: the current one.")] = None,
) -> None:
    """Check a version's files against their hashes and print its card as JSON."""
    from app.settings import load_settings
    from app.versions.store import model_roots
    from model.versions import store

    folder = store.find(model_roots(load_settings()), pair, version)
    card = store.verify(folder)
    typer.echo(json.dumps({"folder": str(folder), **card.to_dict()}, indent=2, ensure_ascii=False))


@app.command("promote")
def promote(
    pair: Annotated[str, typer.Argument(metavar="PAIR", help="Language pair, such as it-en.")],
    version: Annotated[str, typer.Argument(metavar="VERSION", help="One that `models list` shows.")],
) -> None:
    """Make a version the current one, after a check of its files and of what it translates.

    Servers on this data directory take it over within seconds, without losing a request.
    """
    from app.settings import load_settings
    from app.versions.promotion import promote as move

    _say(move(load_settings(), pair, version))


@app.command("rollback")
def rollback(pair: Annotated[str, typer.Argument(metavar="PAIR", help="Language pair, such as it-en.")]) -> None:
    """Go back to the version that was current before."""
    from app.settings import load_settings
    from app.versions.promotion import rollback as move

    _say(move(load_settings(), pair))


def _say(move: Move) -> None:
    was = "as before" if move.previous == move.version else f"it was {move.previous}"
    typer.echo(f"{move.pair}: the current version is {move.version} ({was})")


@app.command("draw")
def draw(
    pair: Annotated[str, typer.Argument(metavar="PAIR", help="Language pair, such as it-en.")],
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="Default: the current one.")] = None,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the pictures.")] = Path(),
    sentence: Annotated[list[str] | None, typer.Option(help="Draw the attention of this one. [three of ours]")] = None,
) -> None:
    """Draw where a version's attention looks and, if its card has them, its scores by length of sentence."""
    from app.settings import load_settings
    from app.versions.store import model_roots
    from model.versions import store
    from training.scoring.figures import draw_attention, draw_lengths

    folder = store.find(model_roots(load_settings()), pair, version)
    version_read = store.load(folder)
    card = version_read.card
    out.mkdir(parents=True, exist_ok=True)
    name = f"{card.pair}-{card.version}"
    if version_read.config.attention_heads:
        draw_attention(folder, out / f"{name}-attention.png", sentence or ())
        typer.echo(out / f"{name}-attention.png")
    else:
        typer.echo(f"{name} has no attention to draw", err=True)
    if any("groups" in scores for scores in card.scores.values()):
        draw_lengths(card.scores, out / f"{name}-lengths.png", f"{card.pair} {card.version}: BLEU by length")
        typer.echo(out / f"{name}-lengths.png")


def _as_dict(info: VersionInfo, current: dict[str, str | None]) -> dict[str, Any]:
    return {
        "pair": info.pair,
        "version": info.version,
        "current": current[info.pair] == info.version,
        "folder": str(info.folder),
        "size_bytes": info.size_bytes,
        "card": info.card.to_dict() if info.card else None,
        "problem": info.problem,
    }


def _print_table(found: list[VersionInfo], current: dict[str, str | None]) -> None:
    from rich.table import Table

    table = Table("pair", "version", "", "created", "MB", "BLEU", "chrF", "on", box=None)
    table.add_column("folder", overflow="fold")
    for info in found:
        created = info.card.created[:10] if info.card else "damaged"
        size = f"{info.size_bytes / MEGABYTE:.1f}"
        mark = "current" if current[info.pair] == info.version else ""
        table.add_row(info.pair, info.version, mark, created, size, *_scores(info.card), str(info.folder))
    wide_console().print(table)


def _scores(card: Card | None) -> tuple[str, str, str]:
    """BLEU, chrF and the name of their sentences: a test set's if the card has one, else the first there is."""
    sets = {name: values for name, values in (card.scores if card else {}).items() if _is_scores(values)}
    name = next((name for name in sets if "test" in name), next(iter(sets), ""))
    return (f"{sets[name]['bleu']:.1f}", f"{sets[name]['chrf']:.1f}", name) if name else ("–", "–", "")


def _is_scores(values: Any) -> bool:
    return isinstance(values, dict) and all(isinstance(values.get(name), int | float) for name in ("bleu", "chrf"))

"""`traghetto models`: what there is, what is known about one, and which one is current."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.options import named_shares, wide_console
from app.languages import PAIRS

if TYPE_CHECKING:
    from app.settings import Settings
    from model.versions.card import Card
    from model.versions.pointers import Move
    from model.versions.store import VersionInfo

app = typer.Typer(no_args_is_help=True, help="Look at model versions, and choose which one translates.")
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Listed:
    """One line of the list."""

    pair: str
    version: str
    card: Card | None
    problem: str | None
    info: VersionInfo | None
    """None: only the store has it."""
    in_store: bool | None
    """None: the settings name no store, or it does not answer."""


@app.command("list")
def list_models(
    pair: Annotated[str | None, typer.Option("--pair", "-p", help="Only this language pair.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array instead of a table.")] = False,
) -> None:
    """List the model versions in the data directory, those that came with the program, and those of a shared store."""
    from app.settings import load_settings
    from app.versions.store import current_version, model_roots
    from model.versions import store

    settings = load_settings()
    here = store.list_versions(model_roots(settings), pair)
    pairs = {info.pair for info in here}
    current = {name: current_version(settings, name) for name in pairs}
    found = _with_store(settings, here, [pair] if pair else sorted(pairs | {*PAIRS}), current)
    if as_json:
        typer.echo(json.dumps([_as_dict(one, current) for one in found], indent=2, ensure_ascii=False))
        return
    if not found:
        typer.echo("no model versions; train one with: traghetto train CONFIG.toml", err=True)
        return
    _print_table(found, current)


def _with_store(
    settings: Settings, here: list[VersionInfo], pairs: list[str], current: dict[str, str | None]
) -> list[Listed]:
    """What is on this machine and what the store has; and in `current` what is so for all who share the store."""
    from app.errors import StoreDown
    from app.versions.shared_store import SharedStore

    shared = SharedStore.of(settings)
    stored: dict[tuple[str, str], Card | None] = {}
    try:
        for pair in pairs:
            if shared is None:
                break
            stored |= {(pair, version): card for version, card in shared.versions.listing(pair).items()}
            if (pointer := shared.current(pair)) is not None:
                current[pair] = pointer.version
    except StoreDown as error:
        typer.echo(f"traghetto: {error}", err=True)
        shared = None
    infos = {(info.pair, info.version): info for info in here}
    found = []
    for key in sorted(infos.keys() | (stored.keys() if shared is not None else set())):
        info = infos.get(key)
        card, problem = (info.card, info.problem) if info is not None else (stored[key], None)
        if info is None and card is None:
            problem = "its card in the store is damaged"
        found.append(Listed(*key, card, problem, info, None if shared is None else key in stored))
    return found


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

    Servers on this data directory, or on the same store, take it over within seconds, without losing a request.
    """
    from app.settings import load_settings
    from app.versions.promotion import promote as move

    _say(move(load_settings(), pair, version))


@app.command("push")
def push(
    pair: Annotated[str, typer.Argument(metavar="PAIR", help="Language pair, such as it-en.")],
    version: Annotated[str, typer.Argument(metavar="VERSION", help="One that `models list` shows.")],
) -> None:
    """Send a version to the store that servers share. They fetch it, so that a promotion only has to load it.

    The store is TRAGHETTO_MODELS_URL. The versions that this one descends from go with it; nothing is ever written
    over. What is promoted is pushed by that.
    """
    from app.errors import SettingsError
    from app.settings import load_settings
    from app.storage.notices import notify
    from app.versions.shared_store import SharedStore

    settings = load_settings()
    store = SharedStore.of(settings)
    if store is None:
        raise SettingsError("TRAGHETTO_MODELS_URL names no store to push to")
    pushed = store.push(pair, version)
    notify(settings.database, pair, version)
    typer.echo(f"{pair}/{version} {'is in the store now' if pushed else 'was in the store already'}")


@app.command("rollback")
def rollback(pair: Annotated[str, typer.Argument(metavar="PAIR", help="Language pair, such as it-en.")]) -> None:
    """Go back to the version that was current before."""
    from app.settings import load_settings
    from app.versions.promotion import rollback as move

    _say(move(load_settings(), pair))


def _say(move: Move) -> None:
    was = "as before" if move.previous == move.version else f"it was {move.previous}"
    typer.echo(f"{move.pair}: the current version is {move.version} ({was})")


@app.command("average")
def average_models(
    pair: Annotated[str, typer.Argument(metavar="PAIR", help="Language pair, such as it-en.")],
    versions: Annotated[
        list[str],
        typer.Argument(
            metavar="VERSION[=SHARE]",
            help="Two or more, or their folders. Shares are in proportion to each other; without any all count alike.",
        ),
    ],
    name: Annotated[str, typer.Option("--name", "-n", help="What the new version is called.")],
    out: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Write it below this folder. Default: the data directory's models."),
    ] = None,
) -> None:
    """Make a version whose weights are the mean of those of others.

    What was trained on from the same weights is often better together than each alone. The card goes on from that of
    the first: name the newest first. Nothing is known of the new version before `traghetto evaluate`.

    [bold]Example[/bold]

      traghetto models average it-en long=0.7 default=0.3 --name mean
    """
    from training.average import average

    if len({"=" in one for one in versions}) > 1:
        raise typer.BadParameter("give each version a share, or none")
    shares = named_shares([one if "=" in one else f"{one}=1" for one in versions], "default=0.3")
    folder = average(pair, shares, name, out)
    total = sum(shares.values())
    typer.echo(", ".join(f"{share / total:.0%} of {one}" for one, share in shares.items()), err=True)
    typer.echo(folder)


@app.command("draw")
def draw(
    pair: Annotated[str, typer.Argument(metavar="PAIR", help="Language pair, such as it-en.")],
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="Default: the current one.")] = None,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the pictures.")] = Path(),
    sentence: Annotated[
        list[str] | None, typer.Option(help="Draw the attention of this one; may be repeated. Default: three of ours.")
    ] = None,
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


def _as_dict(one: Listed, current: dict[str, str | None]) -> dict[str, Any]:
    return {
        "pair": one.pair,
        "version": one.version,
        "current": current.get(one.pair) == one.version,
        "folder": str(one.info.folder) if one.info else None,
        "in_store": one.in_store,
        "size_bytes": one.info.size_bytes if one.info else None,
        "card": one.card.to_dict() if one.card else None,
        "problem": one.problem,
    }


def _print_table(found: list[Listed], current: dict[str, str | None]) -> None:
    from rich.table import Table

    table = Table("pair", "version", "", "created", "MB", "BLEU", "chrF", "on", box=None)
    has_store = any(one.in_store is not None for one in found)
    if has_store:
        table.add_column("store")
    table.add_column("folder", overflow="fold")
    for one in found:
        created = one.card.created[:10] if one.card else "damaged"
        size = f"{one.info.size_bytes / MEGABYTE:.1f}" if one.info else "–"
        mark = "current" if current.get(one.pair) == one.version else ""
        store = ["yes" if one.in_store else "–"] if has_store else []
        folder = str(one.info.folder) if one.info else "–"
        table.add_row(one.pair, one.version, mark, created, size, *_scores(one.card), *store, folder)
    wide_console().print(table)


def _scores(card: Card | None) -> tuple[str, str, str]:
    """BLEU, chrF and the name of their sentences: a test set's if the card has one, else the first there is."""
    sets = {name: values for name, values in (card.scores if card else {}).items() if _is_scores(values)}
    name = next((name for name in sets if "test" in name), next(iter(sets), ""))
    return (f"{sets[name]['bleu']:.1f}", f"{sets[name]['chrf']:.1f}", name) if name else ("–", "–", "")


def _is_scores(values: Any) -> bool:
    return isinstance(values, dict) and all(isinstance(values.get(name), int | float) for name in ("bleu", "chrf"))

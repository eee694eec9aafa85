"""`traghetto translate` of a corpus: which inputs are one, which options go with it, and what people are told."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import typer

from app.commands.streams.bar import bar
from app.corpora.files.kinds import kind_of
from app.corpora.files.packing import packing_of
from app.corpora.files.places import is_url
from app.corpora.plan import SHARD_LINES, How
from app.corpora.run import Order, Told, translate_corpus
from app.corpora.workers import Here, OnCluster, Wanted, Workers


@dataclass(frozen=True)
class Options:
    """Those that go with a corpus only, as they are where they are not given."""

    cluster: bool = False
    processes: int | None = None
    field: str = "text"
    to_field: str = "translation"
    shard_lines: int = SHARD_LINES
    bad_lines: str = "stop"
    price_per_hour: float | None = None

    @property
    def given(self) -> list[str]:
        """The names of those that are."""
        names = [field.name for field in fields(self) if getattr(self, field.name) != field.default]
        return [f"--{name.replace('_', '-')}" for name in names]


def is_corpus(source: str | None, target: str | None, options: Options) -> bool:
    """Whether what is read is one: not standard input, and not one file of text of this machine."""
    if source is None:
        return False
    if options.cluster or is_url(source) or Path(source).is_dir() or (target is not None and is_url(target)):
        return True
    return kind_of(source) != "text" or ".zst" in (packing_of(source), packing_of(target or ""))


def check_alone(source: str | None, target: str | None, options: Options) -> None:
    """Refuse what only a corpus knows.

    Raises:
        BadParameter: names the option.
    """
    if options.given:
        needs = "it goes with a corpus: a folder, a URL, JSON lines or Parquet as --input"
        raise typer.BadParameter(needs, param_hint=options.given[0])
    for place, hint in ((source, "--input"), (target, "--output")):
        if place is not None and (is_url(place) or Path(place).is_dir()):
            about = "a URL" if is_url(place) else "a directory"
            raise typer.BadParameter(f"{place!r} is {about}", param_hint=hint)


def translate_folder(
    places: tuple[str, str | None], wanted: Wanted, beam: int, options: Options, *, resume: bool, force: bool
) -> None:
    """Translate a corpus, from the first of `places` to the second.

    Raises:
        BadParameter: there is no output, or both `resume` and `force`.
        AppError: as `translate_corpus`.
    """
    source, target = places
    if target is None:
        kind = "is a directory" if Path(source).is_dir() else "is a corpus"
        raise typer.BadParameter(f"{source!r} {kind}: it needs an --output", param_hint="--input")
    if resume and force:
        raise typer.BadParameter("not with --force", param_hint="--resume")
    if options.field == options.to_field:
        raise typer.BadParameter("it is the --field", param_hint="--to-field")
    how = How(beam, options.field, options.to_field, options.shard_lines)
    order = Order(source, target, how, force, resume, options.bad_lines == "keep", options.price_per_hour)
    engage = partial(_engage, wanted, options)
    try:
        translate_corpus(order, engage, Told(_say, lambda lines, done: bar("lines", lines, (done, done))))
    except KeyboardInterrupt:
        _say(f"stopped; {'without --force ' if force else ''}the same command goes on")
        raise


def _engage(wanted: Wanted, options: Options) -> Workers:
    return OnCluster(wanted, options.processes) if options.cluster else Here(wanted, options.processes)


def _say(line: str) -> None:
    typer.echo(f"traghetto: {line}", err=True)

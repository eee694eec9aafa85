"""Options that several commands share, said once."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from model.versions.card import PAIR

if TYPE_CHECKING:
    from rich.console import Console

    from app.settings import Settings

WIDTH_IN_FILES = 200
STDOUT, STDERR = 1, 2
EXIT_BROKEN_PIPE = 141
"""What a shell reports for a program that SIGPIPE ended."""
MAX_BEAM = 64
"""As `model.config.SearchConfig` has it."""

DeviceName = Literal["auto", "cpu", "cuda"]
RouteName = Literal["auto", "fp32", "bf16", "int8"]


def _check_pair(pair: str) -> str:
    if not PAIR.fullmatch(pair):
        raise typer.BadParameter(f"{pair!r} is not a language pair; one looks like it-en")
    return pair


Pair = Annotated[
    str,
    typer.Option(
        "--pair", "-p", metavar="PAIR", callback=_check_pair, help="Source and target language, such as it-en."
    ),
]
Beam = Annotated[
    int, typer.Option("--beam", min=1, max=MAX_BEAM, help="Hypotheses kept while searching; 1 is greedy search.")
]
Device = Annotated[DeviceName, typer.Option("--device", help="Where the model runs; auto takes a GPU if there is one.")]
Route = Annotated[
    RouteName, typer.Option("--route", help="Number format of the kernels; auto takes the fastest of the device.")
]
ModelVersion = Annotated[
    str | None,
    typer.Option(
        "--model-version",
        metavar="VERSION",
        help="Model version; `traghetto models list` shows them. Default: the current one.",
    ),
]
Format = Annotated[
    Literal["text", "html", "xml", "markdown"],
    typer.Option("--format", "-f", help="What is read. Of markup only what people read is translated."),
]
Split = Annotated[
    Literal["auto", "lines", "none"],
    typer.Option(
        "--split",
        help="What ends a sentence of text besides its end: each line; auto, a line that does not go on in the next; "
        "or nothing.",
    ),
]
IgnoreTag = Annotated[
    list[str] | None,
    typer.Option("--ignore-tag", metavar="NAME", help="Tag whose content is not translated; may be repeated."),
]


def _check_text(text: list[str] | None) -> list[str] | None:
    for one in text or ():
        if os.path.isfile(one):  # noqa: PTH113 - that of pathlib fails where a text is too long for a path
            raise typer.BadParameter(f"{one!r} is a file; to translate what is in it: --input {shlex.quote(one)}")
    return text


Text = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TEXT",
        callback=_check_text,
        help="What to translate in the place of stdin, a line each: put a sentence in quotes, "
        "and -- before one that begins with a hyphen.",
    ),
]


def _check_input(place: str | None) -> str | None:
    if place is None or "://" in place:
        return place
    if not Path(place).exists():
        raise typer.BadParameter(f"{place!r} does not exist")
    if not os.access(place, os.R_OK):
        raise typer.BadParameter(f"{place!r} is not readable")
    return place


def _check_output(place: str | None) -> str | None:
    if place is not None and "://" not in place and Path(place).exists() and not os.access(place, os.W_OK):
        raise typer.BadParameter(f"{place!r} is not writable")
    return place


InputPlace = Annotated[
    str | None,
    typer.Option("--input", "-i", metavar="PLACE", callback=_check_input,
                 help="File to read in the place of stdin; .gz is unpacked. Or a corpus: a folder, or a URL such as "
                 "s3://bucket/it."),
]  # fmt: skip
OutputPlace = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="PLACE", callback=_check_output,
                 help="File to write in the place of stdout; .gz is packed. Of a corpus, a folder or a URL."),
]  # fmt: skip
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on after the last whole line that an interrupted run left in --output.")
]
Force = Annotated[bool, typer.Option("--force", help="Write --output anew, though there is such a file.")]

CORPORA = "Corpora"
Cluster = Annotated[
    bool,
    typer.Option("--cluster", rich_help_panel=CORPORA,
                 help="Share the work on a Ray cluster: the one that RAY_ADDRESS names, or one of this machine."),
]  # fmt: skip
Processes = Annotated[
    int | None,
    typer.Option("--processes", min=1, rich_help_panel=CORPORA,
                 help="Processes that translate; on a cluster, actors of one CPU or GPU each. Default: all cores."),
]  # fmt: skip
Field = Annotated[
    str,
    typer.Option("--field", rich_help_panel=CORPORA, help="Field of JSON lines, or column of Parquet, to translate."),
]
ToField = Annotated[
    str,
    typer.Option("--to-field", rich_help_panel=CORPORA, help="Field, or column, that is added for the translation."),
]
ShardLines = Annotated[
    int, typer.Option("--shard-lines", min=1, rich_help_panel=CORPORA, help="Lines that are done, and kept, at once.")
]
BadLines = Annotated[
    Literal["stop", "keep"],
    typer.Option("--bad-lines", rich_help_panel=CORPORA,
                 help="JSON lines that cannot be read or lack the field: stop there, or keep them as they are."),
]  # fmt: skip
PricePerHour = Annotated[
    float | None,
    typer.Option("--price-per-hour", min=0, rich_help_panel=CORPORA,
                 help="Of one core, or one GPU: what all costs is told too."),
]  # fmt: skip


def settings_with(device: DeviceName, route: RouteName) -> Settings:
    """The settings, with the options that are not `auto` in place of theirs.

    Raises:
        SettingsError: a variable is unknown or a value is not allowed.
    """
    from app.settings import load_settings

    given = {"device": device, "route": route}
    return load_settings(**{name: value for name, value in given.items() if value != "auto"})


def wide_console() -> Console:
    """For tables on stdout: as wide as the terminal, and wide enough for every column in a file."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH_IN_FILES)


def named_shares(given: Sequence[str], example: str) -> dict[str, float]:
    """What `NAME=SHARE` says, each name once.

    Raises:
        typer.BadParameter: shows the `example`.
    """
    shares: dict[str, float] = {}
    for one in given:
        name, _, share = one.rpartition("=")
        try:
            number = float(share)
        except ValueError:
            name = ""
        if not name:
            raise typer.BadParameter(f"{one!r} is not NAME=SHARE, such as {example}")
        if name in shares:
            raise typer.BadParameter(f"{name} is there twice")
        shares[name] = number
    return shares


def reader_left() -> typer.Exit:
    """To be raised where writing to stdout met a closed pipe; keeps the interpreter from complaining at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
    return typer.Exit(EXIT_BROKEN_PIPE)

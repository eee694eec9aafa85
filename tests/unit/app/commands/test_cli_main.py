"""Exit statuses of the command line, and the options that commands share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from rich.text import Text

from app import cli
from app.commands.options import MAX_BEAM
from app.errors import AppError, SettingsError
from model.config import SearchConfig
from model.errors import ConfigError, ModelError, SearchError


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("beam must be between 1 and 64"), 2),
        (SettingsError("TRAGHETTO_PORT: not a number"), 2),
        (SearchError("there is not enough memory for this batch"), 1),
        (AppError("cannot migrate"), 1),
    ],
)
def test_only_wrong_usage_ends_with_status_2(
    error: ModelError | AppError, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == status
    assert capsys.readouterr().err == f"traghetto: error: {error}\n"


def test_the_widest_beam_is_that_of_the_search() -> None:
    SearchConfig(beam=MAX_BEAM)
    with pytest.raises(ConfigError):
        SearchConfig(beam=MAX_BEAM + 1)


def test_nothing_of_a_help_text_is_taken_for_markup() -> None:
    """Rich leaves out what stands in brackets and looks like a tag, such as `[stdout]`."""
    texts = [text for command in commands(typer.main.get_command(cli.app)) for text in help_texts(command)]
    assert len(texts) > 100
    for text in texts:
        plain = text.replace("[bold]", "").replace("[/bold]", "")
        assert Text.from_markup(text).plain == plain, text


def help_texts(command: Any) -> list[str]:
    """What `command` says of itself, of its arguments and of its options."""
    return [text for one in (command, *command.params) if (text := getattr(one, "help", None))]


def commands(command: Any) -> Iterator[Any]:
    """`command` and all below it."""
    yield command
    for one in getattr(command, "commands", {}).values():
        yield from commands(one)

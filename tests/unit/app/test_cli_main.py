"""Exit statuses of the command line, and the options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app import cli
from app.commands.options import MAX_BEAM
from app.errors import AppError, SettingsError
from model.config import SearchConfig
from model.errors import ConfigError, ModelError, SearchError
from training.evaluate import Scores


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


@pytest.mark.parametrize(
    ("options", "expected"), [((), ("cpu", "bf16")), (("--route", "fp32"), ("cpu", "fp32"))], ids=["auto", "given"]
)
def test_evaluate_obeys_the_settings_where_no_option_is_given(
    options: tuple[str, ...], expected: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[Any, ...]] = []

    def evaluate_files(*arguments: Any) -> Scores:
        asked.append(arguments[-2:])
        return Scores(1.0, 2.0, 1, 0.1, "", "")

    monkeypatch.setattr("training.evaluate.evaluate_files", evaluate_files)
    monkeypatch.setenv("TRAGHETTO_DEVICE", "cpu")
    monkeypatch.setenv("TRAGHETTO_ROUTE", "bf16")
    lines = tmp_path / "lines"
    lines.write_text("Ciao.\n")
    command = ["evaluate", "--pair", "it-en", "--src", str(lines), "--ref", str(lines), *options]
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0, result.output
    assert asked == [expected]


def test_the_widest_beam_is_that_of_the_search() -> None:
    SearchConfig(beam=MAX_BEAM)
    with pytest.raises(ConfigError):
        SearchConfig(beam=MAX_BEAM + 1)

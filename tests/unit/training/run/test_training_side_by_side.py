"""Several runs at once: all are waited for, the worst status counts, their lines are kept."""

from dataclasses import replace
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from app.cli import app
from app.commands.train import _arguments
from training.run.side_by_side import side_by_side
from training.train import RunOptions

TINY = Path(__file__).parents[4] / "training/configs/tiny.toml"


def test_all_are_waited_for_and_the_worst_status_counts(tmp_path):
    commands = [("good", tmp_path / "it-en/good", ["--version"]), ("bad", tmp_path / "it-en/bad", ["no-such-command"])]
    with (tmp_path / "said").open("w") as file:
        assert side_by_side(commands, Console(file=file, width=200)) == 2
    assert "traghetto" in (tmp_path / "it-en/good.log").read_text()
    said = (tmp_path / "said").read_text()
    assert "good: exit status 0" in said
    assert "bad: exit status 2" in said
    assert side_by_side(commands[:1], Console(quiet=True)) == 0


def test_the_command_line_of_each_says_all_that_was_said():
    options = RunOptions(pair="en-it", resume=True, max_steps=3, runs=Path("elsewhere"))
    found = _arguments(TINY, options)
    assert found == ["train", str(TINY), "--pair", "en-it", "--resume", "--max-steps", "3", "--runs", "elsewhere"]
    assert "--export" in _arguments(TINY, replace(options, export=True))


def test_two_runs_in_one_folder_are_refused():
    result = CliRunner().invoke(app, ["train", str(TINY), "--pair", "it-en", "--pair", "it-en"])
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit | typer.BadParameter) or "share a folder" in result.output


@pytest.mark.parametrize("word", ["p.m.", "..."])
def test_nothing_but_a_full_stop_is_taken_from_a_clause(word):
    from model.text.parts import Cutter, Part
    from model.text.tokenizer import WordTokenizer
    from model.translation import Scored, Translation, Word

    tokenizer = WordTokenizer.train(["at"])
    found = Scored(Translation(f"at {word}", -1, (Word("at", 1, ()), Word(word, 1, ()))), 2)
    parts = [Part("alle", [1], []), Part("poi", [1], [])]
    assert Cutter(tokenizer, tokenizer, 9).assemble(parts, [[found], [found]]).text == f"at {word} at {word}"

"""`traghetto evaluate`: what its options ask for, and what it prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app import cli
from training.scoring.evaluation import Report, Request


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What the command asked for; nothing is evaluated."""
    requests: list[Request] = []

    def run(request: Request) -> Report:
        requests.append(request)
        return Report(request.pair, "default", request.against, "cpu", request.beam)

    monkeypatch.setattr("training.scoring.evaluation.run", run)
    return requests


def evaluate(*options: str | Path) -> Any:
    return CliRunner().invoke(cli.app, ["evaluate", "--pair", "it-en", *map(str, options)])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), {"sets": (), "breakdown": False, "noise": False, "with_aligned": False, "corpus": None}),
        (("--full",), {"sets": (), "breakdown": True, "noise": True, "with_aligned": True}),
        (("--challenge",), {"sets": ("challenge",)}),
        (("--set", "general", "--set", "tatoeba.dev", "--alignment"), {"sets": ("general", "tatoeba.dev", "aligned")}),
        (("--against", "old", "--model-version", "new"), {"against": "old", "version": "new"}),
        (("--noise", "--limit", "7", "--beam", "4"), {"noise": True, "limit": 7, "beam": 4}),
        (("--save", "--data", "."), {"save": True, "corpus": Path()}),
    ],
)
def test_each_option_asks_for_what_it_says(
    options: tuple[str, ...], expected: dict[str, Any], asked: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRAGHETTO_CORPUS_DIR", raising=False)
    result = evaluate(*options)
    assert result.exit_code == 0, result.output
    assert {name: getattr(asked[0], name) for name in expected} == expected


def test_the_corpus_may_come_from_the_environment(
    asked: list[Request], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRAGHETTO_CORPUS_DIR", str(tmp_path))
    evaluate()
    assert asked[0].corpus == tmp_path


@pytest.mark.parametrize(
    ("options", "expected"), [((), ("cpu", "bf16")), (("--route", "fp32"), ("cpu", "fp32"))], ids=["auto", "given"]
)
def test_the_settings_are_obeyed_where_no_option_is_given(
    options: tuple[str, ...], expected: tuple[str, str], asked: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAGHETTO_DEVICE", "cpu")
    monkeypatch.setenv("TRAGHETTO_ROUTE", "bf16")
    result = evaluate(*options)
    assert result.exit_code == 0, result.output
    assert (asked[0].device, asked[0].route) == expected


def test_source_and_reference_go_together(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("Ciao.\n")
    result = evaluate("--src", tmp_path / "a")
    assert result.exit_code == 2
    assert "go together" in result.output


@pytest.fixture
def own_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_data_dir: Path) -> Path:
    folder = tmp_path / "sets" / "it-en"
    folder.mkdir(parents=True)
    (folder / "general.tsv").write_text("# Italian\tEnglish\nQuanto costa?\tHow much is it?\n")
    (folder / "challenge.tsv").write_text("# phenomenon\nprices\tCosta 3 euro.\tIt costs 3 euros.\t\t\n")
    monkeypatch.setattr("training.scoring.sets.SETS", folder.parent)
    monkeypatch.setattr("training.scoring.bootstrap.RESAMPLES", 20)  # intervals are tested elsewhere
    monkeypatch.setenv("TRAGHETTO_DATA_DIR", str(tiny_data_dir))
    monkeypatch.delenv("TRAGHETTO_CORPUS_DIR", raising=False)
    return folder


def test_people_get_tables_with_signatures(own_sets: Path) -> None:
    result = evaluate()
    assert result.exit_code == 0, result.output
    for words in ("it-en/default on cpu", "general", "prices", "BLEU nrefs:1|", "left out: no set tatoeba.test"):
        assert words in result.stdout


def test_json_of_sets_has_everything_by_name(own_sets: Path) -> None:
    found = json.loads(evaluate("--json", "--set", "general", "--challenge").stdout)
    assert found["sets"]["general"]["sentences"] == 1
    assert found["challenge"]["phenomena"] == {"prices": {"passed": 0, "items": 1}}
    assert found["challenge"]["failures"][0]["source"] == "Costa 3 euro."


def test_json_of_two_files_is_that_of_one_set(own_sets: Path, tmp_path: Path) -> None:
    (tmp_path / "test.it").write_text("Ciao.\nQuanto costa?\n")
    (tmp_path / "test.en").write_text("Hello.\nHow much is it?\n")
    found = json.loads(evaluate("--src", tmp_path / "test.it", "--ref", tmp_path / "test.en", "--json").stdout)
    assert found["sentences"] == 2
    assert found["bleu_signature"].startswith("nrefs:1|")
    assert found["diagnostics"]["lines_with_digits"] == 0

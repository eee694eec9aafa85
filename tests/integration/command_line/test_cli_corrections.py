"""`traghetto corrections` as people and scripts run it."""

from __future__ import annotations

import json
import subprocess
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli_kit import PROGRAM, Ended, as_program, failed, in_process, succeeded
from corrections_kit import CORRECTED, MACHINE, SOURCE
from databases import migrated

from app.settings import load_settings

NOBODY = str(uuid.UUID(int=1))
done, fails = succeeded, partial(failed, stdout=None)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with an empty, migrated database."""
    migrated(load_settings(data_dir=tmp_path).database)
    return tmp_path


def run(data_dir: Path, *arguments: str | Path, stdin: str = "", **environment: str) -> Ended:
    variables = {"TRAGHETTO_DATA_DIR": str(data_dir), **environment}
    return in_process("corrections", *arguments, stdin=stdin, **variables)


def added(data_dir: Path, source: str = SOURCE, machine: str = MACHINE, corrected: str = CORRECTED) -> str:
    texts = ("--source", source, "--machine", machine, "--corrected", corrected)
    return done(run(data_dir, "add", "--pair", "it-en", *texts)).strip()


def listed(data_dir: Path, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done(run(data_dir, "list", "--json", *options)))
    return found


def lines(count: int, **more: str) -> str:
    """A file of corrections, one of them odd."""
    return "".join(
        json.dumps(
            {
                "source": "it", "target": "en", "source_text": f"Il gatto numero {number} dorme sul divano.",
                "corrected_translation": f"The cat number {number or 99} is sleeping on the sofa.",
            }
            | more
        )
        + "\n"
        for number in range(count)
    )  # fmt: skip


def test_commands_are_those_of_the_program(data_dir: Path) -> None:
    """Those that read stdin or files, or make tables, in processes of their own; all are tested in full in this one."""
    program = partial(as_program, "corrections", TRAGHETTO_DATA_DIR=str(data_dir))
    file, out = data_dir / "file.jsonl", data_dir / "out.jsonl"
    file.write_text(lines(1), encoding="utf-8")
    assert "imported 1" in program("import", file).stderr
    texts = ("--source", SOURCE, "--machine", MACHINE, "--corrected", CORRECTED)
    one = done(program("add", "--pair", "it-en", *texts)).strip()
    assert SOURCE in done(program("list"))
    done(program("delete", one, stdin="y\n"))
    assert "1 corrections in" in program("export", "--out", out).stderr
    assert [found["state"] for found in listed(data_dir)] == ["pending"]


def test_one_correction_from_submission_to_deletion(data_dir: Path) -> None:
    one = added(data_dir)
    assert str(uuid.UUID(one)) == one, "the id must stand alone on stdout"
    table = done(run(data_dir, "list"))
    assert one in table and SOURCE in table and "pending" in table
    done(run(data_dir, "approve", one))
    done(run(data_dir, "edit", one, "The ferry departs at half past seven."))
    shown = done(run(data_dir, "show", one))
    assert "in memory" in shown and "departs" in shown and "local" in shown
    done(run(data_dir, "reject", one, "--reason", "not [bold] enough"))
    found = json.loads(done(run(data_dir, "show", one, "--json")))
    assert (found["state"], found["source"], found["target"]) == ("rejected: not [bold] enough", "it", "en")
    assert "not [bold] enough" in done(run(data_dir, "show", one))
    assert "reopened 1" in run(data_dir, "reopen", one).stderr
    assert [found["state"] for found in listed(data_dir)] == ["pending"]
    fails(run(data_dir, "delete", one, stdin="n\n"), 1, "Delete it?")
    assert len(listed(data_dir)) == 1
    done(run(data_dir, "delete", one, stdin="y\n"))
    assert listed(data_dir) == []
    assert "no corrections" in run(data_dir, "list").stderr


def test_what_is_wrong_is_told_in_one_line(data_dir: Path) -> None:
    one = added(data_dir)
    copied = run(data_dir, "add", "-p", "it-en", "--source", SOURCE, "--machine", MACHINE, "--corrected", MACHINE)
    fails(copied, 1, "traghetto: error: corrected_translation: is the machine translation")
    fails(run(data_dir, "show", NOBODY), 1, "There is no correction")
    fails(run(data_dir, "show", "seven"), 2, "valid UUID")
    fails(run(data_dir, "approve", one, NOBODY), 1, f"{NOBODY}: There is no such correction", "approved 1")
    fails(run(data_dir, "reopen", one, NOBODY), 1, f"{NOBODY}: There is no such correction", "reopened 1")
    fails(run(data_dir, "approve"), 2, "give ids, or --all")
    fails(run(data_dir, "approve", one, "--all"), 2, "give ids, or --all")
    fails(run(data_dir, "approve", one, "--marked"), 2, "go with --all")
    fails(run(data_dir, "reject", one), 2, "--reason")
    fails(run(data_dir, "reject", one, "--reason", " "), 1, "reason: is empty")
    fails(run(data_dir, "list", "--pair", "it-fr"), 2, "it-fr")


def test_many_are_decided_at_once_after_a_question(data_dir: Path) -> None:
    file = data_dir / "file.jsonl"
    file.write_text(lines(620), encoding="utf-8")
    done(run(data_dir, "import", file))
    assert [len(listed(data_dir, flag, "--limit", "1000")) for flag in ("--marked", "--unmarked")] == [1, 619]
    fails(run(data_dir, "approve", "--all", "--unmarked", stdin="n\n"), 1, "Approve 619 corrections?")
    fails(run(data_dir, "approve", "--all", "--unmarked"), 1)  # nobody answers
    assert listed(data_dir, "--status", "approved") == []
    assert "approved 619" in run(data_dir, "approve", "--all", "--unmarked", "--pair", "it-en", stdin="y\n").stderr
    assert "no pending" in run(data_dir, "reject", "--all", "--reason", "x", "--pair", "en-it").stderr
    assert "rejected 1" in run(data_dir, "reject", "--all", "--marked", "--reason", "odd", "--yes").stderr
    stats = json.loads(done(run(data_dir, "stats", "--json")))["it-en"]
    assert stats["by_status"] == {"pending": 0, "approved": 619, "rejected": 1, "superseded": 0}
    assert "619" in done(run(data_dir, "stats"))
    assert "250 of 620" in run(data_dir, "list", "--limit", "250").stderr


def test_lists_are_searched(data_dir: Path) -> None:
    wanted = added(data_dir)
    added(data_dir, "Ho molta fame oggi.", "I have much fame.", "I am very hungry today.")
    (found,) = listed(data_dir, "--search", "MEZZA", "--status", "pending", "--pair", "it-en")
    assert found["id"] == wanted
    assert listed(data_dir, "--search", "MEZZA", "--status", "approved") == []


@pytest.mark.parametrize("name", ["corrections.jsonl", "corrections.TMX"])
def test_files_go_out_and_in_again(data_dir: Path, name: str) -> None:
    one = added(data_dir)
    added(data_dir, "Ho molta fame oggi.", "I have much fame.", "I am very hungry today.")
    done(run(data_dir, "approve", one))
    out = data_dir / name
    assert "1 corrections in" in run(data_dir, "export", "--status", "approved", "--out", out).stderr
    assert sorted(path.name for path in data_dir.glob("corrections*")) == [name], "an unfinished file was left"
    format = out.suffix.lower().removeprefix(".")
    assert done(run(data_dir, "export", "--status", "approved", "--format", format)) == out.read_text(encoding="utf-8")
    assert done(run(data_dir, "export", "--since", "2999-01-01")) == ""
    new = data_dir / "new"
    migrated(load_settings(data_dir=new).database)
    taken = run(new, "import", out, "--approve")
    done(taken)
    assert "imported 1 (1 approved), skipped 0 that were there, refused 0" in taken.stderr
    assert "imported 0 (0 approved), skipped 1" in run(new, "import", out, "--approve").stderr
    assert [(found["id"], found["state"], found["reviewer"]) for found in listed(new)] == [(one, "in memory", "import")]


def test_refused_lines_are_told_and_strict_stores_nothing(data_dir: Path) -> None:
    file = data_dir / "file.jsonl"
    file.write_text(lines(1) + "broken\n" * 25 + lines(3), encoding="utf-8")
    fails(run(data_dir, "import", file, "--strict"), 1, "line 2: not valid JSON", "nothing was stored: 25 are refused")
    assert listed(data_dir) == []
    fails(
        run(data_dir, "import", file), 1, "line 21:", "and 5 more", "imported 3, skipped 1 that were there, refused 25"
    )
    assert len(listed(data_dir)) == 3
    file.write_text(lines(5), encoding="utf-8")
    done(run(data_dir, "import", file, "--strict"))
    assert len(listed(data_dir)) == 5


def test_the_direction_of_a_foreign_memory_is_named(data_dir: Path) -> None:
    file = data_dir / "memory.tmx"
    file.write_text(
        '<tmx version="1.4"><header srclang="*all*"/><body><tu><tuv xml:lang="EN-US"><seg>I am very hungry.</seg></tuv>'
        '<tuv xml:lang="it"><seg>Ho molta fame.</seg></tuv></tu></body></tmx>'
    )
    fails(run(data_dir, "import", file), 1, "line 1: does not say which of its languages is the source")
    done(run(data_dir, "import", file, "--pair", "it-en"))
    (found,) = listed(data_dir)
    assert (found["source_text"], found["machine_translation"]) == ("Ho molta fame.", "")


def test_an_export_that_nobody_reads_to_its_end_is_no_error(data_dir: Path) -> None:
    file = data_dir / "file.jsonl"
    file.write_text(lines(1500), encoding="utf-8")
    done(run(data_dir, "import", file))
    command = f"TRAGHETTO_DATA_DIR={data_dir} {PROGRAM} corrections export | head -n 1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)
    assert (result.stdout.count("\n"), result.stderr) == (1, "")


@pytest.mark.parametrize("arguments", [("list",), ("export",)])
def test_a_database_that_cannot_be_used_is_told(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    fails(run(tmp_path, *arguments), 1, "there is no database", "traghetto migrate")
    away = "postgresql://nobody@127.0.0.1:1/none"
    fails(run(tmp_path, *arguments, TRAGHETTO_DATABASE_URL=away), 1, "does not answer")
    (tmp_path / "traghetto.db").touch()
    fails(run(tmp_path, *arguments), 1, "not of this version", "traghetto migrate")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["traghetto.db"]

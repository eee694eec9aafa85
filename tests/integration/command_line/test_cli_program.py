"""The installed program `traghetto`, as people and scripts run it: real processes, real pipes, a tiny real model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import toy_corpus
from cli_kit import PROGRAM, TIMEOUT_S, Ended, as_program, in_process, succeeded, terminal_output
from cli_kit import failed as fails

CONFIGS = Path(__file__).parents[3] / "training" / "configs"
ODD = (
    "Il gatto.", "", "   ", "a\u2028b\u0085c", "con CR\r", "NUL \0 qui", "😀😀😀", "à" * 3000, "42", "ciao " * 400,
)  # fmt: skip


def variables(data_dir: Path | None) -> dict[str, str]:
    """Variables that name the data directory."""
    return {"TRAGHETTO_DATA_DIR": str(data_dir)} if data_dir else {}


def environment(data_dir: Path) -> dict[str, str]:
    return {**os.environ, **variables(data_dir)}


def run(
    *arguments: str | Path, data_dir: Path | None = None, stdin: str | bytes = "", cwd: Path | None = None
) -> Ended:
    return as_program(*arguments, stdin=stdin, cwd=cwd, **variables(data_dir))


def here(*arguments: str | Path, data_dir: Path | None = None, cwd: Path | None = None) -> Ended:
    """As `run`, in this process."""
    return in_process(*arguments, cwd=cwd, **variables(data_dir))


# --- translate -----------------------------------------------------------------------------------------------------


def test_translate_gives_one_line_for_each_odd_line(tiny_data_dir: Path) -> None:
    lines = [line.encode() for line in ODD] + [b"byte \xff\xfe rotti", b"ultima senza a capo"]
    result = run("translate", "--pair", "it-en", data_dir=tiny_data_dir, stdin=b"\n".join(lines))
    answers = succeeded(result).split("\n")
    assert answers.pop() == ""
    assert len(answers) == len(lines)
    assert len("\n".join(answers).splitlines()) == len(lines), "an answer holds a character that ends a line elsewhere"
    assert [i for i, line in enumerate(lines) if not line.strip()] == [i for i, line in enumerate(answers) if not line]
    assert answers[8] == "42"


def test_words_of_the_command_line_are_lines_in_the_place_of_stdin(tiny_data_dir: Path, tmp_path: Path) -> None:
    words = ("Il gatto.", "", "- Domani piove.", "Perché no?")
    said = run("translate", "--pair", "it-en", "--", *words, data_dir=tiny_data_dir, stdin="Non letto.\n")
    piped = run("translate", "--pair", "it-en", data_dir=tiny_data_dir, stdin="".join(f"{line}\n" for line in words))
    assert succeeded(said) == succeeded(piped) != ""
    written = tmp_path / "out"
    succeeded(run("translate", "--pair", "it-en", "--output", written, words[0], data_dir=tiny_data_dir))
    assert written.read_text() == succeeded(piped).partition("\n")[0] + "\n"


@pytest.mark.native
@pytest.mark.weights
@pytest.mark.parametrize("beam", ["1", "4"])
def test_translate_needs_no_torch_where_decode_c_decodes(tmp_path: Path, beam: str) -> None:
    """To import it takes longer than all the rest until the first line."""
    code = "import sys; sys.modules['torch'] = None; from app.cli import main; main()"
    command = [sys.executable, "-c", code, "translate", "--pair", "it-en", "--beam", beam]
    done = subprocess.run(
        command, input="Il gatto dorme.\n" * 300, capture_output=True, text=True, env=environment(tmp_path),
        timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 300), done.stderr


def test_translate_keeps_order_and_the_answer_depends_on_the_line_alone(tiny_data_dir: Path) -> None:
    lines = [f"Il gatto numero {number} dorme sul divano." for number in range(40)]
    command = ("translate", "--pair", "it-en", "--device", "cpu", "--model-version", "second")
    forward = run(*command, data_dir=tiny_data_dir, stdin="\n".join(lines)).stdout.splitlines()
    backward = run(*command, data_dir=tiny_data_dir, stdin="\n".join(lines[::-1])).stdout.splitlines()
    assert len(forward) == len(lines)
    assert forward == backward[::-1]


def test_translate_answers_line_by_line_and_ends_with_its_input(tiny_data_dir: Path) -> None:
    command = [str(PROGRAM), "translate", "--pair", "it-en", "--beam", "2"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(tiny_data_dir)
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(b"Quanto costa?\n")
            process.stdin.flush()
            assert process.stdout.readline().endswith(b"\n"), "no answer while the input stays open"
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(TIMEOUT_S) == 0


def test_a_reader_that_leaves_is_no_error(tiny_data_dir: Path) -> None:
    command = f"yes 'Il gatto dorme.' | {PROGRAM} translate --pair it-en | head -n 1"
    result = subprocess.run(
        ["bash", "-c", command], capture_output=True, env=environment(tiny_data_dir), timeout=TIMEOUT_S, check=False
    )
    assert result.stdout.count(b"\n") == 1
    assert result.stderr == b""


def test_interrupt_ends_with_status_130(tiny_data_dir: Path) -> None:
    command = [str(PROGRAM), "translate", "--pair", "it-en"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tiny_data_dir)
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"Ciao.\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 130
        assert b"Traceback" not in process.stderr.read()


def test_progress_goes_to_a_terminal_on_stderr_and_nowhere_else(tiny_data_dir: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_text("Il gatto dorme sul divano.\n" * 5)
    leader, follower = os.openpty()
    with source.open() as stdin, target.open("w") as stdout:
        command = [str(PROGRAM), "translate", "--pair", "it-en"]
        process = subprocess.Popen(
            command, stdin=stdin, stdout=stdout, stderr=follower, env={**environment(tiny_data_dir), "TERM": "xterm"}
        )
        os.close(follower)
        shown = terminal_output(leader)
        assert process.wait(TIMEOUT_S) == 0
    assert "5 lines" in shown
    assert "100%" in shown
    assert len(target.read_bytes().split(b"\n")) == 6


def test_a_person_at_a_terminal_is_told_what_answers(tiny_data_dir: Path) -> None:
    leader, follower = os.openpty()
    with subprocess.Popen(
        [str(PROGRAM), "translate", "--pair", "it-en", "--model-version", "second"],
        stdin=follower, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tiny_data_dir),
    ) as process:  # fmt: skip
        os.close(follower)
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"it-en/second on cpu")
        os.write(leader, "Perché?\n".encode())
        assert process.stdout.readline().endswith(b"\n")
        os.write(leader, b"\x04")
        assert process.wait(TIMEOUT_S) == 0
    os.close(leader)


@pytest.mark.parametrize(
    ("options", "told"), [((), b"(bf16"), (("--route", "fp32"), b"(fp32"), (("--route", "auto"), b"(bf16")]
)
def test_the_route_of_the_command_line_goes_before_the_setting(
    tiny_data_dir: Path, options: tuple[str, ...], told: bytes
) -> None:
    leader, follower = os.openpty()
    os.write(leader, b"\x04")
    result = subprocess.run(
        [str(PROGRAM), "translate", "--pair", "it-en", "--device", "cpu", *options], stdin=follower,
        capture_output=True, env={**environment(tiny_data_dir), "TRAGHETTO_ROUTE": "bf16"},
        timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    os.close(follower)
    os.close(leader)
    assert result.returncode == 0, result.stderr.decode()
    assert told in result.stderr


def test_translate_refuses_what_it_cannot_do(tiny_data_dir: Path) -> None:
    translate = ("translate", "--pair")
    fails(here(*translate, "en-xx", data_dir=tiny_data_dir), 1, "there is no version default of en-xx", "it-en/second")
    fails(here(*translate, "italian", data_dir=tiny_data_dir), 2, "not a language pair", "it-en")
    fails(here(*translate, "it-en", "--beam", "0", data_dir=tiny_data_dir), 2, "--beam", "greater than or equal to 1")
    fails(here(*translate, "it-en", "--device", "tpu", data_dir=tiny_data_dir), 2, "--device")
    fails(here(*translate, "it-en", "--route", "fp8", data_dir=tiny_data_dir), 2, "--route")
    fails(here(*translate, "it-en", "--model-version", "../..", data_dir=tiny_data_dir), 1, "not a version name")
    fails(here("translate", data_dir=tiny_data_dir), 2, "--pair")
    file = Path(__file__)
    named = here(*translate, "it-en", file.name, data_dir=tiny_data_dir, cwd=file.parent)
    fails(named, 2, "is a file", f"--input {file.name}")
    fails(here(*translate, "it-en", "ciao", "--input", file, data_dir=tiny_data_dir), 2, "--input", "words of")
    fails(here(*translate, "it-en", "ciao", "--resume", data_dir=tiny_data_dir), 2, "--resume", "words of")


def test_a_damaged_model_is_named(tiny_data_dir: Path, tmp_path: Path) -> None:
    source = tiny_data_dir / "models" / "it-en" / "default"
    folder = tmp_path / "models" / "it-en" / "default"
    folder.mkdir(parents=True)
    for path in source.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "model.safetensors").write_bytes(b"cut")
    result = run("translate", "--pair", "it-en", data_dir=tmp_path, stdin="Ciao.\n")
    fails(result, 1, "model.safetensors", "SHA-256")


# --- the others ------------------------------------------------------------------------------------------------------


def test_models_list_and_show(tiny_data_dir: Path) -> None:
    listed = json.loads(here("models", "list", "--json", "--pair", "it-en", data_dir=tiny_data_dir).stdout)
    ours = {entry["version"]: entry for entry in listed if str(tiny_data_dir) in entry["folder"]}
    assert set(ours) == {"default", "second"}
    assert ours["second"]["card"]["scores"]["test"]["bleu"] == 25.0
    table = here("models", "list", data_dir=tiny_data_dir).stdout
    assert "second" in table
    assert "25.0" in table
    shown = json.loads(here("models", "show", "it-en", "second", data_dir=tiny_data_dir).stdout)
    assert shown["version"] == "second"
    assert set(shown["files"]) == {"model.safetensors", "config.json", "source.model", "target.model"}
    fails(here("models", "show", "it-en", "third", data_dir=tiny_data_dir), 1, "no version third of it-en")


def test_evaluate_scores_a_file(tiny_data_dir: Path, tmp_path: Path) -> None:
    source, reference = tmp_path / "source", tmp_path / "reference"
    source.write_text("Il gatto dorme.\nQuanto costa?\n")
    reference.write_text("The cat sleeps.\nHow much is it?\n")
    command = ("evaluate", "--pair", "it-en", "--src", source, "--ref", reference)
    result = run(*command, "--json", "--beam", "2", data_dir=tiny_data_dir)
    scores = json.loads(succeeded(result))
    assert scores["sentences"] == 2
    assert 0 <= scores["chrf"] <= 100
    assert "version:" in scores["bleu_signature"]
    reference.write_text("The cat sleeps.\n")
    fails(here(*command, data_dir=tiny_data_dir), 2, "2 lines", "1")


def test_evaluate_finds_its_own_sets_wherever_it_runs(tiny_data_dir: Path, tmp_path: Path) -> None:
    command = ("evaluate", "--pair", "it-en", "--challenge", "--alignment", "--limit", "3")
    found = json.loads(succeeded(here(*command, "--against", "second", "--json", data_dir=tiny_data_dir, cwd=tmp_path)))
    assert found["challenge"]["items"] == found["challenge_against"]["items"] == 3
    assert found["alignment"]["sentences"] == 3
    shown = here(*command, data_dir=tiny_data_dir, cwd=tmp_path)
    assert "phenomenon" in shown.stdout
    assert shown.stderr == "", "a bar where nobody looks"
    missing = ("evaluate", "--pair", "it-en", "--set", "tatoeba.tset", "--data", tmp_path)
    fails(here(*missing, data_dir=tiny_data_dir), 2, "no set tatoeba.tset for it-en", "general, challenge")


def test_fetched_pairs_can_be_trained_on(tmp_path: Path) -> None:
    """A file that somebody downloaded by hand becomes tables with the names that the settings use."""
    lines = [
        f"{english}\t{italian}\tCC-BY 2.0 (France) Attribution: tatoeba.org" for italian, english in toy_corpus.pairs()
    ]
    (tmp_path / "ita.txt").write_text("\n".join(lines))
    result = run("data", "fetch", "anki", "--url", "ita.txt", "--out", "data", cwd=tmp_path)
    succeeded(result)
    assert {path.name for path in (tmp_path / "data").glob("*.gz")} == {
        f"tatoeba.{part}.tsv.gz" for part in ("train", "dev", "test")
    }
    fails(
        here("data", "fetch", "anki", "--url", "none.zip", "--out", "other", cwd=tmp_path),
        1,
        "there is no file none.zip",
    )
    wrong = ("data", "fetch", "anki", "--url", "ita.txt", "--out", "other", "--sha256", "0" * 64)
    fails(here(*wrong, cwd=tmp_path), 1, "SHA-256", "expected 0000")


def test_train_writes_a_version_that_translates(tmp_path: Path) -> None:
    """From a table of pairs to an answer, by commands alone; four steps teach it nothing."""
    toy_corpus.write(tmp_path / "data")
    settings = (CONFIGS / "tiny.toml").read_text().replace("vocab_size = 400", "vocab_size = 320")
    (tmp_path / "tiny.toml").write_text(settings)
    shown = here("data", "table", "tiny.toml", "--data", "data", cwd=tmp_path)
    assert f"{len(toy_corpus.pairs())}" in succeeded(shown)
    out = tmp_path / "var" / "models"
    result = run("train", "tiny.toml", "--data", "data", "--out", out, "--max-steps", "4", cwd=tmp_path)
    assert succeeded(result).strip() == str(out / "it-en" / "tiny")
    command = ("translate", "--pair", "it-en", "--model-version", "tiny")
    answer = run(*command, data_dir=tmp_path / "var", stdin="Vedo il gatto.\n")
    assert succeeded(answer).count("\n") == 1


def test_migrate_makes_the_embedded_database_twice_over(tmp_path: Path) -> None:
    for how in (run, here):
        assert "up to date" in succeeded(how("migrate", data_dir=tmp_path / "new"))
    assert (tmp_path / "new" / "traghetto.db").is_file()


def test_migrate_names_the_database_but_not_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAGHETTO_DATABASE_URL", "postgresql://somebody:secret@127.0.0.1:1/nothing")
    result = here("migrate")
    fails(result, 1, "cannot migrate", "127.0.0.1:1/nothing")
    assert "secret" not in result.stderr


def test_serve_refuses_the_world_without_a_key(tmp_path: Path) -> None:
    fails(run("serve", "--host", "0.0.0.0", data_dir=tmp_path), 2, "TRAGHETTO_ADMIN_KEY")


def test_misspelt_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAGHETTO_DATA_DRI", "somewhere")
    fails(here("models", "list"), 2, "TRAGHETTO_DATA_DRI", "did you mean TRAGHETTO_DATA_DIR")


def test_train_and_evaluate_name_what_is_missing(tmp_path: Path) -> None:
    fails(here("train", tmp_path / "no.toml"), 2, "no.toml")
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("learning_rte = 1\n")
    fails(here("train", wrong, "--data", tmp_path, cwd=tmp_path), 2, "learning_rte")
    fails(here("evaluate", "--pair", "it-en", "--src", tmp_path / "no", "--ref", wrong), 2, "--src")


def test_help_and_version_are_complete() -> None:
    assert run("--version").stdout.startswith("traghetto 0.")
    shown = run("--help").stdout
    for command in ("translate", "serve", "migrate", "train", "evaluate", "models", "data"):
        assert command in shown
    fails(here("tranlsate"), 2, "translate")

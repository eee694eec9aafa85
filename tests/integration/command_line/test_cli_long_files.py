"""`traghetto translate` of long files: ended at any moment and gone on with, in constant memory; what can go wrong."""

from __future__ import annotations

import gzip
import os
import random
import re
import shlex
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest
from cli_kit import PROGRAM, TIMEOUT_S, Ended, as_program, in_process, succeeded, terminal_output
from cli_kit import failed as fails
from patience import wait_until

SENTENCES = ("Il gatto dorme sul divano.", "Quanto costa questo libro?", "", "42", "Non so perché non è venuta!")
ODD = "\n".join(
    f"{sentence} {number}" for number in range(600) for sentence in SENTENCES
).encode() + random.Random(1).randbytes(5000)  # fmt: skip


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of some 3,000 lines, the last of them odd."""
    path = tmp_path_factory.mktemp("long") / "lines.it"
    path.write_bytes(ODD)
    return path


@pytest.fixture(scope="module")
def expected(lines: Path, tiny_data_dir: Path) -> bytes:
    """Their translation, by stdin and stdout."""
    done = subprocess.run(
        command(), input=lines.read_bytes(), capture_output=True, env=environment(tiny_data_dir), timeout=TIMEOUT_S,
        check=True,
    )  # fmt: skip
    return done.stdout


def command(*options: str | Path) -> list[str]:
    return [str(PROGRAM), "translate", "--pair", "it-en", "--device", "cpu", *map(str, options)]


def environment(data_dir: Path) -> dict[str, str]:
    return {**os.environ, "TRAGHETTO_DATA_DIR": str(data_dir)}


def progress_of(output: Path) -> Path:
    return output.with_name(f"{output.name}.progress.json")


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def begun(data_dir: Path, lines: Path, output: Path, size: int, *options: str) -> subprocess.Popen[bytes]:
    """The program, once `output` has more than `size` bytes."""
    process = subprocess.Popen(
        command("--input", lines, "--output", output, *options), stderr=subprocess.PIPE, env=environment(data_dir),
        start_new_session=True,
    )  # fmt: skip
    wait_until(
        lambda: size_of(output) > size or process.poll() is not None, f"{output.name} grows beyond {size}", TIMEOUT_S
    )
    return process


def test_there_is_a_line_for_each_line(expected: bytes) -> None:
    assert expected.count(b"\n") == ODD.count(b"\n") + 1


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_it_goes_on_where_it_was(
    tiny_data_dir: Path, lines: Path, expected: bytes, tmp_path: Path, seed: int
) -> None:
    output, moments = tmp_path / "lines.en", random.Random(seed)
    for _ in range(3):
        size = moments.randint(0, len(expected) * 9 // 10)
        process = begun(tiny_data_dir, lines, output, size, "--resume")
        process.kill()
        process.communicate(timeout=TIMEOUT_S)
        written = output.read_bytes()
        assert expected.startswith(written)
        assert written == expected or progress_of(output).exists()
    ended = as_program(*command("-i", lines, "-o", output, "--resume")[1:], TRAGHETTO_DATA_DIR=str(tiny_data_dir))
    succeeded(ended)
    assert output.read_bytes() == expected
    assert not progress_of(output).exists()


def test_interrupted_it_says_how_to_go_on(tiny_data_dir: Path, lines: Path, expected: bytes, tmp_path: Path) -> None:
    output = tmp_path / "lines.en"
    with begun(tiny_data_dir, lines, output, 0) as process:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it, to all processes
        assert process.stderr is not None
        said = process.stderr.read().decode()
        assert process.wait(TIMEOUT_S) == 130
    assert "--resume" in said and "Traceback" not in said
    written = output.read_bytes()
    assert expected.startswith(written) and written.endswith(b"\n"), "a torn line, though nothing was killed"


def test_a_full_disk_is_told_and_gone_on_from(
    tiny_data_dir: Path, lines: Path, expected: bytes, tmp_path: Path
) -> None:
    """A limit on the size of files does what a full disk does: it leaves a torn line."""
    output = tmp_path / "lines.en"
    line = f"ulimit -f 20; exec {shlex.join(command('-i', lines, '-o', output))}"
    limited = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, env=environment(tiny_data_dir), timeout=TIMEOUT_S,
        check=False,
    )  # fmt: skip
    fails(Ended(limited.returncode, limited.stdout, limited.stderr), 1, f"{output}: File too large")
    assert output.read_bytes() == expected[: 20 * 1024]
    succeeded(as_program(*command("-i", lines, "-o", output, "--resume")[1:], TRAGHETTO_DATA_DIR=str(tiny_data_dir)))
    assert output.read_bytes() == expected


def test_only_one_writes_a_file(tiny_data_dir: Path, lines: Path, tmp_path: Path) -> None:
    output = tmp_path / "lines.en"
    with begun(tiny_data_dir, lines, output, 0) as process:
        process.send_signal(signal.SIGSTOP)
        try:
            second = as_program(
                *command("-i", lines, "-o", output, "--resume")[1:], TRAGHETTO_DATA_DIR=str(tiny_data_dir)
            )
        finally:
            process.kill()
    fails(second, 1, "another process is writing it")


def peak_mib(pid: int) -> float:
    """The most memory that the process and its children have had, together."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    status = "".join(Path(f"/proc/{each}/status").read_text() for each in (pid, *children))
    return sum(int(found) for found in re.findall(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)) / 1024


def test_memory_does_not_grow_with_the_input(tiny_data_dir: Path, tmp_path: Path) -> None:
    numbers, output = tmp_path / "numbers.it", tmp_path / "numbers.en"
    numbers.write_text(f"{'1' * 100}\n" * 60_000)  # copied, and so quick
    with begun(tiny_data_dir, numbers, output, 1_000_000) as process:
        early = peak_mib(process.pid)
        wait_until(lambda: size_of(output) > 4_000_000, "it goes on", TIMEOUT_S)
        process.send_signal(signal.SIGSTOP)  # or it is gone before it is looked at
        late = peak_mib(process.pid)
        process.send_signal(signal.SIGCONT)
        assert process.wait(TIMEOUT_S) == 0
    assert late < early + 4, f"{early} MiB after 1 MB, {late} MiB after 4 MB"


def test_the_bar_counts_what_was_done_before(tiny_data_dir: Path, lines: Path, expected: bytes, tmp_path: Path) -> None:
    output = tmp_path / "lines.en"
    with begun(tiny_data_dir, lines, output, len(expected) // 4) as process:
        process.kill()
    leader, follower = os.openpty()
    process = subprocess.Popen(
        command("-i", lines, "-o", output, "--resume"), stderr=follower,
        env={**environment(tiny_data_dir), "TERM": "xterm", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(follower)
    shown = terminal_output(leader)
    assert process.wait(TIMEOUT_S) == 0
    count = expected.count(b"\n")
    assert f"{count:,} lines" in shown and "/s" in shown and "100%" in shown
    assert output.read_bytes() == expected


def test_gzip_files_are_unpacked_and_packed(tiny_data_dir: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.gz", tmp_path / "out.GZ"
    source.write_bytes(gzip.compress(b"42\n\n43") + gzip.compress(b"4\n"))
    succeeded(as_program(*command("-i", source, "-o", target)[1:], TRAGHETTO_DATA_DIR=str(tiny_data_dir)))
    assert gzip.decompress(target.read_bytes()) == b"42\n\n434\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.gz", "out.GZ"]


def test_documents_have_files_too(tiny_data_dir: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "page.html", tmp_path / "seite.html"
    source.write_text("<p>Il gatto</p>\n")
    succeeded(as_program(*command("-f", "html", "-i", source, "-o", target)[1:], TRAGHETTO_DATA_DIR=str(tiny_data_dir)))
    assert target.read_text().startswith("<p>")


def test_files_that_would_be_lost_are_refused(tmp_path: Path) -> None:
    source, target = tmp_path / "lines.it", tmp_path / "lines.en"
    source.write_text("Ciao.\n")
    target.write_text("Hello.\n")
    run = partial(in_process, "translate", "--pair", "it-en")
    both = ("-i", source, "-o", target)
    fails(run(*both), 2, "is there", "--resume", "--force")
    fails(run("-i", source, "-o", source, "--force"), 2, "it is the input")
    for options in (("-i", source), ("-o", target), (*both, "--force"), (*both, "--split", "auto"),
                    ("-i", source, "-o", tmp_path / "lines.gz")):  # fmt: skip
        fails(run(*options, "--resume"), 2, "--resume", "it needs --input and --output")
    fails(run("-i", tmp_path), 2, "--input", "is a directory")
    fails(run("-i", source, "-o", tmp_path), 2, "--output", "is a directory")
    fails(run("-i", tmp_path / "none"), 2, "--input", "does not exist")
    assert (source.read_text(), target.read_text()) == ("Ciao.\n", "Hello.\n")


def test_another_beam_does_not_go_on_but_begins_anew(tiny_data_dir: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "lines.it", tmp_path / "lines.en"
    source.write_text("42\n" * 5)
    target.write_text("42\n" * 2)
    run = partial(as_program, *command("-i", source, "-o", target)[1:], TRAGHETTO_DATA_DIR=str(tiny_data_dir))
    fails(run("--resume"), 1, "nobody can tell how it was begun")
    succeeded(run("--force", "--beam", "2"))
    assert target.read_text() == "42\n" * 5
    succeeded(run("--resume"))  # it is complete


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_what_cannot_be_written_or_read_is_named(tiny_data_dir: Path, tmp_path: Path) -> None:
    for redirected, told in (("> /dev/full", "standard output: No space left"), ("<&-", "standard input: Bad file"),
                             (f"-o {tmp_path}/none/lines", "none/lines: No such file")):  # fmt: skip
        line = f"echo 42 | {' '.join(command())} {redirected}"
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, env=environment(tiny_data_dir), timeout=TIMEOUT_S,
            check=False,
        )  # fmt: skip
        fails(Ended(done.returncode, done.stdout, done.stderr), 1, "traghetto: error:", told)

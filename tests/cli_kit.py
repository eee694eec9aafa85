"""`traghetto` for tests: as the installed program, or in this process where it is not the process that is tested.

A process of its own takes a second or two, most of it to import torch.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from app import cli

PROGRAM = Path(sys.executable).parent / "traghetto"
TIMEOUT_S = 120
WIDE = {"COLUMNS": "200"}
"""So that no path is broken in two."""


@dataclass(frozen=True)
class Ended:
    """What a run of the command line left: the names are those of `subprocess.CompletedProcess`."""

    returncode: int
    stdout: str
    stderr: str


def as_program(*arguments: str | Path, stdin: str | bytes = "", cwd: Path | None = None, **environment: str) -> Ended:
    """Run the installed program, with `environment` added to this one's."""
    done = subprocess.run(
        [str(PROGRAM), *map(str, arguments)], input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True, cwd=cwd,
        env={**os.environ, **environment}, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


def in_process(*arguments: str | Path, stdin: str = "", cwd: Path | None = None, **environment: str) -> Ended:
    """Run the same entry here, with streams of its own; what it changes in this process is put back."""
    status: object = 0
    with _restored(), contextlib.chdir(cwd or Path()), CliRunner().isolation(stdin, WIDE | environment) as streams:
        sys.argv = ["traghetto", *map(str, arguments)]
        try:
            cli.main()
        except SystemExit as ended:
            status = ended.code or 0
        stdout, stderr = (stream.getvalue().decode() for stream in streams[:2])
    assert isinstance(status, int), status
    return Ended(status, stdout, stderr)


@contextlib.contextmanager
def _restored() -> Iterator[None]:
    """Arguments, environment and the threads of torch afterwards as before."""
    arguments, environment = sys.argv, dict(os.environ)
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    try:
        yield
    finally:
        sys.argv = arguments
        os.environ.clear()
        os.environ.update(environment)
        if torch:
            torch.set_num_threads(threads)


def succeeded(result: Ended) -> str:
    """The stdout of a run that must have gone well."""
    assert result.returncode == 0, result.stderr
    return result.stdout


def failed(result: Ended, status: int, *words: str, stdout: str | None = "") -> None:
    """Check that a run ended with `status` and told `words` in plain text; `stdout` None: it may say anything there."""
    said = " ".join(result.stderr.split())
    assert result.returncode == status, said
    assert stdout is None or result.stdout == stdout
    assert "Traceback" not in said
    for word in words:
        assert word in said, said


def terminal_output(leader: int) -> str:
    """All that was written to a pseudo-terminal whose other end is closed."""
    pieces = []
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while piece := os.read(leader, 65536):
            pieces.append(piece)
    os.close(leader)
    return b"".join(pieces).decode()

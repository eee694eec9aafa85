"""`make check-native` where it cannot run: it says why, and fails where it would watch nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.check_native import is_watched, runtime, watched

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_native.py"


def check(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The script where no program is found but those in `folder`."""
    environment = {**os.environ, "PATH": str(folder), **variables}
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def compiler(path: Path, files: dict[str, Path]) -> None:
    """A compiler that compiles nothing: it says where its `files` are and, like real ones, repeats other names."""
    cases = "".join(f"-print-file-name={name}) echo {place} ;;\n" for name, place in files.items())
    path.write_text(f'#!/bin/sh\ncase "$1" in\n{cases}-print-file-name=*) echo "${{1#*=}}" ;;\n*) exit 1 ;;\nesac\n')
    path.chmod(0o755)


@pytest.mark.parametrize(("required", "status", "word"), [("", 0, "skipped"), ("corpus,native", 1, "cannot run")])
def test_without_a_compiler(tmp_path: Path, required: str, status: int, word: str) -> None:
    done = check(tmp_path, TRAGHETTO_REQUIRE=required)
    assert done.returncode == status, "CI would pass with the C code unwatched" if status else "a laptop cannot check"
    assert done.stdout.startswith(f"check-native: {word}: "), done.stdout + done.stderr


@pytest.mark.parametrize("name", ["libclang_rt.asan-x86_64.so", "libclang_rt.asan.so"])
def test_clang_may_lay_out_its_sanitizers_either_way(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    compiler(tmp_path / "clang", {name: tmp_path / name})
    assert runtime("clang") is None, "it is where it would be, and nothing is there"
    (tmp_path / name).touch()
    assert runtime("clang") == tmp_path / name


def test_a_clang_without_its_sanitizers_is_told_apart_for_ci(tmp_path: Path) -> None:
    """Distributions ship them apart: CI must install them, not be content that there is a compiler."""
    compiler(tmp_path / "clang", {})
    done = check(tmp_path, "--runtime", "clang")
    assert (done.returncode, done.stdout) == (1, "clang is not here with its sanitizers\n")


@pytest.mark.native
def test_what_cannot_be_compiled_is_not_passed(tmp_path: Path) -> None:
    """Yesterday's sanitized library may still lie there, or none: the tests would run something else."""
    (tmp_path / "libasan.so").touch()
    compiler(tmp_path / "gcc", {"libasan.so": tmp_path / "libasan.so"})
    compiler(tmp_path / "clang", {})
    done = check(tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[0] == "check-native: clang is here without its sanitizers, so gcc it is"
    assert done.stdout.splitlines()[-1] == "check-native: gcc cannot compile the C code"


def test_a_sanitizer_that_is_not_loaded_is_noticed(tmp_path: Path) -> None:
    """ld.so says that it cannot load a preloaded library, and goes on without."""
    assert not is_watched(watched(tmp_path / "libasan.so")), "the usual library would be tested, with nobody watching"

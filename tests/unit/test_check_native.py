"""`make check-native` where it cannot run: it says why, and fails only where it must not be left out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_native.py"


@pytest.mark.parametrize(("required", "status", "word"), [("", 0, "skipped"), ("corpus,native", 1, "cannot run")])
def test_without_a_compiler(tmp_path: Path, required: str, status: int, word: str) -> None:
    environment = {**os.environ, "PATH": str(tmp_path), "TRAGHETTO_REQUIRE": required}
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == status, "CI would pass with the C code unwatched" if status else "a laptop cannot check"
    assert done.stdout.startswith(f"check-native: {word}: "), done.stdout + done.stderr

"""Files that no test can run here (there may be no Docker): checked against their schema, a linter, and each other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def check_compose(path: Path) -> subprocess.CompletedProcess[str]:
    tool = str(TOOLS / "check-jsonschema")
    return run(tool, "--builtin-schema", "vendor.compose-spec", str(path))


def test_compose_file_follows_the_compose_specification() -> None:
    result = check_compose(ROOT / "docker-compose.yml")
    assert result.returncode == 0, result.stdout


def test_the_compose_check_can_fail(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text((ROOT / "docker-compose.yml").read_text().replace("healthcheck:", "healthchek:"))
    assert check_compose(wrong).returncode != 0


def test_dockerfile_has_no_findings() -> None:
    result = run(str(TOOLS / "hadolint"), "Dockerfile")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    "word", ["USER 10001", "HEALTHCHECK", "/health/ready", 'ENTRYPOINT ["traghetto"]', "make install"]
)
def test_dockerfile_keeps_its_promises(word: str) -> None:
    assert word in (ROOT / "Dockerfile").read_text()


def copied() -> set[str]:
    """What the build stage of the Dockerfile copies from the repository."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    return {name for line in lines if line.startswith("COPY ") and "--from" not in line for name in line.split()[1:-1]}


def test_what_is_copied_exists_and_is_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied() == sent
    assert [name for name in sorted(sent) if not (ROOT / name).exists()] == []


def test_image_holds_everything_that_the_program_imports() -> None:
    assert {"app", "model", "training", "migrations", "constraints.txt", "pyproject.toml"} <= copied()


def test_ci_entry_is_executable_and_parses() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert run("bash", "-n", ".ci/run").returncode == 0

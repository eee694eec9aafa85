"""What a model card says of each table: its hash, and licence and origin where `sources.tsv` knows them."""

from __future__ import annotations

import functools
import hashlib
import subprocess
from pathlib import Path

from training.data.ordinary import PREFIX

SOURCES = Path(__file__).with_name("sources.tsv")
OURS = {"licence": "Apache-2.0, as the program", "from": "written for this project"}
"""What is said of the tables that come with the program."""
GIT_TIMEOUT_S = 5.0


def describe(name: str, path: Path) -> dict[str, str]:
    """SHA-256 of the table at `path`, and `licence` and `from` if a table of this `name` is listed or ours."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": digest, **(OURS if name.startswith(PREFIX) else _listed().get(name, {}))}


@functools.cache
def _listed() -> dict[str, dict[str, str]]:
    lines = SOURCES.read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return {name: {"licence": licence, "from": origin} for name, licence, origin in rows}


def commit() -> str | None:
    """The commit of this program, if it lies in a checkout of git; marked where files differ from it."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

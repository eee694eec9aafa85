"""Migrations are history: they do the same for ever, whatever becomes of the code."""

from __future__ import annotations

from pathlib import Path

VERSIONS = Path(__file__).parents[2] / "migrations" / "versions"


def test_no_migration_imports_what_may_change() -> None:
    files = sorted(VERSIONS.glob("*.py"))
    assert files
    guilty = [file.name for file in files if "from app" in file.read_text() or "import app" in file.read_text()]
    assert guilty == [], "copy what it needs into the migration"

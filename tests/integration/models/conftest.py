"""What tests of retraining by HTTP are given."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def control(tmp_path: Path) -> Path:
    """The folder that says what the stand-in for a retraining does."""
    folder = tmp_path / "control"
    folder.mkdir()
    return folder

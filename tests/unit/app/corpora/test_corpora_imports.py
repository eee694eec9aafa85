"""What a corpus needs is loaded when there is one."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "imported", ["app.cli", "app.corpora.run, app.corpora.sharing.cluster, app.corpora.files.table"]
)
def test_nothing_of_the_extra_is_imported_before_it_is_needed(imported: str) -> None:
    code = f"import sys, {imported}; print(*set('ray pyarrow fsspec s3fs zstandard numpy'.split()) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []

"""A plugin of pytest: how much of the code the tests ran, said in a few lines at the end of a run with `--cov`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage
from coverage.exceptions import NoDataError

WANTED_PERCENT = 80.0
"""Files below this are named."""


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The total, and the files of which much was not run; pytest-cov has combined the workers' data by now."""
    if not config.getoption("cov_source", None):
        return
    terminalreporter.section("coverage")
    try:
        lines = summary(measured(config.rootpath))
    except NoDataError:  # a run that was interrupted
        lines = ["nothing was measured"]
    for line in lines:
        terminalreporter.write_line(line)


def measured(folder: Path) -> dict[str, Any]:
    """What coverage.py reports of the data file in `folder`, as its JSON has it."""
    coverage = Coverage(config_file=folder / "pyproject.toml", data_file=folder / ".coverage")
    coverage.load()
    with tempfile.NamedTemporaryFile("r", encoding="utf-8", suffix=".json") as report:
        coverage.json_report(outfile=report.name)
        return dict(json.load(report))


def summary(report: dict[str, Any]) -> list[str]:
    """A line for each file below WANTED_PERCENT, the least first, and one for all together."""
    shares = {name: file["summary"]["percent_covered"] for name, file in report["files"].items()}
    low = sorted((share, name) for name, share in shares.items() if share < WANTED_PERCENT)
    totals = report["totals"]
    of_all = f"{totals['covered_lines']} of {totals['num_statements']} statements in {len(shares)} files"
    return [*(f"{share:5.1f} %  {name}" for share, name in low), f"{totals['percent_covered']:5.1f} %  {of_all}"]

"""The file of figures, the page, and what has become slower."""

import json
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.__main__ import NOTHING_TO_COMPARE, SLOWER, SUITES, compare, main, write
from benchmarks.results import check, goals, machine, page, record
from benchmarks.results.figures import Figure
from benchmarks.results.record import FILE, FOLDER, Run
from benchmarks.results.tables import number, table

OPUS_MT = goals.OPUS_MT
MACHINE = {
    "kind": "avx2", "processor": "Some CPU", "flags": ["avx2", "fma"], "cores": 2, "system": "Linux",
    "python": "3.11.7", "ctranslate2": "4.8.5", "numpy": "2.4.6", "torch": None, "commit": "abc", "date": "2026-11-29",
}  # fmt: skip


def figures(ours: float, *, case: str = "32", unit: str = "sentences/s") -> list[Figure]:
    """Ours, and a peer that does 10 a second or waits 10 ms."""
    return [
        Figure("decode", goals.GREEDY, "Traghetto", case, unit, (ours, ours)),
        Figure("decode", goals.GREEDY, OPUS_MT, case, unit, (10.0, 10.0), yardstick=True),
    ]


def run(found: list[Figure], kind: str = "avx2") -> Run:
    return Run({**MACHINE, "kind": kind}, "int8, decode.c", 1, 2, 1.0, found)


def test_the_file_keeps_runs_of_all_kinds_a_figure_a_line(tmp_path: Path) -> None:
    runs = {"avx2": run(figures(80.0)), "avx512_vnni": run(figures(120.0), "avx512_vnni")}
    record.write(tmp_path / FILE, runs)
    assert record.read(tmp_path / FILE) == runs
    lines = (tmp_path / FILE).read_text(encoding="utf-8").splitlines()
    assert sum('"program"' in line for line in lines) == 4
    assert all(line.count('"program"') <= 1 for line in lines)


def test_no_file_is_no_run(tmp_path: Path) -> None:
    assert record.read(tmp_path / FILE) == {}


def test_a_new_run_replaces_that_of_its_kind_only(tmp_path: Path) -> None:
    for found in (run(figures(1.0)), run(figures(120.0), "avx512_vnni"), run(figures(80.0))):
        write(found, tmp_path)
    assert record.read(tmp_path / FILE) == {
        "avx2": run(figures(80.0)), "avx512_vnni": run(figures(120.0), "avx512_vnni"),
    }  # fmt: skip
    text = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert [text.count(f"**{times} x**") for times in ("8.00", "12.0", "0.100")] == [1, 1, 0]


def test_a_table_has_a_column_for_each_case_and_ratios_below() -> None:
    found = [*figures(80.0, case="1"), *figures(5.0, case="1", unit="ms (p50)"), *figures(1234.0, case="8")]
    assert table(found).splitlines() == [
        "|  |  | 1 | 8 |",
        "|---|---|---:|---:|",
        "| Traghetto | sentences/s | 80.0 | 1,234 |",
        "| Traghetto | ms (p50) | 5.00 |  |",
        f"| {OPUS_MT} | sentences/s | 10.0 | 10.0 |",
        f"| {OPUS_MT} | ms (p50) | 10.0 |  |",
        f"| **Traghetto : {OPUS_MT}** | sentences/s | **8.00 x** | **123 x** |",
    ]


def test_ratios_of_waiting_are_shown_where_there_is_no_rate() -> None:
    assert (
        table(figures(5.0, unit="ms (p50)")).splitlines()[-1]
        == f"| **Traghetto : {OPUS_MT}** | ms (p50) | **2.00 x** |"
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [(12345.6, "12,346"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.054, "0.054"), (0.0, "0.000")],
)
def test_numbers_have_three_digits_or_so(value: float, shown: str) -> None:
    assert number(value) == shown


def test_goals_say_what_was_reached() -> None:
    found = [
        Figure("decode", goals.BEAM, "Traghetto", "32", "sentences/s", (80.0, 90.0)),
        Figure("decode", goals.BEAM, OPUS_MT, "32", "sentences/s", (10.0, 10.0), yardstick=True),
        Figure("decode", goals.GREEDY, "Traghetto", "1", "ms (p50)", (2.0, 2.0)),
        Figure("decode", goals.GREEDY, OPUS_MT, "1", "ms (p50)", (30.0, 30.0), yardstick=True),
        Figure("memory", "resident memory", "Traghetto", "traghetto serve, 200 translations each way", "MB", (501.0,)),
    ]
    assert goals.goals(found, "avx2").splitlines()[2:] == [
        "| everyday lines, beam 4, batches of 32 | ≥ 8.00 x | 8.50 x | yes |",
        "| one sentence: its latency is so many times ours | ≥ 20.0 x | 15.0 x | **no** |",
        "| one worker with both directions | ≤ 500 MB | 501 MB | **no** |",
    ]


def test_a_goal_for_one_kind_of_processor_is_not_shown_for_others() -> None:
    found = [
        Figure("command-line", goals.FILE, program, goals.EVERYDAY, goals.LATER, (value,), program == OPUS_MT)
        for program, value in (("Traghetto", 80.0), (OPUS_MT, 10.0))
    ]
    rows = {kind: goals.goals(found, kind).count(" x | 8.00 x |") for kind in ("avx2", "avx512_vnni")}
    assert rows == {"avx2": 2, "avx512_vnni": 1}


def test_every_suite_is_explained() -> None:
    assert set(SUITES) <= set(page.SUITES)


def test_the_committed_page_is_that_of_the_committed_figures() -> None:
    """And all goals were measured: a table or a case that has another name now would be left out in silence."""
    runs = record.read(FOLDER / FILE)
    if runs:
        assert page.page(runs) == (FOLDER / "benchmarks.md").read_text(encoding="utf-8"), "write it by make bench"
    for kind, one in runs.items():
        rows = goals.goals(one.figures, kind).splitlines()[2:]
        assert len(rows) == sum(goal.only in ("", kind) for goal in goals.GOALS), kind


CPUINFO = """processor\t: 0
model name\t: AMD EPYC: a processor
flags\t\t: fpu avx2 fma {}sse2
bugs\t\t:

processor\t: 1
model name\t: another
flags\t\t: fpu
"""


@pytest.mark.parametrize(
    ("more", "flags", "kind"),
    [("", ["avx2", "fma"], "avx2"), ("avx512f avx512_vnni ", ["avx2", "fma", "avx512f", "avx512_vnni"], "avx512_vnni")],
)
def test_the_first_core_says_what_kind_it_is(more: str, flags: list[str], kind: str) -> None:
    assert machine.read_processor(CPUINFO.format(more)) == ("AMD EPYC: a processor", flags)
    assert machine.kind(flags) == kind


def test_this_machine_can_be_described() -> None:
    told = json.loads(json.dumps(machine.describe()))
    assert told["cores"] >= 1
    assert told["kind"]


def test_a_processor_that_is_held_back_counts_as_the_lesser_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in machine.HELD_TO_AVX2:
        monkeypatch.setenv(variable, "")  # and when this test is over, all are as before
    monkeypatch.setattr(machine, "read_processor", lambda cpuinfo: ("AMD EPYC", ["avx2", "avx512_vnni"]))
    assert (machine.describe()["kind"], machine.describe()["held"]) == ("avx512_vnni", False)
    machine.hold_to_avx2()
    assert (machine.describe()["kind"], machine.describe()["held"]) == ("avx2", True)
    monkeypatch.setattr(machine, "read_processor", lambda cpuinfo: ("AMD EPYC", ["avx2"]))
    assert (machine.describe()["kind"], machine.describe()["held"]) == ("avx2", False)


def test_changes_are_told_worst_first_and_tails_are_not_compared() -> None:
    before = [*figures(100.0), *figures(100.0, case="8"), *figures(100.0, case="64"), *figures(1.0, unit="ms (p95)")]
    now = [*figures(90.0), *figures(50.0, case="8"), *figures(1.0, case="1"), *figures(9.0, unit="ms (p95)")]
    found = check.changes(now, before)
    assert [(change.place[2], round(change.factor, 3)) for change in found] == [("8", 0.5), ("32", 0.9)]
    told = f"decode, {goals.GREEDY}, 8: Traghetto is 50% worse: 10.0 x {OPUS_MT}, now 5.00 x (sentences/s)"
    assert str(found[0]) == told


def test_all_peers_and_units_count_alike() -> None:
    """A peer that was disturbed makes less of a change than ours."""
    other = Figure("decode", goals.GREEDY, "another", "32", "sentences/s", (10.0, 10.0), yardstick=True)
    slower = replace(other, values=(20.0, 20.0))
    (change,) = check.changes([*figures(100.0), slower], [*figures(100.0), other])
    assert change.factor == pytest.approx(0.5**0.5)


def test_a_slow_machine_is_no_change() -> None:
    slow = [replace(figure, values=tuple(value / 3 for value in figure.values)) for figure in figures(100.0)]
    assert [change.factor for change in check.changes(slow, figures(100.0))] == [pytest.approx(1.0)]


def test_tolerance_is_the_same_both_ways() -> None:
    before = [
        *figures(100.0, case="1"),
        *figures(100.0, case="8"),
        *figures(100.0, case="32"),
        *figures(100.0, case="2"),
    ]
    now = [*figures(79.0, case="1"), *figures(81.0, case="8"), *figures(124.0, case="32"), *figures(126.0, case="2")]
    worse, better = check.beyond(check.changes(now, before), 0.2)
    assert [change.place[2] for change in worse] == ["1"]
    assert [change.place[2] for change in better] == ["2"]


@pytest.mark.parametrize(
    ("rounds", "status", "told"),
    [
        ([79.0, 78.0], SLOWER, "Traghetto is 21% worse: 10.0 x"),
        ([79.0, 81.0], 0, "0 worse by more than 20%, 0 better"),
        ([81.0], 0, "1 cases beside those of 2026-11-29 (Some CPU, commit abc): 0 worse by more than 20%"),
        ([130.0], 0, "1 better"),
    ],
)
def test_what_is_slower_twice_fails(rounds: list[float], status: int, told: str) -> None:
    said, asked = StringIO(), []

    def measured(names: Sequence[str]) -> Run:
        asked.append(list(names))
        return run(figures(rounds[len(asked) - 1]))

    console = Console(file=said, width=300)
    assert compare(run(figures(100.0)), measured, ["decode", "train"], 0.2, console) == status
    assert told in said.getvalue()
    assert asked == [["decode", "train"], ["decode"]][: len(rounds)]


def test_nothing_in_common_is_no_success() -> None:
    said = StringIO()
    found = compare(run(figures(1.0)), lambda names: run(figures(1.0, case="7")), ["decode"], 0.2, Console(file=said))
    assert found == NOTHING_TO_COMPARE
    assert "0 cases" in said.getvalue()


def test_without_figures_of_such_a_processor_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record.write(tmp_path / FILE, {"another kind": run(figures(100.0), "another kind")})
    monkeypatch.setattr("benchmarks.__main__.FOLDER", tmp_path)
    monkeypatch.setattr("sys.argv", ["benchmarks", "--check"])
    assert main() == NOTHING_TO_COMPARE
    assert f"no figures of a processor of the kind {machine.describe()['kind']}" in capsys.readouterr().err

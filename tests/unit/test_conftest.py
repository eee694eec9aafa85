"""The mechanism that keeps a skipped test from passing for a run one."""

import re
from pathlib import Path

import pytest

CONFTEST = re.sub(
    "^pytest_plugins = .*",
    "",
    (Path(__file__).parents[1] / "conftest.py").read_text(encoding="utf-8"),
    flags=re.MULTILINE,
)
MARKED = """
import pytest

@pytest.mark.corpus
def test_marked():
    pass

def test_fixture(corpus_dir):
    assert corpus_dir.is_dir()

def test_plain():
    pass
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with this conftest, two tests that need the corpus and one that does not."""
    for variable in ("TRAGHETTO_REQUIRE", "TRAGHETTO_CORPUS_DIR"):
        monkeypatch.delenv(variable, raising=False)
    pytester.makeconftest(CONFTEST)
    pytester.makeini(
        "[pytest]\naddopts = -p no:asyncio\nmarkers =\n    corpus: x\n    postgres: x\n    browser: x\n    long: x\n"
    )
    pytester.makepyfile(MARKED)
    return pytester


def test_absent_need_is_skipped_with_the_reason(inner: pytest.Pytester) -> None:
    result = inner.runpytest_inprocess("-rs")
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines(["*needs corpus: TRAGHETTO_CORPUS_DIR is not set*"])


@pytest.mark.parametrize("workers", ["0", "2"])
def test_absent_need_fails_when_required(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str) -> None:
    monkeypatch.setenv("TRAGHETTO_REQUIRE", "postgres, corpus")
    result = inner.runpytest_subprocess("-n", workers)
    assert result.ret != 0, "a required part was missing and the run still passed"
    outcomes = result.parseoutcomes()
    assert outcomes.get("skipped", 0) == 0
    assert outcomes["passed"] == 1
    result.stdout.fnmatch_lines(["*TRAGHETTO_REQUIRE names corpus, but TRAGHETTO_CORPUS_DIR is not set*"])


def test_present_need_runs(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tatoeba.test.tsv.gz").touch()
    monkeypatch.setenv("TRAGHETTO_REQUIRE", "corpus")
    monkeypatch.setenv("TRAGHETTO_CORPUS_DIR", str(tmp_path))
    inner.runpytest_inprocess().assert_outcomes(passed=3)


def test_misspelt_requirement_stops_the_run(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAGHETTO_REQUIRE", "postgre")
    result = inner.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*TRAGHETTO_REQUIRE names postgre; known: corpus, postgres*"])


def test_parallel_runs_begin_with_what_takes_long_and_close_with_the_line_that_ci_looks_for(
    inner: pytest.Pytester,
) -> None:
    inner.makepyfile(
        test_order="import os, pytest\n"
        "def test_short(): assert os.environ['OMP_NUM_THREADS'] == '1'\n"
        "@pytest.mark.long\n"
        "def test_long(): pass\n"
    )
    result = inner.runpytest_subprocess("-n", "1", "--dist", "worksteal", "-v", "test_order.py")
    result.stdout.fnmatch_lines(["*PASSED*::test_long*", "*PASSED*::test_short*", "*2 passed in *s*"])


def test_missing_browser_is_named(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAGHETTO_TEST_CHROMIUM", "/nowhere/chromium")
    inner.makepyfile(test_of_a_page="import pytest\n@pytest.mark.browser\ndef test_page(): pass\n")
    result = inner.runpytest_inprocess("-rs", "test_of_a_page.py")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*needs browser: no Chromium*"])


def test_random_numbers_repeat(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        test_seed="import random\n"
        "seen = []\n"
        "import pytest\n"
        "@pytest.mark.parametrize('again', range(2))\n"
        "def test_same(again):\n"
        "    seen.append(random.random())\n"
        "    assert len(set(seen)) == 1\n"
    )
    inner.runpytest_inprocess("test_seed.py").assert_outcomes(passed=2)

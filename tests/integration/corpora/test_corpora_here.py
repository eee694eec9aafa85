"""`traghetto translate` of a corpus on this machine: every kind of file, killed at any moment, and what is refused."""

from __future__ import annotations

import gzip
import json
import os
import signal
from functools import partial
from pathlib import Path

import pytest
from cli_kit import TIMEOUT_S, as_program, in_process, succeeded
from cli_kit import failed as fails
from corpora_kit import COMMAND, arguments, begun, bytes_below, lines_of, make_corpus, shards_of, started

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus") / "it")


@pytest.fixture(scope="module")
def expected(corpus: Path, tiny_data_dir: Path) -> dict[str, bytes]:
    """What a run without a break makes."""
    target = corpus.parent / "en"
    ended = as_program(*arguments(corpus, target, "--price-per-hour", "2"), TRAGHETTO_DATA_DIR=str(tiny_data_dir))
    succeeded(ended)
    assert "3,083 lines" in ended.stderr and "lines/s" in ended.stderr and "CPU-hours in all, for " in ended.stderr
    return bytes_below(target)


def run(data_dir: Path, *given: str | Path) -> object:
    return as_program(*given, TRAGHETTO_DATA_DIR=str(data_dir))


def test_each_file_has_its_own_line_for_line(corpus: Path, expected: dict[str, bytes]) -> None:
    assert set(expected) == set(bytes_below(corpus))
    assert expected["none.txt"] == b""
    assert expected["odd.it"].count(b"\n") == 3
    assert expected["long.txt"].count(b"\n") == 2500
    assert gzip.decompress(expected["more/packed.txt.gz"]) == b"".join(expected["long.txt"].splitlines(True)[:300])


def test_text_is_as_without_a_corpus(corpus: Path, expected: dict[str, bytes], tiny_data_dir: Path) -> None:
    for name in ("long.txt", "odd.it"):
        alone = in_process(
            "translate", "--pair", "it-en", "--beam", "1", "--input", corpus / name, "--output", corpus.parent / name,
            TRAGHETTO_DATA_DIR=str(tiny_data_dir), TRAGHETTO_TORCH_THREADS="1",
        )  # fmt: skip
        succeeded(alone)
        assert (corpus.parent / name).read_bytes() == expected[name]


def test_of_objects_and_rows_all_else_stays(corpus: Path, expected: dict[str, bytes]) -> None:
    import pyarrow.parquet
    import zstandard

    translations = expected["long.txt"].decode().split("\n")
    before = (corpus / "objects.jsonl").read_text().splitlines()
    after = expected["objects.jsonl"].decode().splitlines()
    assert [line[: len(old) - 1] + "}" for line, old in zip(after, before, strict=True)] == before
    assert [json.loads(line)["translation"] for line in after] == translations[:90]
    packed = zstandard.ZstdDecompressor().decompressobj().decompress(expected["more/objects.ndjson.zst"])
    assert packed == expected["objects.jsonl"]
    old = pyarrow.parquet.ParquetFile(corpus / "more/table.parquet")
    new = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(expected["more/table.parquet"]))
    assert new.num_row_groups == 2 and new.metadata.row_group(0).column(0).compression == "ZSTD"
    assert new.read().drop_columns("translation") == old.read()
    assert new.schema_arrow.metadata[b"by"] == b"us"
    wanted = [text or None for text in translations[:100]]
    assert new.read()["translation"].to_pylist() == wanted


def test_a_process_that_is_killed_loses_nothing(
    corpus: Path, expected: dict[str, bytes], tiny_data_dir: Path, tmp_path: Path
) -> None:
    with started(tiny_data_dir, arguments(corpus, tmp_path / "en")) as process:
        for shards in (3, 12):
            begun(process, tmp_path / "en", shards)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            os.kill(int(children[0]), signal.SIGKILL)
        assert process.wait(TIMEOUT_S) == 0
        assert process.stderr is not None and b"Traceback" not in process.stderr.read()
    assert bytes_below(tmp_path / "en") == expected


def test_the_whole_program_is_killed_and_goes_on(
    corpus: Path, expected: dict[str, bytes], tiny_data_dir: Path, tmp_path: Path
) -> None:
    target = tmp_path / "en"
    for shards in (2, 15):
        with started(tiny_data_dir, arguments(corpus, target)) as process:
            begun(process, target, shards)
            process.kill()
    kept = {path: path.stat().st_mtime_ns for path in shards_of(target)}
    assert kept
    run_again = partial(as_program, TRAGHETTO_DATA_DIR=str(tiny_data_dir))
    fails(run_again(*arguments(corpus, target, "--beam", "2")), 1, "it was begun otherwise: beam 1, now 2", "--force")
    fails(run_again(*arguments(corpus, target, "--field", "t")), 1, "field text, now t")
    assert {path: path.stat().st_mtime_ns for path in shards_of(target) if path in kept} == kept
    succeeded(run_again(*arguments(corpus, target)))
    assert bytes_below(target) == expected


def test_what_is_done_is_not_done_again(tiny_data_dir: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "it", tmp_path / "en"
    source.mkdir()
    (source / "a.txt").write_text("42\n43\n")
    again = partial(in_process, TRAGHETTO_DATA_DIR=str(tiny_data_dir), TRAGHETTO_TORCH_THREADS="1")
    succeeded(again(*arguments(source, target)))
    fails(again(*arguments(source, target)), 1, "a.txt is there", "--force writes it anew")
    ended = again(*arguments(source, target, "--resume"))
    succeeded(ended)
    assert "is there already" in ended.stderr
    (source / "a.txt").write_text("44\n")
    succeeded(again(*arguments(source, target, "--force")))
    assert bytes_below(target) == {"a.txt": b"44\n"}


def test_a_bad_line_is_named_and_may_be_kept(tiny_data_dir: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text('{"text": "42"}\n' * 50 + "{oh\n" + '{"text": "43"}')
    again = partial(in_process, TRAGHETTO_DATA_DIR=str(tiny_data_dir), TRAGHETTO_TORCH_THREADS="1")
    fails(again(*arguments(source, tmp_path / "b.jsonl")), 1, "a.jsonl, line 51: it is not JSON", "--bad-lines keep")
    ended = again(*arguments(source, tmp_path / "b.jsonl", "--bad-lines", "keep"))
    succeeded(ended)
    assert "a.jsonl, line 51: it is not JSON" in ended.stderr and "1 lines could not be translated" in ended.stderr
    done = (tmp_path / "b.jsonl").read_text().splitlines()
    assert done[50:] == ["{oh", '{"text": "43", "translation": "43"}'] and len(done) == 52
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "b.jsonl"]


def test_an_input_that_was_changed_is_told(tiny_data_dir: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "it", tmp_path / "en"
    source.mkdir()
    (source / "a.txt").write_text("\n".join(lines_of(8000)))
    with started(tiny_data_dir, arguments(source, target)) as process:
        begun(process, target, 2)
        process.kill()
    (source / "a.txt").write_text("42\n")
    (source / "b.txt").write_text("42\n")
    again = partial(in_process, TRAGHETTO_DATA_DIR=str(tiny_data_dir), TRAGHETTO_TORCH_THREADS="1")
    fails(again(*arguments(source, target)), 1, "input b.txt is new; input a.txt was changed", "now 3)")
    succeeded(again(*arguments(source, target, "--force")))
    assert bytes_below(target) == {"a.txt": b"42\n", "b.txt": b"42\n"}


def test_only_one_writes_an_output(corpus: Path, tiny_data_dir: Path, tmp_path: Path) -> None:
    with started(tiny_data_dir, arguments(corpus, tmp_path / "en")) as process:
        begun(process, tmp_path / "en", 1)
        process.send_signal(signal.SIGSTOP)
        try:
            second = in_process(*arguments(corpus, tmp_path / "en"), TRAGHETTO_DATA_DIR=str(tiny_data_dir))
        finally:
            process.kill()
    fails(second, 1, "another process is writing it")


def test_what_does_not_go_together_is_refused(corpus: Path, tmp_path: Path) -> None:
    run = partial(in_process, *COMMAND[:3])
    (tmp_path / "none").mkdir()
    (tmp_path / "a.txt").write_text("Ciao.\n")
    fails(run("--input", corpus), 2, "--input", "is a directory", "it needs an --output")
    fails(run("--input", corpus, "--output", corpus / "en"), 1, "the output must not lie in the input")
    fails(run("--input", corpus, "--output", tmp_path / "a.txt"), 1, "it is a file, but the input is a folder")
    fails(run("--input", tmp_path / "none", "--output", tmp_path / "en"), 1, "there are no files in it")
    fails(run("--input", corpus, "--output", tmp_path / "en", "--resume", "--force"), 2, "--resume")
    fails(run("--input", corpus, "--output", tmp_path / "en", "--to-field", "text"), 2, "--to-field")
    fails(run("--input", corpus, "--output", tmp_path / "en", "--format", "html"), 2, "--input", "is a directory")
    fails(run("--field", "it"), 2, "--field", "it goes with a corpus")

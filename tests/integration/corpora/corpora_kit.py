"""A small corpus of our own, in every kind of file, and the program that translates it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path

from cli_kit import PROGRAM, TIMEOUT_S
from patience import wait_until

SENTENCES = ("Il gatto dorme sul divano.", "Quanto costa questo libro?", "", "42", "Non so perché non è venuta!")
COMMAND = ("translate", "--pair", "it-en", "--device", "cpu", "--beam", "1", "--shard-lines", "40")


def lines_of(count: int) -> list[str]:
    """So many lines, most of them different."""
    return [f"{SENTENCES[number % 5]} {number}".strip() if number % 5 != 2 else "" for number in range(count)]


def make_corpus(folder: Path) -> Path:
    """Text, JSON lines, Parquet, packed files, an empty one, in two folders; the last line of one has no end."""
    import pyarrow
    import pyarrow.parquet
    import zstandard

    (folder / "more").mkdir(parents=True)
    lines = lines_of(300)
    objects = "".join(json.dumps({"n": number, "text": line}) + "\n" for number, line in enumerate(lines[:90]))
    (folder / "long.txt").write_text("\n".join(lines_of(2500)))
    (folder / "odd.it").write_bytes(b"Ciao\xff\r\n\xef\xbb\xbfil gatto\x0b\n\n")
    (folder / "none.txt").touch()
    (folder / "objects.jsonl").write_text(objects)
    (folder / "more/packed.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    (folder / "more/objects.ndjson.zst").write_bytes(zstandard.compress(objects.encode()))
    cells = [None if line == "" else line for line in lines[:100]]
    table = pyarrow.table({"text": cells, "n": list(range(100))}, metadata={"by": "us"})
    pyarrow.parquet.write_table(table, folder / "more/table.parquet", row_group_size=60, compression="zstd")
    return folder


def arguments(source: Path | str, target: Path | str, *more: str) -> list[str]:
    """Of the program, in the process of the test or in one of its own."""
    return [*COMMAND, "--input", str(source), "--output", str(target), *more]


def bytes_below(folder: Path) -> dict[str, bytes]:
    """Every file, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def shards_of(target: Path) -> list[Path]:
    """The shards that are done."""
    return [path for path in target.glob("_traghetto/*/*-*") if not path.name.startswith(".")]


def started(data_dir: Path, arguments: list[str], **environment: str) -> subprocess.Popen[bytes]:
    """The program, in a process group of its own."""
    return subprocess.Popen(
        [str(PROGRAM), *arguments], stderr=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "TRAGHETTO_DATA_DIR": str(data_dir), "TRAGHETTO_TORCH_THREADS": "2", **environment},
    )  # fmt: skip


def begun(process: subprocess.Popen[bytes], target: Path, shards: int) -> None:
    """Wait until so many shards are done, and not all."""
    wait_until(
        lambda: len(shards_of(target)) >= shards or process.poll() is not None, f"{shards} shards are there", TIMEOUT_S
    )
    assert process.poll() is None, "it ended before it could be disturbed"

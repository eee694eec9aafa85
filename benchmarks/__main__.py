"""`make bench`: how fast the shipped model is, alone and over HTTP, beside CTranslate2 in the same run.

Machines are shared and noisy, so every round measures all programs one after the other, the median of the rounds is
shown, and the ratios are what counts. All search greedily. CTranslate2 gets the whole list and sorts it by itself; its
sources have as many tokens as ours, and its outputs our mean length.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.peer import OPUS_MT, as_large_as
from benchmarks.sentences import mean_words, sentences
from benchmarks.speed import BATCHES, Ours, Results, Theirs
from model.text.tokenizer import Tokenizer
from model.translator import Translator
from model.versions.store import BUNDLED, find, load

CLIENTS = 64
SERVER_BATCH = 64
"""What 64 clients can fill; the throughput over HTTP is compared with the bare translator's at this batch, too."""
PEER_SHARE = 8
"""CTranslate2 gets this part of the sentences: it takes several times as long for each."""


@contextlib.contextmanager
def server(data_dir: str) -> Iterator[str]:
    """The address of `traghetto serve` in a process of its own, ready to translate."""
    command = [str(Path(sys.executable).with_name("traghetto")), "serve", "--port", "0"]
    environment = {**os.environ, "TRAGHETTO_DATA_DIR": data_dir}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            lines = iter(process.stderr or ())
            address = next((found[1] for line in lines if (found := re.search(r"listens on (http://\S+)", line))), None)
            if address is None or not any("models ready" in line for line in lines):
                raise SystemExit("the server did not start")
            yield address
        finally:
            process.terminate()


def ask(url: str, texts: Sequence[str]) -> dict[str, float]:
    """What `CLIENTS` clients see that send each of `texts` once."""
    command = [sys.executable, "-m", "benchmarks.load", url, "--clients", str(CLIENTS)]
    done = subprocess.run(command, input="\n".join(texts), capture_output=True, text=True, check=True, timeout=600)
    seen: dict[str, float] = json.loads(done.stdout)
    return seen


def run(count: int, rounds: int, console: Console) -> dict[str, Any]:
    """Measure everything `rounds` times."""
    version = load(find([BUNDLED], "it-en"))
    parameters = version.model.parameter_count()
    texts = sentences(count)
    ours = Ours(Translator.load(find([BUNDLED], "it-en"), "cpu"), parameters, texts)
    gc.collect()
    gc.freeze()  # as the server does: the libraries' objects need not be looked through again and again
    lengths = ours.translator.count_tokens(texts)
    output_length = _mean_length(version.target, [found.text for found in ours.translator.translate(texts)])
    console.print(
        f"{count:,} sentences of {mean_words(texts):.1f} words; tokens with end marks: {sum(lengths) / count:.1f} in, "
        f"{output_length} out; {rounds} rounds"
    )
    over_http: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        shapes = (OPUS_MT, as_large_as(parameters, version.config.target_vocab_size))
        peers = [
            Theirs(shape, Path(folder) / str(number), lengths, output_length) for number, shape in enumerate(shapes)
        ]
        for number in range(1, rounds + 1):
            console.print(f"round {number}", style="dim")
            ours.round(count)
            for peer in peers:
                peer.round(count // PEER_SHARE)
            with server(folder) as url:
                ask(url, texts[: count // PEER_SHARE])  # warm
                over_http.append(ask(url, texts))
    return {"programs": [ours.results, *(peer.best() for peer in peers)], "http": _medians(over_http)}


def _mean_length(tokenizer: Tokenizer, texts: Sequence[str]) -> int:
    """Mean tokens of a text with its end mark, rounded."""
    return round(statistics.mean(len(ids) + 1 for ids in tokenizer.encode_batch(texts)))


def _medians(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each figure; of what went wrong the sum."""
    return {
        name: sum(row[name] for row in rounds)
        if name in ("failed", "mixed_up", "answered")
        else statistics.median(row[name] for row in rounds)
        for name in rounds[0]
    }


def show(found: dict[str, Any], console: Console) -> None:
    """The tables."""
    table = Table(title="the translator alone, greedy", caption="sentences/s by batch size; latency of one sentence")
    table.add_column("program")
    for name in ("M parameters", *(f"batch {batch}" for batch in BATCHES), "p50 ms", "p95 ms"):
        table.add_column(name, justify="right")
    for program in found["programs"]:
        table.add_row(f"{program.name}\n[dim]{program.setting}", *_cells(program))
    ours, peer, *_ = found["programs"]
    rates = (f"{ours.rate(batch) / peer.rate(batch):.1f} x" for batch in BATCHES)
    latencies = (f"1/{peer.percentile_ms(share) / ours.percentile_ms(share):.1f}" for share in (0.5, 0.95))
    table.add_row("Traghetto : shape of OPUS-MT", "", *rates, *latencies, end_section=True)
    console.print(table)
    http = found["http"]
    console.print(
        f"over HTTP, {CLIENTS} clients that each wait for their answer: {http['sentences_per_s']:.0f} sentences/s, "
        f"p50 {http['p50_ms']:.0f} ms, p95 {http['p95_ms']:.0f} ms; {http['answered']:.0f} answered, "
        f"{http['failed']:.0f} failed, {http['mixed_up']:.0f} mixed up"
    )
    for batch in (SERVER_BATCH, BATCHES[-1]):
        console.print(f"  {http['sentences_per_s'] / ours.rate(batch):.0%} of the translator alone at batch {batch}")


def _cells(program: Results) -> list[str]:
    rates = (f"{program.rate(batch):,.0f}" for batch in BATCHES)
    latencies = (f"{program.percentile_ms(share):.1f}" for share in (0.5, 0.95))
    return [f"{program.parameters / 1e6:.1f}", *rates, *latencies]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sentences", type=int, default=2048, metavar="N", help="sentences a round [2048]")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="the median is shown [3]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    arguments = parser.parse_args()
    if arguments.sentences < 256 or arguments.rounds < 1:
        parser.error("at least 256 sentences and one round are needed")
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    found = run(arguments.sentences, arguments.rounds, console)
    show(found, console)
    if arguments.json:
        programs = [program.to_dict() for program in found["programs"]]
        text = json.dumps({"programs": programs, "http": found["http"]}, indent=2, ensure_ascii=False)
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

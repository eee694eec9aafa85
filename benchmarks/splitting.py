"""Libraries that split texts into sentences, beside each other: `python -m benchmarks.splitting`.

For each library that is installed: how many of our own cases (`cases/splitting.tsv`) it splits exactly; precision and
recall of the boundaries; how many cases of `cases/splitting-unseen.tsv`, written after our rules were, it splits
exactly; sentences per second; milliseconds and MiB from an empty process to the first answer; seconds for the worst of
some hostile texts of 20,000 characters. `traghetto` is our own splitter, rules included. The libraries
get one line at a time (line breaks always separate); their answers are compared without white space, since some change
it. docs/decisions/0004-sentence-splitting.md has the numbers.
"""

from __future__ import annotations

import argparse
import importlib
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.text.segments import Segment

Split = Callable[[str, str], Sequence[str]]
"""(line, language) -> sentences."""

CASES = Path(__file__).parent / "cases" / "splitting.tsv"
UNSEEN = CASES.with_name("splitting-unseen.tsv")
BOUNDARY = "¦"
HOSTILE_CHARS = 20_000
HOSTILE = {
    "words without a full stop": "parola ",
    "dots": ".",
    "one letter": "a",
    "short sentences": "ciao. ",
    "numbered": "1. ",
    "initials": "A. ",
    "opening quotes": "«",
    "quoted words": '"Dai!" ',
    "ellipses": "no... ",
}
TOO_SLOW_S = 20.0


@dataclass(frozen=True, slots=True)
class Case:
    """A text and the sentences it has, without the white space between them."""

    language: str
    kind: str
    text: str
    sentences: tuple[str, ...]


def read_cases(path: Path = CASES) -> list[Case]:
    """The cases of the file, in order."""
    cases = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            language, kind, field = line.split("\t")
            parts = field.replace("\\n", "\n").split(BOUNDARY)
            sentences = tuple(part.strip() for part in parts if part.strip())
            cases.append(Case(language, kind, "".join(parts), sentences))
    return cases


def _traghetto() -> Split:
    module = importlib.import_module("model.text.segments")
    return lambda text, language: with_marks(module.split(text, language, "lines"))


def _sentencex() -> Split:
    module = importlib.import_module("sentencex")
    return lambda text, language: list(module.segment(language, text))


def _pysbd() -> Split:
    module = importlib.import_module("pysbd")
    segmenters = {language: module.Segmenter(language=language, clean=False) for language in ("it", "en")}
    return lambda text, language: list(segmenters[language].segment(text))


def _sentence_splitter() -> Split:
    module = importlib.import_module("sentence_splitter")
    splitters = {language: module.SentenceSplitter(language) for language in ("it", "en")}
    return lambda text, language: list(splitters[language].split(text))


def _minisbd() -> Split:
    """Its model must lie in its cache: it fetches one from the network for each language."""
    module = importlib.import_module("minisbd")
    detectors = {language: module.SBDetect(language, use_gpu=False) for language in ("it", "en")}
    return lambda text, language: list(detectors[language].sentences(text))


def _blingfire() -> Split:
    module = importlib.import_module("blingfire")
    return lambda text, _: module.text_to_sentences(text).split("\n")


def _syntok() -> Split:
    module = importlib.import_module("syntok.segmenter")

    def split(text: str, _: str) -> list[str]:
        sentences = (sentence for paragraph in module.process(text) for sentence in paragraph)
        return ["".join(token.spacing + token.value for token in sentence) for sentence in sentences]

    return split


def _segtok() -> Split:
    module = importlib.import_module("segtok.segmenter")
    return lambda text, _: list(module.split_single(text))


CANDIDATES: dict[str, Callable[[], Split]] = {
    "traghetto": _traghetto,
    "sentencex": _sentencex,
    "pysbd": _pysbd,
    "sentence-splitter": _sentence_splitter,
    "minisbd": _minisbd,
    "blingfire": _blingfire,
    "syntok": _syntok,
    "segtok": _segtok,
}


def with_marks(segments: Iterable[Segment]) -> list[str]:
    """The sentences of `segments` with the list marks before them, which the cases take for a part of them."""
    sentences, mark = [], ""
    for segment in segments:
        if segment.text:
            sentences.append(f"{mark} {segment.text}".strip())
        mark = segment.separator_after.strip()
    return sentences


def boundaries(sentences: Sequence[str]) -> set[int]:
    """Where sentences begin, the first left out, counted in characters that are not white space."""
    starts, count = set(), 0
    for sentence in sentences:
        length = sum(not char.isspace() for char in sentence)
        if length and count:
            starts.add(count)
        count += length
    return starts


def by_line(split: Split) -> Split:
    """`split` on each line of a text."""
    return lambda text, language: [s for line in text.split("\n") if line.strip() for s in split(line, language)]


def accuracy(split: Split, cases: Sequence[Case]) -> tuple[list[Case], float, float]:
    """The cases that are not split exactly; precision and recall of the boundaries, each 0 to 1."""
    wrong, hits, found, wanted = [], 0, 0, 0
    for case in cases:
        got, expected = boundaries(split(case.text, case.language)), boundaries(case.sentences)
        if got != expected:
            wrong.append(case)
        hits, found, wanted = hits + len(got & expected), found + len(got), wanted + len(expected)
    return wrong, hits / max(found, 1), hits / wanted


def speed(split: Split, cases: Sequence[Case], seconds: float = 0.5) -> float:
    """Sentences per second over the cases again and again."""
    done, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        for case in cases:
            split(case.text, case.language)
        done += sum(len(case.sentences) for case in cases)
    return done / elapsed


def cold_start(name: str) -> tuple[float, float]:
    """Milliseconds and MiB that a new process needs from nothing to the first split text."""
    code = f"from benchmarks.splitting import first_use; first_use({name!r})"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    milliseconds, mebibytes = map(float, answer.stdout.split())
    return milliseconds, mebibytes


def first_use(name: str) -> None:
    """Print what `cold_start` reads."""
    before, start = _resident_mib(), time.perf_counter()
    CANDIDATES[name]()("Il dott. Rossi arriva alle 10.30. Poi riparte.", "it")
    print((time.perf_counter() - start) * 1000, _resident_mib() - before)


def _resident_mib() -> float:
    """Memory of this process. (`getrusage` gives a maximum, which a child inherits from its parent.)"""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def hostile(split: Split) -> Iterator[tuple[str, float]]:
    """Name and seconds of each hostile text; the rest is left out after one that takes far too long."""
    for name, part in HOSTILE.items():
        text = (part * (HOSTILE_CHARS // len(part) + 1))[:HOSTILE_CHARS]
        start = time.perf_counter()
        try:
            split(text, "it")
        except RecursionError:
            yield f"{name}: RecursionError", float("inf")
            return
        elapsed = time.perf_counter() - start
        yield name, elapsed
        if elapsed > TOO_SLOW_S:
            return


def report(name: str, cases: Sequence[Case], unseen: Sequence[Case], show_wrong: bool) -> None:
    """Print one line on `name`, and with `show_wrong` what it split wrongly."""
    try:
        split = by_line(CANDIDATES[name]())
    except ImportError:
        print(f"{name:18} not installed")
        return
    wrong, precision, recall = accuracy(split, cases)
    wrong_unseen = accuracy(split, unseen)[0]
    exact = {key: sum(c.language == key for c in cases) - sum(c.language == key for c in wrong) for key in ("it", "en")}
    start_ms, start_mib = cold_start(name)
    worst = max(hostile(split), key=lambda item: item[1])
    print(
        f"{name:18} {exact['it']:4} {exact['en']:4} {precision:9.3f} {recall:7.3f} {len(unseen) - len(wrong_unseen):7}"
        f" {speed(split, cases):12,.0f} {start_ms:7.0f} {start_mib:5.1f}   {worst[1]:.2f} s ({worst[0]})"
    )
    for case in [*wrong, *wrong_unseen] if show_wrong else ():
        got = f" {BOUNDARY} ".join(part.strip() for part in split(case.text, case.language))
        print(f"    {case.language} {case.kind}: {got}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="LIBRARY", help=f"of {', '.join(CANDIDATES)}; by default all")
    parser.add_argument("--wrong", action="store_true", help="show the cases that were split wrongly")
    arguments = parser.parse_args()
    cases, unseen = read_cases(), read_cases(UNSEEN)
    italian = sum(case.language == "it" for case in cases)
    print(f"{italian} Italian, {len(cases) - italian} English cases, {len(unseen)} unseen: exactly split, boundaries")
    print(
        f"{'library':18} {'it':>4} {'en':>4} {'precision':>9} {'recall':>7} {'unseen':>7}"
        f" {'sentences/s':>12} {'ms':>7} {'MiB':>5}   worst hostile text"
    )
    for name in arguments.names or CANDIDATES:
        report(name, cases, unseen, arguments.wrong)


if __name__ == "__main__":
    main()

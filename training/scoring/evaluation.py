"""`traghetto evaluate`: what is asked for -> translators and sets -> a report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from model.config import SearchConfig, require
from model.translator import Translator
from model.versions.card import Card
from model.versions.store import find
from training.data.pairs import read_pairs
from training.evaluate import record, version_roots
from training.scoring.alignment_error import AlignedPair, AlignmentReport, alignment_error, forced_links, read_aligned
from training.scoring.challenge import FORMS, ChallengeReport, Item, check, read_challenge, read_words
from training.scoring.diagnostics import words_of
from training.scoring.set_report import Parts, SetReport, Subject, report_set
from training.scoring.sets import (
    ALIGNED,
    CHALLENGE,
    GENERAL,
    TEXTS,
    WORDS,
    Collection,
    Corpus,
    Pairs,
    find_sets,
    read_general,
    read_parallel,
    read_table,
)
from training.scoring.texts import TextItem, TextsReport, check_texts, read_texts


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    pair: str
    version: str | None = None
    against: str | None = None
    """Another version of the pair, to compare with."""
    files: tuple[Path, Path] | None = None
    """Source and reference lines, in place of sets."""
    corpus: Path | None = None
    sets: tuple[str, ...] = ()
    """Names; none: what is usual and there."""
    limit: int | None = None
    """Only so many rows of each set."""
    breakdown: bool = False
    noise: bool = False
    with_aligned: bool = False
    """`aligned` is among the usual sets."""
    save: bool = False
    """Put the scores into the version's card."""
    beam: int = 1
    device: str = "auto"
    route: str = "auto"

    def __post_init__(self) -> None:
        require(not (self.files and self.sets), "name either files or sets, not both")
        require(not (self.save and self.limit), "scores of a part of a set are not saved: leave out the limit")


class Passes(NamedTuple):
    """What two versions pass of one set; `theirs` is None where there is nothing to compare with."""

    ours: ChallengeReport
    theirs: ChallengeReport | None


@dataclass
class Report:
    """What was found; a part that was not asked for is None or empty."""

    pair: str
    version: str
    against: str | None
    kernels: str
    """Device, number format and program."""
    beam: int
    sets: dict[str, SetReport] = field(default_factory=dict)
    passes: dict[str, Passes] = field(default_factory=dict)
    """Of CHALLENGE and WORDS."""
    texts: TextsReport | None = None
    alignment: AlignmentReport | None = None
    notes: list[str] = field(default_factory=list)
    """What was left out, and why."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        named = ("pair", "version", "against", "kernels", "beam", "notes")
        passes = {
            f"{name}{end}": one and one.to_dict()
            for name, both in self.passes.items()
            for end, one in (("", both.ours), ("_against", both.theirs))
        }
        parts = {
            **passes,
            "texts": self.texts and self.texts.to_dict(),
            "alignment": self.alignment and asdict(self.alignment),
        }
        return {
            **{name: getattr(self, name) for name in named},
            "sets": {name: one.to_dict() for name, one in self.sets.items()},
            **{name: part for name, part in parts.items() if part},
        }


def run(request: Request) -> Report:
    """Evaluate, with bars on stderr if that is a terminal.

    Raises:
        ConfigError: a set is not there or broken, or files do not fit together.
        VersionError: there is no such version, or it is damaged.
    """
    corpus = Corpus(request.corpus, request.pair) if request.corpus else None
    sets = _read(request, corpus)
    with _progress() as progress:
        subject = _subject(request, request.version, progress)
        other = _subject(request, request.against, progress) if request.against else None
        translator = subject.translator
        kernels = f"{translator.device}, {translator.kernels}"
        report = Report(request.pair, translator.version, request.against, kernels, request.beam, notes=sets.missing)
        words = _words(corpus, progress) if corpus and sets.scored and not request.files else None
        for name, pairs in sets.scored.items():
            collection = corpus.collection(name) if corpus and request.breakdown and not request.files else None
            parts = Parts(request.breakdown, request.noise, collection, words)
            report.sets[name] = report_set(name, pairs, subject, other, parts)
            report.notes += _notes(name, collection, report.sets[name])
        for name, items in sets.checked.items():
            report.passes[name] = Passes(_check(items, subject, name), _check(items, other, name) if other else None)
        if sets.texts:
            report.texts = check_texts(sets.texts, subject.translate([item.source for item in sets.texts], TEXTS))
        if sets.aligned:
            _align(sets.aligned, subject, report)
    if request.save:
        _save(report, request)
    return report


@dataclass(frozen=True)
class _Sets:
    """What is evaluated. All of it is read first, so that a broken row does not come to light after minutes."""

    scored: dict[str, Pairs]
    checked: dict[str, list[Item]] = field(default_factory=dict)
    texts: list[TextItem] = field(default_factory=list)
    aligned: list[AlignedPair] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def _read(request: Request, corpus: Corpus | None) -> _Sets:
    end = request.limit
    if request.files:
        return _Sets({request.files[0].stem: read_parallel(*request.files)[:end]})
    paths, missing = find_sets(request.pair, corpus, request.sets, request.with_aligned)
    readers = {CHALLENGE: (read_challenge, 1), WORDS: (read_words, len(FORMS))}
    checked = {
        name: read(paths.pop(name))[: end and end * items] for name, (read, items) in readers.items() if name in paths
    }
    texts = read_texts(paths.pop(TEXTS))[:end] if TEXTS in paths else []
    aligned = read_aligned(paths.pop(ALIGNED), request.pair)[:end] if ALIGNED in paths else []
    scored: dict[str, Pairs] = {
        name: (read_general(path) if name == GENERAL else read_table(path, request.pair))[:end]
        for name, path in paths.items()
    }
    return _Sets(scored, checked, texts, aligned, missing)


def _subject(request: Request, version: str | None, progress: Progress) -> Subject:
    translator = Translator.load(find(version_roots(), request.pair, version), request.device, request.route)
    return Subject(translator, SearchConfig(beam=request.beam), progress)


def _words(corpus: Corpus, progress: Progress) -> set[str]:
    """All words of the training tables."""
    found: set[str] = set()
    tables = corpus.training().values()
    for path in progress.track(tables, total=len(tables), description="words of the training tables"):
        found |= words_of(text for pair in read_pairs(path) for text in pair)
    return found


def _notes(name: str, collection: Collection | None, found: SetReport) -> list[str]:
    """What the corpus had not for a set."""
    notes = []
    if collection and not collection.training:
        notes.append(f"{name}: no training tables, so how near to training its sentences are is not known")
    if collection and not found.multi_reference:
        notes.append(f"{name}: the corpus has no second reference of any sentence")
    return notes


def _check(items: list[Item], subject: Subject, name: str) -> ChallengeReport:
    return check(items, subject.texts([item.source for item in items], name))


def _align(pairs: list[AlignedPair], subject: Subject, report: Report) -> None:
    if not subject.translator.config.attention_heads:
        report.notes.append(f"{report.version} has no attention, so that no alignment error can be given")
        return
    forced = subject.translate([pair.source for pair in pairs], ALIGNED, [pair.target for pair in pairs])
    report.alignment = alignment_error(pairs, [forced_links(*both) for both in zip(pairs, forced, strict=True)])


def _save(report: Report, request: Request) -> None:
    """Each set's scores under its name; a comparison says nothing about the version alone and is left out."""
    folder = find(version_roots(), request.pair, request.version)
    found = report.to_dict()
    scores = {name: {**values, "beam": report.beam} for name, values in found["sets"].items()}
    scores |= {name: found[name] for name in (CHALLENGE, WORDS, TEXTS, "alignment") if name in found}
    suffix = f", beam {report.beam}" if report.beam > 1 else ""
    for name, values in scores.items():
        kept = {key: value for key, value in values.items() if key not in ("against", "failures")}
        earlier = Card.read(folder).scores.get(name + suffix, {})
        record(folder, name + suffix, {**earlier, **kept})  # groups and noise stay where they were not asked for again


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
               TextColumn("left"), TimeRemainingColumn())  # fmt: skip
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

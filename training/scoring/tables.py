"""A report as tables for people, at most 100 columns wide."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from training.scoring.bootstrap import Difference, Estimate, Interval
from training.scoring.evaluation import Passes, Report
from training.scoring.set_report import CAPITALS, SetReport
from training.scoring.sets import CHALLENGE, WORDS
from training.scoring.texts import Tally, TextsReport

SCORES = ("BLEU", "95 %", "chrF", "95 %")
HEADINGS = {
    CHALLENGE: ("Challenge set: items passed", "phenomenon"),
    WORDS: ("Everyday words that are right", "form"),
}
"""Of what is right or wrong as a whole: the table's, and that of its first column."""


def title(report: Report) -> str:
    """What was evaluated."""
    search = "greedy" if report.beam == 1 else f"beam {report.beam}"
    return f"{report.pair}/{report.version} on {report.kernels}; {search}"


def tables(report: Report) -> Iterator[Table]:
    """One for each part that there is."""
    if report.sets:
        yield _scores(report)
        yield _slips(report)
    if report.sets and report.against:
        yield _against(report)
    for name, one in report.sets.items():
        if one.groups:
            yield _groups(name, one, one.groups)
        if one.noise:
            yield _noise(name, one.scores, one.noise)
    for name, passes in report.passes.items():
        yield _passes(report, *HEADINGS[name], passes)
    if report.texts:
        yield _texts(report.texts)
    if report.alignment:
        yield _alignment(report)


def remarks(report: Report) -> list[str]:
    """How the numbers were computed, and what is not among them."""
    signatures = {f"BLEU {one.bleu_signature}": None for one in report.sets.values()}
    signatures |= {f"chrF {one.chrf_signature}": None for one in report.sets.values()}
    return [*signatures, *report.notes]


def _scores(report: Report) -> Table:
    table = _table("Scores, 0 to 100", "set", "sentences", *SCORES, "seconds")
    for name, one in report.sets.items():
        table.add_row(name, f"{one.scores.sentences:,}", *_estimate(one.scores), f"{one.seconds:.1f}")
    return table


def _slips(report: Report) -> Table:
    names = (
        "repeated 3-grams",
        "length outliers",
        "copied lines",
        "copied words",
        "invented words",
        "wrong numbers",
    )
    table = _table("Slips in 1,000 lines; wrong numbers in 1,000 lines with digits", "set", *names, "of lines")
    for name, one in report.sets.items():
        found = one.diagnostics
        lines = found.repeated_trigrams, found.length_outliers, found.untranslated
        words = found.copied_words, found.invented_words
        shown = ("–" if rate is None else f"{rate:.1f}" for rate in (*lines, *words, found.number_mismatches))
        table.add_row(name, *shown, f"{found.lines_with_digits:,}")
    return table


def _against(report: Report) -> Table:
    table = _table(f"{report.version} against {report.against}, in points", "set", *("", "better by", "95 %", "p") * 2)
    for name, one in report.sets.items():
        if one.against:
            table.add_row(name, "BLEU", *_difference(one.against["bleu"]), "chrF", *_difference(one.against["chrf"]))
    return table


def _groups(name: str, one: SetReport, groups: dict[str, Estimate]) -> Table:
    table = _table(f"{name} in groups", "group", "sentences", *SCORES)
    for group, estimate in groups.items():
        table.add_row(group, f"{estimate.sentences:,}", *_estimate(estimate))
    if multi := one.multi_reference:
        sentences = multi.scores.sentences
        name = f"all, {multi.references:,} references ({multi.references / sentences:.2f} each)"
        table.add_row(name, f"{sentences:,}", *_estimate(multi.scores))
    return table


def _noise(name: str, clean: Estimate, noise: dict[str, Estimate]) -> Table:
    table = _table(f"{name}, typed carelessly", "copy", *SCORES, "BLEU lost", "chrF lost")
    for copy, estimate in noise.items():
        if copy == CAPITALS:
            table.add_row(f"{copy}, case not counted", *_estimate(estimate), "–", "–")
        else:
            lost = clean.bleu - estimate.bleu, clean.chrf - estimate.chrf
            table.add_row(copy, *_estimate(estimate), *(f"{points:.1f}" for points in lost))
    return table


def _passes(report: Report, heading: str, first: str, passes: Passes) -> Table:
    ours = passes.ours
    reports = [one for one in passes if one]
    versions = [report.version, *([report.against] if report.against else [])]
    table = _table(heading, first, "items", *(head for one in versions for head in (one, "%")))
    for name, (_, items) in ours.phenomena.items():
        cells = [cell for one in reports for cell in _passed(*one.phenomena[name])]
        table.add_row(name, str(items), *cells)
    table.add_section()
    table.add_row("all", str(ours.total[1]), *(cell for one in reports for cell in _passed(*one.total)))
    return table


def _texts(report: TextsReport) -> Table:
    table = _table("Texts as people write them", "kind", "items", "right", "%", "lost", "lost unsaid")
    for kind, tally in report.kinds.items():
        table.add_row(kind, *_tallied(tally))
    table.add_section()
    table.add_row("all", *_tallied(report.total))
    return table


def _tallied(tally: Tally) -> list[str]:
    return [str(tally.items), *_passed(tally.right, tally.items), str(tally.lost), str(tally.unsaid)]


def _alignment(report: Report) -> Table:
    table = _table("Alignment by attention", "error rate, %", "precision, %", "recall, %", "sentences", "left out")
    if found := report.alignment:
        rates = (f"{100 * rate:.1f}" for rate in (found.error_rate, found.precision, found.recall))
        table.add_row(*rates, str(found.sentences), str(found.left_out))
    return table


def _table(heading: str, first: str, *numbers: str) -> Table:
    table = Table(title=heading, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column(first)
    for column in numbers:
        table.add_column(column, justify="right")
    return table


def _estimate(estimate: Estimate) -> tuple[str, str, str, str]:
    bleu, chrf = f"{estimate.bleu:.1f}", f"{estimate.chrf:.1f}"
    return bleu, _interval(estimate.bleu_interval), chrf, _interval(estimate.chrf_interval)


def _interval(interval: Interval) -> str:
    return f"{interval[0]:.1f}–{interval[1]:.1f}"


def _difference(difference: Difference) -> tuple[str, str, str]:
    low, high = difference.interval
    return f"{difference.delta:+.1f}", f"{low:+.1f} to {high:+.1f}", f"{difference.p:.3f}"


def _passed(passed: int, items: int) -> tuple[str, str]:
    return str(passed), f"{100 * passed / items:.0f}"

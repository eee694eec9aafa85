"""Does attention point at the right words? The alignment error rate (Och and Ney 2003) on pairs aligned by hand.

The model is made to say the reference (a forced prefix), so that its alignment can be held against the people's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.config import require
from model.errors import ConfigError
from model.translation import Translation
from training.scoring.sets import read_rows

LINK = re.compile(r"(\d+)([-?])(\d+)")

Links = frozenset[tuple[int, int]]
"""(source word, target word), counted from 0 between spaces."""


@dataclass(frozen=True)
class AlignedPair:
    """Two sentences, and which words of them people link."""

    source: str
    target: str
    sure: Links
    possible: Links
    """Those that may be linked, the sure ones among them."""


@dataclass(frozen=True)
class AlignmentReport:
    """How well the model's links agree with the people's; all from 0 to 1."""

    error_rate: float
    """1 - (|A∩S| + |A∩P|) / (|A| + |S|); 0 at best."""
    precision: float
    """|A∩P| / |A|: how many links of the model are possible."""
    recall: float
    """|A∩S| / |S|: how many sure links it has."""
    sentences: int
    left_out: int
    """Sentences whose words the model cannot say as they are written."""


def read_aligned(path: Path, pair: str) -> list[AlignedPair]:
    """The rows of `aligned.tsv`: Italian, English, links `i-j` (sure) and `i?j` (possible), turned round for `en-it`.

    Raises:
        ConfigError: names the line that has other columns, a link that is none, or one to a word that is not there.
    """
    aligned = [_aligned(f"{path}, line {number}", *cells) for number, cells in read_rows(path, 3)]
    return [_turned(one) for one in aligned] if pair == "en-it" else aligned


def forced_links(pair: AlignedPair, translation: Translation) -> Links | None:
    """What the model links when it is made to say `pair.target`; what it says after that does not count.

    None if its words are not those of the target, or if the sentence was too long and was cut.
    """
    wanted = [unicodedata.normalize("NFKC", word) for word in pair.target.split()]
    said = [word.text for word in translation.words]
    # the last word may have grown: a full stop that the target lacks
    if translation.split or said[: len(wanted) - 1] != wanted[:-1] or len(said) < len(wanted):
        return None
    return frozenset(link for link in translation.alignment if link[1] < len(wanted))


def alignment_error(pairs: Sequence[AlignedPair], links: Sequence[Links | None]) -> AlignmentReport:
    """The error rate over all sentences together, but for those without `links`.

    Raises:
        ConfigError: no sentence is left.
    """
    both = [(pair, found) for pair, found in zip(pairs, links, strict=True) if found is not None]
    found_count = sum(len(found) for _, found in both)
    require(found_count > 0, "no sentence of the aligned set could be compared")
    sure_count = sum(len(pair.sure) for pair, _ in both)
    sure_found = sum(len(found & pair.sure) for pair, found in both)
    possible_found = sum(len(found & pair.possible) for pair, found in both)
    return AlignmentReport(
        error_rate=1 - (sure_found + possible_found) / (found_count + sure_count),
        precision=possible_found / found_count,
        recall=sure_found / sure_count if sure_count else 0.0,
        sentences=len(both),
        left_out=len(pairs) - len(both),
    )


def _aligned(where: str, source: str, target: str, links: str) -> AlignedPair:
    sides = [text.split(" ") for text in (source, target)]
    require(all(all(words) for words in sides), f"{where}: words are not parted by single spaces")
    found: dict[str, set[tuple[int, int]]] = {"-": set(), "?": set()}
    for text in links.split():
        link = LINK.fullmatch(text)
        if link is None:
            raise ConfigError(f"{where}: {text!r} is not a link such as 0-1 or 0?1")
        ends = int(link[1]), int(link[3])
        there = all(end < len(words) for end, words in zip(ends, sides, strict=True))
        require(
            there, f"{where}: link {text} leads to a word that is not there ({len(sides[0])}, {len(sides[1])} words)"
        )
        found[link[2]].add(ends)
    require(bool(found["-"]), f"{where}: no sure link")
    return AlignedPair(source, target, frozenset(found["-"]), frozenset(found["-"] | found["?"]))


def _turned(one: AlignedPair) -> AlignedPair:
    sure, possible = (frozenset((target, source) for source, target in links) for links in (one.sure, one.possible))
    return AlignedPair(one.target, one.source, sure, possible)

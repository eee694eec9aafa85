"""Where sentences begin and end; what stands between two of them is kept byte for byte. The only splitter there is.

`sentencex` finds where sentences may begin. Around it, all measured in docs/decisions/0004-sentence-splitting.md:

- line breaks separate but inside a passage that is wrapped (`.lines`); a boundary needs white space;
- abbreviations that the library does not know, or takes for an end (`RULES`), join what it cuts;
- long lines go to it in windows, because its time grows with the square of the sentences in one call;
- a text that cannot hold a boundary never reaches it;
- where it is not installed (a machine that only trains), every end mark before a capital stands in for it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from typing import cast

from model.text.lines import BREAKS, Passage, Split, is_one_passage, passages

log = logging.getLogger("traghetto.text")

Cut = Callable[[str, str], list[str]]
"""(language code, text) -> pieces that joined are the text."""

WINDOW_CHARS = 2000
"""What the library sees at once. 100,000 characters of the worst text known took 0.39 s so, 5.7 s in one piece."""
STEP_CHARS = WINDOW_CHARS - 200
"""How far the window moves where it held no boundary; the overlap shows what it may have cut through."""
LEFT_CHARS = 32
"""How far back the rules look: longer than any abbreviation."""
MAY_END = re.compile(r"[.!?…。！？]\S{0,4}\s")
"""An end of a sentence, up to four closing quotes or brackets, white space."""
UNREADABLE = re.compile(r"[\ud800-\udfff]")
"""The library takes no lone surrogates."""
LINE_BREAK = re.compile(f"[{BREAKS}]")
"""Where the library would end any sentence."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence without white space at its ends, and what is kept up to the next: white space and list marks.

    Only the first segment can have an empty `text`: of a text that begins with white space, or is nothing else.
    """

    text: str
    separator_after: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What one language adds to the library; each pattern ends where a sentence may begin, or starts there."""

    more: re.Pattern[str]
    """Further places where one may begin: at the end of a match."""
    before_names: re.Pattern[str]
    """None begins after this."""
    before_numbers: re.Pattern[str]
    """None begins after this with a number."""
    before_lower: re.Pattern[str]
    """None begins after this with a small letter or a number."""


MARKER = re.compile(r"\s*\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{2,4})[.)]\s*")
"""The number of a list item: part of the sentence that follows."""
NUMBER = re.compile(r"\d|[IVXLC]{2,}\b|[VX]\b")
SMALL_OR_NUMBER = re.compile(r"[a-zà-öø-ÿ\d]")
REMARK = re.compile(r"[—–-]\s*[a-zà-öø-ÿ]")
"""`— Who is it? — he asked.` is one sentence."""


def _ending(words: str) -> str:
    """A pattern: one of `words` as a whole word, a full stop, white space, the end."""
    choices = "|".join(map(re.escape, words.split()))
    return rf"(?:(?<![\w.])(?i:{choices})\.\s+\Z)"


INITIAL = r"(?:(?<![\w.])[A-ZÀ-ÖØ-Þ]\.\s+\Z)"
DOTTED = r"(?:(?<![\w.])(?:[^\W\d_]{1,4}\.){2,}\s+\Z)"
WEB = r"\w{3}\.[a-z]{2,4}\."
"""The end of an address or a file name, and the full stop after it."""
OPENS = r"\s+(?=[«“\"(—]?[A-ZÀ-ÖØ-Þ])"

WORDS = (
    "ali ama avi bar bei ce ci coi com con dea di dia fa fai file fin fra ha la le li lo ma mai me mi mica mo nato ne"
    " no nodo ore po pop post re sa sai se si sia so su te top tv usa va ve vi via"
)
"""Italian words that end sentences every day and that the library takes for abbreviations."""
ITALIAN = Rules(
    more=re.compile(
        rf"(?:…|[.!?]\)|(?<![\w.])(?:ecc|etc)\.|{WEB}){OPENS}"
        rf"|(?<![\w.])(?i:{WORDS.replace(' ', '|')})\.\s+(?=[«“\"(—]?[^\W\d_])"
        r"|(?<![\w.])[A-Z]{2,5}\.\s+(?=[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ\s'’])"
    ),
    before_names=re.compile(
        _ending("dott sig sigg prof avv ing arch geom rag dr gen col sen")
        + "|"
        + _ending("dott.ssa dr.ssa prof.ssa proff magg ten s ss on m.llo comm.rio rev.do segr uff vet gent.mo gent.ma")
        + f"|{INITIAL}"
    ),
    before_numbers=re.compile(
        _ending(
            "n nn nr num pag pagg art artt capp parr figg fig tab tavv tav vol sez cell fax tel civ comma prot lin"
            " vers ver sent cass ord reg dir vd ex int cod"
        )
    ),
    before_lower=re.compile(
        _ending("etc tot sett ann abbr fraz mitt dest masch femm alleg ragg p.zza p.za c.da hh inc ltd corp")
        + f"|{DOTTED}"
    ),
)
ENGLISH = Rules(
    more=re.compile(rf"(?:…|[.!?]\)|\betc\.|(?<![\w.])(?:[Nn]o|me|ill|OK)\.|{WEB}){OPENS}|[!?]\s+(?=I\b)"),
    before_names=re.compile(_ending("ms mx amb messrs") + f"|(?!I){INITIAL}"),
    before_numbers=re.compile(_ending("no nos vol vols ch para eq ex app ed approx est pp fig figs sec art")),
    before_lower=re.compile(_ending("etc approx est mon tue tues wed thu thurs fri sat sun") + f"|{DOTTED}"),
)
RULES = {"it": ITALIAN, "en": ENGLISH}
BEFORE_CAPITAL = re.compile(r"[.!?…][\"»”’')\]]*\s+(?=[\"«“‘'(\[]?[A-ZÀ-ÖØ-Þ])")


def split(text: str, language: str, lines: Split = "auto") -> list[Segment]:
    """The sentences of `text`, in order; texts and separators joined in order are `text` again.

    With `lines` as `auto` a sentence may go over several lines, and holds their breaks then: see `model.text.lines`.

    Any language but Italian gets the rules for English. Time grows linearly with the text. No text is refused, not even
    with lone surrogates. Safe to call from any thread; the library loads at first use.
    """
    body = text.strip()
    if lines == "none" or (body and MAY_END.search(body) is None and is_one_passage(body)):
        return whole(text)  # the usual case: one sentence
    return segments_of(passages(text, lines), language)


def segments_of(parts: Iterable[Passage], language: str) -> list[Segment]:
    """The sentences of the passages `parts`, whatever lines they have; what is kept goes to the separators."""
    return list(_segments(_pieces(parts, language, _library(), RULES.get(language, ENGLISH))))


def _pieces(parts: Iterable[Passage], language: str, cut: Cut, rules: Rules) -> Iterator[Passage]:
    """Sentences, and what is kept, in order."""
    for passage in parts:
        if passage.kept:
            yield passage
        else:
            yield from (Passage(one, kept=False) for one in _sentences(passage.text, language, cut, rules))


def whole(text: str) -> list[Segment]:
    """`text` as one sentence."""
    body = text.strip()
    start = text.index(body)
    sentence = Segment(body, text[start + len(body) :])
    return [Segment("", text[:start]), sentence] if start else [sentence]


@cache
def _library() -> Cut:
    try:
        from sentencex import segment
    except ImportError:
        log.warning("sentencex is not installed; sentences end where a capital follows an end mark")
        return _before_capitals
    return cast(Cut, segment)


def _before_capitals(_language: str, text: str) -> list[str]:
    """A `Cut` without a library."""
    ends = [0, *(match.end() for match in BEFORE_CAPITAL.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(ends)]


def _segments(pieces: Iterator[Passage]) -> Iterator[Segment]:
    """Give what is kept, and the white space around the pieces, to the separators."""
    sentence, separator = "", ""
    for piece, kept in pieces:
        body = "" if kept else piece.strip()
        if not body:
            separator += piece
            continue
        start = piece.index(body)
        separator += piece[:start]
        if sentence or separator:
            yield Segment(sentence, separator)
        sentence, separator = body, piece[start + len(body) :]
    if sentence or separator:
        yield Segment(sentence, separator)


def _sentences(line: str, language: str, cut: Cut, rules: Rules) -> Iterator[str]:
    """The sentences of one line, each with the white space that follows it."""
    if MAY_END.search(line) is None:
        yield line
        return
    start = 0
    for place in _candidates(line, language, cut, rules):
        if not _joined(line, start, place, rules):
            yield line[start:place]
            start = place
    yield line[start:]


def _candidates(line: str, language: str, cut: Cut, rules: Rules) -> list[int]:
    """Where in `line` a sentence may begin, in order; always after white space."""
    places = {match.end() for match in rules.more.finditer(line)}
    readable = UNREADABLE.sub("\ufffd", LINE_BREAK.sub(" ", line))  # the length stays the same
    start = 0
    while start < len(line):
        window = readable[start : start + WINDOW_CHARS]
        ends = list(accumulate(map(len, cut(language, window))))
        if start + len(window) < len(line):
            ends.pop()  # a piece that this window may have cut off; the next window begins with it
            if not ends:
                start += window.rfind(" ", 0, STEP_CHARS) + 1 or STEP_CHARS
                continue
        places.update(start + end for end in ends)
        start += ends[-1]
    return sorted(place for place in places if 0 < place < len(line) and line[place - 1].isspace())


def _joined(line: str, start: int, place: int, rules: Rules) -> bool:
    """Whether the sentence that begins at `start` goes on at `place`."""
    if (place - start <= LEFT_CHARS and MARKER.fullmatch(line, start, place)) or REMARK.match(line, place):
        return True
    left = max(start, place - LEFT_CHARS)
    if rules.before_names.search(line, left, place):
        return True
    if NUMBER.match(line, place) and rules.before_numbers.search(line, left, place):
        return True
    return SMALL_OR_NUMBER.match(line, place) is not None and rules.before_lower.search(line, left, place) is not None

"""Parts of a text that a translation must keep as they are: placeholders, markup, addresses, code, emoji and others.

Every pattern is linear in the length of the text, whatever the text is: it comes from strangers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

CODE = r"`[^`\s](?:[^`\n]{0,300}[^`\s])?`"
"""Without space at its ends: `what old books quote so.'"""
LEVEL = r"\{[^{}]{0,300}+\}"
LEVEL = rf"\{{(?:[^{{}}]|{LEVEL}){{0,400}}+\}}"
LEVEL = rf"\{{(?:[^{{}}]|{LEVEL}){{0,400}}+\}}"
MESSAGE = (
    r"\{\s?\w{1,40},\s?(?:plural|select|selectordinal|number|date|time|duration|ordinal|spellout)\b"
    rf"(?:[^{{}}]|{LEVEL}){{0,800}}+\}}"
)
"""An ICU message, such as `{n, plural, one {# file} other {# files of {name}}}` or `{day, date, long}`."""
TEMPLATE = (
    r"<%[^%]{0,300}%>|\{%[^%]{0,300}%\}|<\?[^?]{0,300}\?>|\[\[[^\[\]]{1,100}\]\]|@@\w{1,40}@@"
    r"|(?<!\w)__\w{1,40}?__(?!\w)|%[A-Z][A-Z0-9_]{1,40}%|&[A-Za-z]\w{1,30};|\$t?\([^()\n]{1,100}\)"
    r"|(?<![\w$])\$[A-Za-z_]\w{0,40}\$?(?![\w$])|\\[nrt](?![a-z]\w)"
)
"""Of ERB, Jinja, Liquid, PHP; variables of shells; entities; escapes as files of strings have them."""
URL = (
    r"(?:https?|ftp|file|ssh)://[^\s<>\"']+|(?<![\w.])(?://)?www\.[^\s<>\"'\]]+|(?<!\w)(?:mailto|tel|sms):[^\s<>\"']+"
    r"|(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5}(?:/[^\s<>\"']*)?|/[^\s<>\"']+)"
)
MAIL = r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
HOST = (
    r"(?<![\w.@/-])(?:[\w-]{1,63}\.){1,4}(?:com|org|net|edu|gov|info|io|dev|eu|it|uk|fr|de|ch|local|lan|example)(?![\w@-])"
    r"(?::\d{1,5})?(?:/[^\s<>\"']*)?"
)
TAG = r"</?[A-Za-z\d][\w:-]{0,40}(?:\s[^<>]*)?/?>"
BRACES = r"\{\{\{?[^{}]{0,100}\}\}\}?|[$#€£]?\{(?:[^{}\s]{0,100}|\s[\w.]{1,40}\s)\}"
PRINTF = (
    r"(?<![\d%])%(?:%|(?:\d{1,2}\$)?(?:\([^()\s]{1,50}\))?[-+#0]{0,4}(?:\d{1,3}|\*)?(?:\.\d{1,3})?"
    r"(?:hh|h|ll|l|L|z)?[sdiouxXeEfFgGcr@](?![A-Za-z]))"
)
COLONS = r"(?<![\w:]):[a-z][a-z0-9_+-]{0,40}:(?![\w:])"
NAMED = r"(?<![\w:)]):[a-z_]\w{1,40}(?![\w:])"
"""As in Rails and Laravel: `:name`."""
MENTION = r"(?<![\w@.])@\w(?:[\w.-]{0,60}\w)?|(?<![\w#&])#\w{1,100}"
EXTENSIONS = (
    "txt|md|rst|pdf|docx?|odt|rtf|xlsx?|ods|csv|tsv|pptx?|odp|jpe?g|png|gif|svg|webp|bmp|ttf|otf|woff2?|tiff?|mp3|mp4|wav|ogg|avi|mkv|zip|gz|"
    "tar|rar|7z|exe|msi|apk|dmg|iso|html?|css|js|ts|json|ya?ml|xml|toml|ini|cfg|conf|log|py|java|cpp|cs|go|rs|rb|php|sh|bat|sql|"
    "db|bak|tmp"
)
FILE = (
    rf"(?<![\w.])(?:(?:[\w-]{{1,80}}|\*)\.){{1,4}}(?:{EXTENSIONS})(?!\w)"
    r"|(?<![\w.])[\w-]{2,80}\.[ch](?![\w'’])|(?<![\w.])\.(?:git|env|bash|profile|ssh|config|vim|zsh|docker|npm|editor)[a-z]{0,12}(?!\w)"
)
"""The second: hidden files."""
PATH = (
    r"(?<![\w./<€$£¥%°])(?:~|\.{1,2})?/(?:[\w.-]{1,100}/){0,20}[\w.-]{1,100}"
    rf"|(?<![\w./])(?:[\w.-]{{1,80}}/){{1,10}}[\w-]{{1,80}}\.(?:{EXTENSIONS})(?!\w)"
    r"|(?<![\w./])(?:[\w.-]{1,80}/){2,10}(?![\w/])"
    r"|(?<!\w)(?:[A-Za-z]:\\|\\\\\w)(?:[^\s<>\"|]|[ ](?=[^\s<>\"|\\]{1,40}\\)){0,200}"
)
KEYS = (
    r"(?<!\w)(?:[Cc]trl|CTRL|Control|[Aa]lt|ALT|AltGr|[Ss]hift|SHIFT|[Cc]md|Command|Option|Win|Meta|Fn|Maiusc|MAIUSC)"
    r"(?:\s?\+\s?[A-Za-z0-9]{1,9})+(?!\w)"
)
PHONE = (
    r"(?<![\w+.,])\+\d(?:[ ./-]?\(?\d\)?){5,16}(?!\d|[.,]\d)"
    r"|(?<![\w.,])0\d{1,3}[ /-]\d{5,8}(?!\w)|(?<![\w.,])0\d{1,3}[ /-]\d{3,4}[ -]\d{3,4}(?!\w)"
    r"|(?<![\w.,])3\d{2}[ -]\d{3}[ -]?\d{3,4}(?!\w)|(?<![\w.,])\(?\d{3}\)?[ -]\d{3}-\d{4}(?!\w)"
)
VERSION = (
    r"(?<![\w.,])(?!\d{1,3}(?:\.\d{3})+(?![\d.]))v?\d{1,4}(?:\.\d{1,6}){2,4}(?:-[a-z]{1,6}\.?\d{0,3})?(?![\w,]|\.\d)"
    r"|(?<!\w)v\d{1,3}(?:\.\d{1,4})?(?!\w)"
)
"""Not 10.000.000, which is a number."""
CODES = (
    r"(?<![\w.,/-])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![\w-])"
    r"|(?<![\w.,/'’-])(?!\d+(?:[AaPp][Mm]|[a-z]+)\b)(?=[A-Za-z]{0,30}\d)(?=\d{0,30}[A-Za-z])[A-Za-z\d]{2,40}(?![\w'’])"
    r"|(?<!\w)[\w.]{1,60}\(\)|(?<!\S)--[a-z][a-z-]{1,40}=[^\s,;]{1,100}"
)
"""Letters and digits together (`B12`, `SW1A`, an IBAN; not `22nd`, `10am`, `5km`), calls of functions, options."""
DIGITS = r"\d{1,12}(?:[.,]\d{1,9}){0,5}"
CURRENCY = "[€$£¥₽₹]"
ISO = "(?:EUR|USD|GBP|CHF|JPY|CAD|AUD)"
UNITS = (
    "km/h|m/s|km²|m²|m³|cm²|cm³|km|cm|mm|m|kg|mg|g|ml|cl|dl|l|kWh?|mAh|GB|MB|TB|kB|GHz|MHz|Hz|Mbps|Gbps|MB/s|mph|kcal|kJ"
    "|hPa|rpm|px|dpi|fps|oz|ft|lbs?|ms|min"
)
SCALE = "thousand|million|billion|mila|milion[ei]|miliard[oi]|mln|mld|mn|bn|k|m|M|K|B"
PER = "/(?:kg|g|l|m²|m³|h|km|kWh|GB)"
MONEY = (
    rf"(?<![\w.,€$£¥-])[-+\u2212]?{CURRENCY}\s?{DIGITS}(?:\s?[-–]\s?{DIGITS})?(?:\s?(?:{SCALE})(?!\w))?(?:{PER})?"
    rf"|(?<![\w.,€$£¥])[-+\u2212]?{DIGITS}(?:\s?[-–]\s?{DIGITS})?(?:\s(?:{SCALE})(?:\sdi)?)?\s?{CURRENCY}(?:{PER})?"
    rf"|(?<![\w.,])(?:{ISO}\s?{DIGITS}|{DIGITS}\s?{ISO})(?!\w)"
)
AMOUNT = (
    rf"(?:{MONEY})(?![\w€$£¥]|[.,]\d)|(?<![\w.,]){DIGITS}(?:\s?[x×]\s?{DIGITS})+(?:\s?(?:{UNITS}))?(?!\w)"
    rf"|(?<![\w.,])[-+\u2212]?{DIGITS}\s?(?:°(?:\s?[CFK])?|‰|′|″)(?!\w)"
    rf"|(?<![\w.,€$£¥]){DIGITS}\s?(?:{UNITS})(?![\w/'’²³]|\.\w)"
    r"|(?<![\w.,])\d{1,3}[ºª](?!\w)|(?<![\w.,:])\d{1,2}(?:[.:]\d\d)?\s?[ap](?:m|\.m(?:\.(?=\s*[\w,;:)?!”\"»]))?)(?!\w)"
)
"""Money, degrees, quantities with the sign of a unit, times of the English clock."""
SMALL_FIGURES = "²³¹⁰-⁹₀-₉"
FIGURES = rf"(?<!\d)\d{{0,4}}[¼½¾⅐-⅞]|(?<![A-Za-zÀ-ÿ0-9])[A-Za-zÀ-ÿ0-9]*+[{SMALL_FIGURES}]++\w*+"
"""Fractions, and what has small figures, which the network would read as large ones."""
FOREIGN_LETTER = (
    "[\u00b5\u0100-\u02af\u0370-\u1fff\u2c00-\u2fff\u3005-\u3007\u3040-\ud7ff\uf900-\ufaff\ufb13-\ufdff\ufe70-\ufefc"
    "\U00010000-\U0001cfff\U00020000-\U0003ffff]"
)
LATIN = "[A-Za-zÀ-ÖØ-öø-ÿ\u0300-\u036f]"
FOREIGN = f"(?<!{LATIN}){LATIN}*+(?:{FOREIGN_LETTER}{LATIN}*+)+"
"""Words with a letter that neither language has: the network would read its bytes."""
DRAWN = "\u2190-\u2bff\U0001f000-\U0001faff"
PRIVATE = "\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd"
EMOJI = (
    f"(?:[0-9#*]\ufe0f?\u20e3|[\u3000-\u3004\u3008-\u303f{PRIVATE}{DRAWN}]"
    f"[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]?(?:\u200d[{DRAWN}]\ufe0f?){{0,8}}|[\U000e0020-\U000e007f])+"
)
"""With what joins and colours them; arrows and ornaments too."""
KNOWN_MARKS = "«»“”„‟‘’‚‛‐-―…°€•´×"
UNSEEN = "\u0080-\u00a0\u00ad\u0300-\u036f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\uff01-\uff65"
ODD_MARK = f"[^\\w\\s\\x00-\\x7f{KNOWN_MARKS}{UNSEEN}]"
"""A sign that the vocabulary lacks, such as `§`, `†`, `™`."""
LETTER = r"[A-Z](?![\w'’])"
ARROW = (
    rf"<3+(?!\w)|(?:(?<![\w'’])[A-Z]\s?)?(?:[-=~<>]{{0,4}}[<>](?!3)[-=~<>]{{0,4}}|[|\\{{}}]+)(?:\s?{LETTER})?"
    rf"|(?<=\s)[«»](?=\s)|(?<![\w'’])[A-Z]\s?[&+=/×≠≤≥≈]\s?{LETTER}"
)
"""Signs of programs and menus, with the letters beside them: `A -> B`."""
SYMBOL = f"{EMOJI}|{ODD_MARK}+|{ARROW}"
SPAN = re.compile(f"(?P<address>{URL}|{MAIL})|(?P<tag>{TAG})|(?P<placeholder>{BRACES}|{PRINTF}|{COLONS})")
"""What a correction may not lose."""
GUARDED = re.compile(
    f"(?P<code>{CODE})|(?P<message>{MESSAGE}|{TEMPLATE})|(?P<address>{URL}|{MAIL})|(?P<tag>{TAG})"
    f"|(?P<placeholder>{BRACES}|{PRINTF}|{COLONS}|{NAMED})|(?P<path>{PATH}|{FILE})|(?P<host>{HOST})|(?P<mention>{MENTION})"
    f"|(?P<keys>{KEYS})|(?P<phone>{PHONE})|(?P<version>{VERSION})|(?P<amount>{AMOUNT})|(?P<figures>{FIGURES})"
    f"|(?P<reference>{CODES})|(?P<foreign>{FOREIGN})|(?P<symbol>{SYMBOL})"
)
"""What no network sees."""
MAY_HOLD = re.compile(
    f"[`{{}}<>|%@#°€$\\\\/+_]|[^\\x00-\\xff{KNOWN_MARKS}{UNSEEN}]|[\u00a1-\u00bf]|[.:]\\w|\\d[ ./-]\\d"
    "|\\d\\s?[A-Za-z(×]|[A-Za-z]\\d"
    "|\\[\\[|&\\w+;|\\(\\)|--|[0-9*]\ufe0f?\u20e3|[A-Z]\\s?[&=×]\\s?[A-Z]"
)
"""A text without any of these holds no such part; found in a tenth of the time."""
SENTENCE_ENDS = ".,;:!?)]}»”’"
"""What follows an address in a sentence and is no part of it."""
OPENING = {")": "(", "]": "[", "}": "{"}
TAG_NAME = re.compile(r"</?[A-Za-z][\w:-]*")


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text that is not translated."""

    start: int
    end: int
    kind: str
    """The name of a group of `GUARDED`."""


def find_spans(text: str) -> list[Span]:
    """The parts of `text` that no network should see, in order; none overlaps another."""
    if MAY_HOLD.search(text) is None:
        return []
    return [_trimmed(match) for match in GUARDED.finditer(text)]


def _trimmed(match: re.Match[str]) -> Span:
    """The span of `match`, without the marks that end the sentence around an address."""
    kind = match.lastgroup or ""
    text = match.group()
    if kind in ("address", "host", "path"):
        text = _without_ends(text)
    return Span(match.start(), match.start() + len(text), kind)


def kept_spans(text: str) -> Counter[str]:
    """How often each such part stands in `text`. Of a tag only the name counts: `<a href="x">` is `<a>`."""
    return Counter(_canonical(match) for match in SPAN.finditer(text))


def without_spans(text: str) -> str:
    """`text` with a space for each of these parts, for what looks at its language."""
    return SPAN.sub(" ", text)


def missing_spans(source: str, target: str) -> Iterator[str]:
    """The parts of `source` that stand nowhere in `target`, in their order."""
    there = kept_spans(target)
    return (span for span in kept_spans(source) if span not in there)


def miscounted_spans(source: str, target: str) -> Iterator[str]:
    """The parts that stand in `target`, but not as often as in `source`."""
    wanted = kept_spans(source)
    return (span for span, count in kept_spans(target).items() if wanted[span] != count)


def changed_spans(source: str, target: str) -> list[str]:
    """Other parts that are kept (emoji, file names, mentions …), of which one side has more than the other."""
    ours, theirs = _others(target), _others(source)
    return list(((theirs - ours) + (ours - theirs)).keys())


def _others(text: str) -> Counter[str]:
    spans = (text[span.start : span.end] for span in find_spans(text) if span.kind != "amount")
    return Counter(span for span in spans if not SPAN.search(span))


def _canonical(match: re.Match[str]) -> str:
    if match.lastgroup == "tag":
        name = TAG_NAME.match(match.group())
        return f"{name.group().lower()}>" if name else match.group()
    return _without_ends(match.group()) if match.lastgroup == "address" else match.group()


def _without_ends(address: str) -> str:
    """`address` without the marks that end the sentence around it; a bracket that was opened in it is part of it."""
    end = len(address)
    extra = {close: address.count(close) - address.count(open) for close, open in OPENING.items()}
    while end and (mark := address[end - 1]) in SENTENCE_ENDS and extra.get(mark, 1) > 0:
        if mark in extra:
            extra[mark] -= 1
        end -= 1
    return address[:end]

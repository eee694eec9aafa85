"""What is seen to be wrong with a translation without knowing the right one: it loops, skips words, has other numbers.

All of it is judged beside the source: "very, very, very" is right where the Italian says "molto, molto, molto".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from model.text.numerals import has_digits, in_digits, in_words, unmatched
from model.text.tokenizer import PLACEHOLDER

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
LONGEST_COPY = 6
"""Words of the longest phrase that is looked for right behind itself."""
ATTENDED = 0.1
"""A word whose attention over all target tokens sums up to less was skipped. 0.15 asks for twice as many retries."""
SHORTEST_ATTENDED = 3
"""Letters and digits of the shortest word that is looked at: nothing need be read of an article or a clitic. With 2,
five times as many everyday sentences are tried again, for 0.05 BLEU."""


def is_looping(source: str, target: str) -> bool:
    """Whether `target` says something twice in a row, or three words again, and `source` does nothing of the kind.

    Of 2,000 references of everyday sentences one looks like a loop ("that that"), of 900 long ones 23.
    """
    ours = _words(target)
    if len(set(ours)) == len(ours):
        return False  # usual, and found in a fifth of the time
    copies, triples = _copies(ours), _most(ours, 3)
    if not copies and triples < 2:
        return False
    theirs = _words(source)
    return copies > _copies(theirs) or triples > max(1, _most(theirs, 2))


def is_skipping(source: str, coverage: Sequence[float]) -> bool:
    """Whether a word of `source` was hardly attended; `coverage` is the attention that each word got, summed.

    Nothing is said where words and coverage do not match: without attention, or where the tokenizer parts a word.
    """
    words = source.split()
    return len(words) == len(coverage) and any(
        mass < ATTENDED and sum(map(str.isalnum, word)) >= SHORTEST_ATTENDED
        for word, mass in zip(words, coverage, strict=True)
    )


def wrong_numbers(source: str, target: str) -> int:
    """How many numbers in digits one of the two has and the other lacks, digits and words taken together."""
    return lost_numbers(source, target) + lost_numbers(target, source)


def lost_numbers(source: str, target: str) -> int:
    """How many numbers that `source` has in digits are missing in `target`, which may write them otherwise."""
    if not has_digits(source):
        return 0  # usual, and found in a thirtieth of the time
    source, target = PLACEHOLDER.sub(" ", source), PLACEHOLDER.sub(" ", target)
    lost = unmatched(in_digits(source), in_digits(target))
    return len(unmatched(lost, in_words(target))) if lost else 0


def misplaced(source: str, target: str) -> int:
    """How many placeholders stand in one of the two more often than in the other."""
    if "<ph" not in source:
        return 0  # usual
    ours, theirs = Counter(PLACEHOLDER.findall(target)), Counter(PLACEHOLDER.findall(source))
    return ((ours - theirs) + (theirs - ours)).total()


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _copies(words: Sequence[str]) -> int:
    """How often at most a phrase follows right behind itself: 2 for "no no no"."""
    most = 0
    for length in range(1, min(LONGEST_COPY, len(words) // 2) + 1):
        same = 0
        for word, before in zip(words[length:], words, strict=False):
            same = same + 1 if word == before else 0
            most = max(most, same // length)
    return most


def _most(words: Sequence[str], size: int) -> int:
    """How often the most frequent `size` words in a row occur."""
    return max(Counter(zip(*(words[start:] for start in range(size)), strict=False)).values(), default=0)

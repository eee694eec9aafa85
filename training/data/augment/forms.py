"""How words and short phrases may stand by themselves: capitalised, with or without a mark, in capitals, as a title."""

from __future__ import annotations

import random
import re

from training.data.cleaning import Pair

MARKS = ".!?…"
QUESTION = re.compile(
    r"(?:(?:a|di|da|con|per|in|su|tra|ma|e|fino a) )?"
    r"(?:ch[ei]|cosa|come|com['’]|cos['’]|dove|dov['’]|quando|quant[oaie]|quant['’]|qual[ei]?|perché)(?:(?<=['’])|\b)",
    re.IGNORECASE,
)
"""How an Italian question begins that is one without its mark too."""
WORD_START = re.compile(r"(?<![\w'’<])[^\W\d_]")


def is_unmarked(pair: Pair, words: int) -> bool:
    """Whether both sides are words without a mark at their end, at most `words` of them."""
    return all(side[-1:].isalnum() and side.count(" ") < words for side in pair)


def vary(pair: Pair, rng: random.Random) -> Pair:
    """`casa` -> `Casa`, `casa.`, `Casa!`, `Casa?`, `CASA`: the same of both sides."""
    draw = rng.random()
    if draw < 0.2 and "<" not in pair[0] + pair[1]:
        return pair[0].upper(), pair[1].upper()
    if draw < 0.9:
        pair = _capitalised(pair[0]), _capitalised(pair[1])
    if draw < 0.5:
        return pair
    mark = rng.choice("..!?")
    return pair[0] + mark, pair[1] + mark


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def drop_marks(pair: Pair) -> Pair:
    """Without the final mark, where both sides have the same and would not be empty.

    `Vieni?` keeps it: without, it is `Come`, not `Are you coming`.
    """
    if pair[0].endswith("?") and not QUESTION.match(pair[0]):
        return pair
    bare = pair[0].rstrip(MARKS), pair[1].rstrip(MARKS)
    if pair[0][len(bare[0]) :] != pair[1][len(bare[1]) :] or not all(bare):
        return pair
    return bare


def entitle(pair: Pair) -> Pair:
    """`La casa sul mare` -> `La Casa Sul Mare`, both sides."""
    italian, english = (WORD_START.sub(lambda letter: letter[0].upper(), side) for side in pair)
    return italian, english

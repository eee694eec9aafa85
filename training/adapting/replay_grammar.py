"""Phrases that are put together at random: `replay_grammar.txt`, from which the replay samples start."""

from __future__ import annotations

import random
import re
from pathlib import Path

from model.config import require

GRAMMAR = Path(__file__).with_suffix(".txt")


class Grammar:
    """Phrases that are put together at random; the file says how it is written."""

    def __init__(self, text: str) -> None:
        """Read the rules in `text`.

        Raises:
            ConfigError: a rule has no name, or refers to one that is not there.
        """
        self.lists: dict[str, list[str]] = {}
        rules = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\n  |", " |")
        for line in filter(None, rules.splitlines()):
            names, colon, alternatives = line.partition(": ")
            require(bool(colon), f"no `name: ` at the beginning of {line!r}")
            for index, name in enumerate(names.split("/")):
                found = [_form(one, index, names.count("/")) for one in alternatives.split(" | ")]
                self.lists.setdefault(name, []).extend(found)
        missing = set(re.findall(r"\{(\w+)\}", rules)) - set(self.lists)
        require(not missing, f"the grammar has no {', '.join(sorted(missing))}")

    def sentence(self, rng: random.Random, start: str = "s") -> str:
        """One of the sentences that `start` may become."""
        text = f"{{{start}}}"
        while "{" in text:
            text = re.sub(r"\{(\w+)\}", lambda name: rng.choice(self.lists[name[1]]), text)
        text = re.sub(r"\ba(?= [aeio])", "an", text).replace("I are ", "I am ")
        return text[:1].upper() + text[1:]


def _form(text: str, index: int, slashes: int) -> str:
    """`text` with the form number `index` of the words that have one for each name of the rule."""
    words = (word.split("/") if slashes and word.count("/") == slashes else [word] for word in text.split(" "))
    return " ".join(forms[index if len(forms) > 1 else 0] for forms in words)

"""Renew the tables of `docs/results/models.md` from the cards of the default models: `python -m scripts.model_tables`.

Each table is known by its first line, and everything between that and the next empty line is written anew; what the
page says around them is for people to renew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from training.data.noise import COPIES

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "results" / "models.md"
PAIRS = {"it-en": "Italian to English", "en-it": "English to Italian"}
SETS = (
    ("tatoeba.test", "Tatoeba test, unseen, both sides out of training", "greedy"),
    ("tatoeba.test, beam 4", "the same", "beam 4"),
    ("tatoeba.dev", "Tatoeba dev (its first 1,000 chose the checkpoint)", "greedy"),
    (
        "general.dev",
        "news and encyclopaedia, `general.dev` of the corpus (its first 1,000 chose the checkpoint)",
        "greedy",
    ),
    ("general", "general, of our own writing", "greedy"),
)
SLIPS = ("tatoeba.test", "general", "general.dev")
GROUPS = ("1–4 words", "5–8 words", "9–14 words", "15–25 words", "26 words or more", "one word from training",
          "further from training")  # fmt: skip
COLUMNS = [(pair, name) for pair in PAIRS for name in ("tatoeba.test", "general")]
Scores = dict[str, dict[str, Any]]
"""By pair, what the card says."""


def main() -> None:
    """Write the page."""
    scores = {
        pair: json.loads((ROOT / "model" / "weights" / pair / "default" / "card.json").read_text("utf-8"))["scores"]
        for pair in PAIRS
    }
    page = PAGE.read_text("utf-8")
    for head, rows in TABLES.items():
        page = _renewed(page, head, list(rows(scores)))
    PAGE.write_text(page, "utf-8")


def _renewed(page: str, head: str, rows: list[str]) -> str:
    start = page.index(head)
    line = page.index("\n", page.index("\n", start) + 1) + 1  # behind the line under the head
    return page[:line] + "\n".join(rows) + page[page.index("\n\n", line) :]


def _scores(scores: Scores) -> Iterator[str]:
    for pair, direction in PAIRS.items():
        for name, about, search in SETS:
            one = scores[pair][name]
            shown = " | ".join(
                f"{one[kind]:.1f} [{one[f'{kind}_interval'][0]:.1f}–{one[f'{kind}_interval'][1]:.1f}]"
                for kind in ("bleu", "chrf")
            )
            first = f" {direction} " if name == "tatoeba.test" else " "
            yield f"|{first}| {about} | {one['sentences']:,} | {search} | {shown} |"


def _slips(scores: Scores) -> Iterator[str]:
    for pair, direction in PAIRS.items():
        for name in SLIPS:
            found = scores[pair][name]["diagnostics"]
            names = ("repeated_trigrams", "length_outliers", "untranslated", "copied_words", "invented_words")
            shown = " | ".join(f"{found[one]:.1f}" for one in names)
            numbers = f"{found['number_mismatches']:.1f} ({found['lines_with_digits']} lines)"
            yield f"| {direction}, {name} | {shown} | {numbers} |"


def _groups(scores: Scores) -> Iterator[str]:
    for group in GROUPS:
        found = [scores[pair][name]["groups"].get(group) for pair, name in COLUMNS]
        yield (
            f"| {group} | "
            + " | ".join(f"{one['bleu']:.1f} ({one['sentences']:,})" if one else "" for one in found)
            + " |"
        )


def _noise(scores: Scores) -> Iterator[str]:
    for kind in COPIES:
        yield (
            f"| {kind} | "
            + " | ".join(f"{scores[pair][name]['noise'][kind]['bleu']:.1f}" for pair, name in COLUMNS)
            + " |"
        )


def _passed(name: str, scores: Scores) -> Iterator[str]:
    found = [scores[pair][name] for pair in PAIRS]
    for name in dict.fromkeys(name for one in found for name in one["phenomena"]):
        counts = [one["phenomena"].get(name) for one in found]
        yield f"| {name} | " + " | ".join(f"{one['passed']} of {one['items']}" if one else "" for one in counts) + " |"
    all_ = [f"{one['passed']} of {one['items']} ({100 * one['passed'] / one['items']:.0f} %)" for one in found]
    yield f"| **all** | {' | '.join(all_)} |"


def _texts(scores: Scores) -> Iterator[str]:
    found = [scores[pair]["texts"] for pair in PAIRS]
    for kind in found[0]["kinds"]:
        yield f"| {kind} | " + " | ".join(_right(one["kinds"][kind]) for one in found) + " |"
    yield f"| **all** | {' | '.join(_right(one, share=True) for one in found)} |"


def _right(one: dict[str, int], *, share: bool = False) -> str:
    percent = f" ({100 * one['right'] / one['items']:.0f} %)" if share else ""
    return f"{one['right']} of {one['items']}{percent}" + (f", {one['lost']} lost" if one["lost"] else "")


TABLES: dict[str, Callable[[Scores], Iterator[str]]] = {
    "| direction | set | sentences | search | BLEU | chrF |": _scores,
    "| | repeated 3-grams | length outliers |": _slips,
    "| BLEU (sentences) | it-en Tatoeba | it-en general |": _groups,
    "| BLEU | it-en Tatoeba | it-en general | en-it Tatoeba |": _noise,
    "| phenomenon | it-en | en-it |": partial(_passed, "challenge"),
    "| form | it-en | en-it |": partial(_passed, "words"),
    "| kind | it-en | en-it |": _texts,
}

if __name__ == "__main__":
    main()

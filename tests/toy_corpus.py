"""A small parallel corpus of our own making: a few hundred regular sentences, enough to train a tiny model on."""

import gzip
import itertools
from pathlib import Path

SUBJECTS = {
    "il marinaio": "the sailor",
    "la ragazza": "the girl",
    "il capitano": "the captain",
    "mia sorella": "my sister",
    "il vecchio": "the old man",
}
VERBS = {"vede": "sees", "compra": "buys", "cerca": "looks for", "dipinge": "paints", "vende": "sells"}
OBJECTS = {
    "la barca": "the boat",
    "il faro": "the lighthouse",
    "una vela": "a sail",
    "due remi": "two oars",
    "il porto": "the harbour",
    "le reti": "the nets",
}
TIMES = {"": "", " oggi": " today", " ogni mattina": " every morning"}


def pairs() -> list[tuple[str, str]]:
    """All sentences, in a fixed order."""
    rows = []
    for parts in itertools.product(SUBJECTS.items(), VERBS.items(), OBJECTS.items(), TIMES.items()):
        subject, verb, thing, time = parts
        italian = f"{subject[0]} {verb[0]} {thing[0]}{time[0]}."
        english = f"{subject[1]} {verb[1]} {thing[1]}{time[1]}."
        rows.append((italian.capitalize(), english.capitalize()))
    return rows


def write(folder: Path, name: str = "everyday") -> Path:
    """Write the corpus as `folder/name.tsv.gz` and give the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / f"{name}.tsv.gz", "wt", encoding="utf-8") as file:
        file.writelines(f"{italian}\t{english}\n" for italian, english in pairs())
    return folder

"""A small parallel corpus of our own making: a few hundred regular sentences, enough to train a tiny model on.

And the settings of such a model, `it-en/toy`.
"""

import gzip
import itertools
import json
from pathlib import Path

SETTINGS = """
pair = "it-en"
version = "toy"
[model]
embedding_size = 16
encoder_layers = 1
encoder_hidden_size = 16
decoder_layers = 2
decoder_hidden_size = 32
attention_heads = 2
dropout = 0.0
[data]
dev = ""
hold_out_per_mille = 50
{data}
[optim]
warmup_steps = 5
[loop]
"""
EVERYDAY = """
source_vocab_size = 330
target_vocab_size = 320
[data.groups]
everyday = ["*"]
[[phases]]
until = 1.0
shares = { everyday = 1.0 }
"""
LOOP = {"max_steps": 24, "batch_tokens": 512, "pool_pairs": 200, "eval_steps": 12, "precision": "fp32"}

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


def write_settings(file: Path, data: str = EVERYDAY, **loop: object) -> Path:
    """Write the settings of a run as `file`, with `loop` in its section of that name, and give the file.

    `data` is what they read, and how much of each.
    """
    lines = (f"{name} = {json.dumps(value)}\n" for name, value in {**LOOP, **loop}.items())
    file.write_text(SETTINGS.format(data=data) + "".join(lines))
    return file

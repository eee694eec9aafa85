"""Writes `training/sets/<pair>/replay.tsv`: sentences of our own models, to replay where there is no corpus.

    random words of the vocabulary -> English (its decoder makes sentences of them) -> Italian -> English again

What is kept reads well to the models themselves, comes through the way there and back, and is no sentence of the
corpus, in either language, nor of our own sets. Run as `python -m training.replay_sample --data FOLDER`.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from sacrebleu.metrics.chrf import CHRF

from model import versions
from model.config import SearchConfig
from model.faults import is_looping
from model.tokenizer import Tokenizer
from model.translator import Translation, Translator
from training.assemble import stems
from training.cleaning import problem_of
from training.eval_sets import SETS
from training.pairs import normalise_key, read_pairs

BEGINNINGS = (
    "Io", "Tu", "Lui", "Lei ha", "Noi", "Voi", "Loro", "Non", "Mi", "Ti", "Ci", "Si", "Ho", "Hai", "Ha", "Abbiamo",
    "Hanno", "Sono", "Sei", "Il mio", "La mia", "Mio padre", "Mia madre", "I bambini", "Il gatto", "Il cane", "La casa",
    "Questo", "Quella", "Ieri", "Oggi", "Domani", "Stasera", "Ogni giorno", "Perché", "Quando", "Dove", "Come", "Chi",
    "Che cosa", "Vorrei", "Puoi", "Potrebbe", "Dobbiamo", "Vuole", "Stavo", "Eravamo", "Andiamo", "Se", "Anche",
    "Molte persone", "Nessuno", "Qualcuno", "Tutti", "Il treno", "La macchina", "Il libro", "Una donna", "Un uomo",
)  # fmt: skip
"""Of our own."""
GREEDY = SearchConfig(retry=False)
AT_ONCE = 2000
LEAST_SCORE, LEAST_CHRF = -0.55, 60.0
WORDS = range(3, 21)
SAME_BEGINNING = 12
"""Sentences that may begin with the same two words."""


def whole_words(tokenizer: Tokenizer) -> list[str]:
    """The pieces of a vocabulary that are words of three letters or more."""
    pieces = tokenizer.pieces(range(tokenizer.vocab_size))
    return [piece[1:] for piece in pieces if piece.startswith("▁") and len(piece) > 3 and piece[1:].isalpha()]


def material(words: Sequence[str], rng: random.Random, count: int) -> list[str]:
    """`count` rows of an everyday beginning and one to five random words."""
    ends = rng.choices("..!?", k=count)
    return [
        " ".join([rng.choice(BEGINNINGS), *(rng.choice(words) for _ in range(rng.randint(1, 5)))]) + end for end in ends
    ]


def usable(italian: Translation, english: Translation, before: str, chrf: CHRF) -> bool:
    """Whether a pair reads well and came through: `before` is the English that the Italian was made from."""
    count = len(english.text.split())
    return (
        count in WORDS
        and len(italian.text.split()) in WORDS
        and min(italian.score, english.score) >= LEAST_SCORE
        and all(side.text[0].isupper() and side.text[-1] in ".!?" for side in (italian, english))
        and not problem_of((italian.text, english.text))
        and not is_looping("", italian.text)
        and not is_looping("", english.text)
        and chrf.sentence_score(english.text, [before]).score >= LEAST_CHRF
    )


def known_keys(data: Path) -> set[str]:
    """All sentences of a corpus and of our own sets, normalised."""
    keys = {normalise_key(side) for path in stems(data).values() for pair in read_pairs(path) for side in pair}
    for path in SETS.glob("*/*.tsv"):
        if path.name != "replay.tsv":
            lines = path.read_text(encoding="utf-8").splitlines()
            keys.update(
                normalise_key(part) for line in lines for cell in line.split("\t") for part in cell.split(" | ")
            )
    return keys


def distinct(pairs: Iterable[tuple[str, str]], known: set[str]) -> Iterator[tuple[str, str]]:
    """Those with new sentences on both sides, and not too many that begin alike."""
    seen, beginnings = set(known), Counter[str]()
    for pair in pairs:
        keys = [normalise_key(side) for side in pair]
        beginning = " ".join(keys[1].split()[:2])
        if not seen.intersection(keys) and beginnings[beginning] < SAME_BEGINNING:
            seen.update(keys)
            beginnings[beginning] += 1
            yield pair


def generate(known: set[str], seed: int, rounds: int, console: Console) -> list[tuple[str, str]]:
    """(Italian, English), whatever comes of `rounds` times `AT_ONCE` rows of words."""
    folders = [versions.BUNDLED / pair / "default" for pair in ("it-en", "en-it")]
    to_english, to_italian = (Translator.load(folder, device="cpu") for folder in folders)
    words = whole_words(versions.load(folders[0]).source)
    rng, chrf = random.Random(seed), CHRF()
    found: list[tuple[str, str]] = []
    for _ in track(range(rounds), "writing", console=console):
        first = [one.text for one in to_english.translate(material(words, rng, AT_ONCE), GREEDY)]
        italian = to_italian.translate(first, GREEDY)
        english = to_english.translate([one.text for one in italian], GREEDY)
        found += [
            (source.text, target.text)
            for source, target, before in zip(italian, english, first, strict=True)
            if usable(source, target, before, chrf)
        ]
    return list(distinct(found, known))


def main() -> None:
    """Write the sample of both directions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="corpus whose sentences must not be in the sample")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=10, help=f"times {AT_ONCE} rows of words")
    parser.add_argument("--sentences", type=int, default=2000, help="most that are kept")
    parser.add_argument("--out", type=Path, default=SETS, help="folder of the sets")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    pairs = generate(known_keys(arguments.data), arguments.seed, arguments.rounds, console)[: arguments.sentences]
    made = f"written by our own models from random words: python -m training.replay_sample --seed {arguments.seed}"
    for pair, turn in (("it-en", 1), ("en-it", -1)):
        rows = "".join("\t".join(sides[::turn]) + "\n" for sides in pairs)
        (arguments.out / pair / "replay.tsv").write_text(f"# source<TAB>target; {made}\n{rows}", encoding="utf-8")
    console.print(f"{len(pairs)} pairs")


if __name__ == "__main__":
    main()

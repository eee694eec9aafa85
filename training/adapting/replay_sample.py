"""The shipped replay samples: pairs written by our own models, for retraining where there is no corpus.

    python -m training.adapting.replay_sample --pair it-en --data FOLDER --out training/sets/it-en/replay.tsv

    phrases of our own writing (replay_grammar.txt) -> seeds -> en-it -> Italian -> it-en -> English -> en-it -> Italian
          -> sound (`problem_of`) -> known words, nothing that is in the corpus -> varied in length, opening and words

Of the corpus nothing is taken: it says which sentences must go, and which words and neighbours are real. Both sides of
a pair are what the models make of the seed, so a seed's English need not be right; it is not kept.
"""

from __future__ import annotations

import argparse
import itertools
import random
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track
from sacrebleu.metrics.chrf import CHRF

from model.config import SearchConfig
from model.text.faults import is_looping, wrong_numbers
from model.text.plan import plan_text
from model.translator import Translator
from model.versions.store import BUNDLED
from training.adapting.replay_grammar import GRAMMAR, Grammar
from training.config import DIRECTIONS
from training.data import cleaning
from training.data.assemble import stems
from training.data.pairs import Pair, normalise_key, read_pairs
from training.scoring.sets import SETS, read_lines

LANGUAGES = ("it", "en")
"""Of the two sides of a row of the corpus."""
SEED = 4
SENTENCES = 2000
SEEDS_FOR_ONE = 40
"""Seeds drawn for each pair that is wanted."""
CHUNK = 2000
"""Seeds translated at a time."""
SEARCH = SearchConfig()

MIN_SCORE = -0.23
"""Mean log-probability of a translation's tokens, the least that counts as fluent."""
SAME = 70.0
"""chrF between the two English, or the two Italian sentences of a round trip, the least that counts as faithful."""
MIN_WORDS, MAX_WORDS = 3, 20
KNOWN = 3
"""A word is real if the corpus has it so often in that language."""
STRANGE = 1
"""Neighbouring words that may be new on a side."""
SHARES = {3: 0.08, 4: 0.15, 5: 0.18, 6: 0.17, 7: 0.14, 8: 0.10, 9: 0.07, 10: 0.05, 11: 0.03, 12: 0.02, MAX_WORDS: 0.03}
"""Words of the source -> how many of all may be that long; the last is for all longer ones. Everyday sentences of a
corpus are a word shorter, but one that is retrained for has longer ones too."""
OPENING_SHARE = 0.01
"""Pairs that may share the first two words of their source."""
WORD = re.compile(r"[^\W\d_]+(?:['’](?=[^\W\d_]))?")

IS = r"(?: non)? (?:è|era|fu|sembra|sarà|è (?:mai )?stat[oa])(?: (?:molto|più|meno|troppo|così|piuttosto|da|\w+mente))?"
HAS = r"(?: non)? (?:è|era|ha|aveva|sta|stava|può|deve|vuole|fu)"
ITALIAN_MISTAKES = re.compile(
    rf"\b(?:la|una|questa|quella|mia|tua|sua|nostra|vostra) \w+{IS} \w+[oi]\b"
    rf"|\b(?:il|lo|un|uno|questo|quel|quello|mio|tuo|suo|nostro|vostro) \w+{IS} \w+[ai]\b"
    rf"|\b(?:i|gli|le|dei|delle|degli|molti|molte)(?: \w+[ei])? \w+[ei]{HAS}\b"
    r"|\b(?:il|un|questo) \w+i\b|\bun[ao] [aeiou]|\b(?:il|al|del|nel|dal|sul|questo|quel) [aeiou]|\bil (?:z|s[^aeiou])"
    r"|\b(?:i|gli|le) \w+ (?:sono|erano) (?:\w+[ao]|stat[ao])\b|\ble \w+[ei] (?:sono|erano) \w+i\b"
    r"|\bi \w+i (?:sono|erano) \w+[bcdgmnpstv]ate\b|\bqualche \w+i\b|\b(?:nessuno|chi|tutti) \w+[aei]re\b"
    rf"|\bè \w+ anni\b|\bl'\w+a{IS} \w+o\b|\w' ",
    re.IGNORECASE,
)
"""What the models get wrong most often: `la bicicletta è economico`. Good sentences match too; no harm."""
ENGLISH_MISTAKES = re.compile(
    r"\bI (?:are|is|has)\b|\band are (?:an?|the)\b|\b(?:[Hh]e|[Ss]he|[Ii]t) (?:are|have|do)\b"
    r"|\ban? [A-Za-z]+s\b(?<!ss)|\b[Aa] [aeio]|\b(?:you|we|they|children|people) (?:was|is|has)\b|^[a-z]"
    r"|\bI\b[^,.]*\bme\b"
)


@dataclass(frozen=True)
class Trip:
    """A seed and what became of it: English -> Italian -> English -> Italian."""

    seed: str
    italian: str
    english: str
    again: str
    scores: tuple[float, float, float]
    """Mean log-probabilities of the three translations."""

    def pair(self, direction: str) -> Pair:
        """Source and target: what a model read, and what it said."""
        return (self.italian, self.english) if direction == "it-en" else (self.english, self.again)


def travel(seeds: Sequence[str], from_english: Translator, from_italian: Translator) -> list[Trip]:
    """Each of `seeds`, translated three times, each time from what came out before."""
    first = from_english.translate(seeds, SEARCH)
    second = from_italian.translate([one.text for one in first], SEARCH)
    third = from_english.translate([one.text for one in second], SEARCH)
    return [
        Trip(seed, one.text, two.text, three.text, (one.score, two.score, three.score))
        for seed, one, two, three in zip(seeds, first, second, third, strict=True)
    ]


def problem_of(trip: Trip, direction: str, metric: CHRF) -> str:
    """Why `trip` gives no pair, or an empty string."""
    source, target = trip.pair(direction)
    italian, english = (source, target) if direction == "it-en" else (target, source)
    if not all(MIN_WORDS <= len(side.split()) <= MAX_WORDS for side in (source, target)):
        return "length"
    if problem := cleaning.problem_of((italian, english)):
        return problem
    if min(trip.scores[: 2 if direction == "it-en" else 3]) < MIN_SCORE:
        return "not fluent"
    if is_looping(source, target) or is_looping(target, source) or wrong_numbers(source, target):
        return "loop or wrong number"
    if ITALIAN_MISTAKES.search(italian) or ENGLISH_MISTAKES.search(english):
        return "agreement"
    if metric.sentence_score(trip.english, [trip.seed]).score < SAME:
        return "other English"
    return "other Italian" if metric.sentence_score(trip.again, [trip.italian]).score < SAME else ""


@dataclass
class Seen:
    """What of some candidates was found in a corpus."""

    keys: set[str] = field(default_factory=set)
    """Normalised sentences of theirs that it has."""
    words: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    """Their Italian and English words and neighbouring words, and how often it has them."""

    def is_real(self, side: int, text: str) -> bool:
        """Whether the corpus has every word of `text` several times, and nearly any two neighbours, on that side."""
        counts, words = self.words[side], words_of(text)
        strange = sum(not counts[two] for two in neighbours(words))
        return strange <= STRANGE and all(counts[one] >= KNOWN for one in words)


def words_of(text: str) -> list[str]:
    """The words of `text` in small letters; an elided one keeps its apostrophe."""
    return WORD.findall(text.lower().replace("’", "'"))


def neighbours(words: Sequence[str]) -> list[str]:
    """Each two words that stand side by side."""
    return [f"{one} {two}" for one, two in itertools.pairwise(words)]


def look_up(candidates: Iterable[Pair], corpus: Iterable[Pair]) -> Seen:
    """What of `candidates` is in `corpus`, both (Italian, English); the corpus is read once and not kept."""
    pairs = list(candidates)
    keys = {normalise_key(side) for pair in pairs for side in pair}
    wanted = tuple({item for pair in pairs for item in _items(pair[side])} for side in (0, 1))
    seen = Seen()
    for row in corpus:
        for side, (language, text) in enumerate(zip(LANGUAGES, row, strict=True)):
            seen.words[side].update(item for item in _items(text) if item in wanted[side])
            seen.keys.update(keys & {normalise_key(one) for one in (text, *plan_text(text, language).sentences)})
    return seen


def _items(text: str) -> list[str]:
    words = words_of(text)
    return words + neighbours(words)


def own_sentences(folder: Path = SETS) -> set[str]:
    """The normalised sentences of our own sets, answers included; samples of replay are none of them."""
    files = [path for path in folder.glob("*/*.tsv") if path.name != "replay.tsv"]
    cells = (cell for path in files for line in read_lines(path) for cell in line.split("\t"))
    texts = (text for cell in cells for text in cell.split(" | "))
    parts = (one for text in texts for language in LANGUAGES for one in (text, *plan_text(text, language).sentences))
    return set(map(normalise_key, parts)) - {""}


def choose(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """At most `count` of `pairs`, of lengths as `SHARES` says, with varied openings; first those with a new word."""
    used: Counter[str] = Counter()
    room = {length: round(share * count) for length, share in SHARES.items()}
    openings: Counter[str] = Counter()
    chosen: dict[Pair, None] = {}
    for limit in (1, 2, 4, 8, 16, 32, 64, count + 1):
        for pair in pairs:
            words = words_of(pair[0])
            length, opening = min(len(pair[0].split()), MAX_WORDS), " ".join(words[:2])
            length = length if length in room else MAX_WORDS
            full = not room[length] or openings[opening] >= max(1, OPENING_SHARE * count)
            if full or pair in chosen or min(used[word] for word in words) >= limit:
                continue
            chosen[pair] = None
            room[length] -= 1
            openings[opening] += 1
            used.update(set(words))
    return list(chosen)


def sample(
    direction: str, data: Path, count: int, seed: int, translators: tuple[Translator, Translator], console: Console
) -> list[Pair]:
    """At most `count` pairs (source, target) for `direction`, none of which shares a sentence with a table in `data`.

    `translators` are those from English and from Italian.
    """
    rng = random.Random(f"{seed}/{direction}")
    grammar, metric = Grammar(GRAMMAR.read_text(encoding="utf-8")), CHRF()
    seeds = list(dict.fromkeys(grammar.sentence(rng) for _ in range(SEEDS_FOR_ONE * count)))
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    trips = [trip for chunk in track(chunks, "translating", console=console) for trip in travel(chunk, *translators)]
    problems = Counter(problem_of(trip, direction, metric) for trip in trips)
    console.print(f"{len(trips)} seeds: {dict(problems.most_common())}")
    fit = [trip.pair(direction) for trip in trips if not problem_of(trip, direction, metric)]
    turned = [pair if direction == "it-en" else (pair[1], pair[0]) for pair in fit]
    tables = track(list(stems(data).values()), "looking up", console=console)
    seen = look_up(turned, (row for path in tables for row in read_pairs(path)))
    kept = list(novel(fit, turned, seen, own_sentences()))
    console.print(f"{len(fit)} are sound, {len(kept)} of them new and of known words")
    return choose(kept, count)


def novel(pairs: Sequence[Pair], turned: Sequence[Pair], seen: Seen, own: Collection[str]) -> Iterator[Pair]:
    """Those of `pairs` that are real language and in no corpus or set; `turned` are the same, the Italian first."""
    sources: set[str] = set()
    targets: set[str] = set()
    for pair, sides in zip(pairs, turned, strict=True):
        source, target = map(normalise_key, pair)
        known = {source, target} & seen.keys or source in own or target in own or source in sources or target in targets
        if not known and all(seen.is_real(side, text) for side, text in enumerate(sides)):
            sources.add(source)
            targets.add(target)
            yield pair


def write(pairs: Iterable[Pair], direction: str, seed: int, out: Path) -> None:
    """Write the table; its first line says what it is."""
    models = " and ".join(DIRECTIONS)
    how = f"written by our own models {models}, python -m training.adapting.replay_sample, seed {seed}"
    lines = [f"# source ({direction[:2]})\ttarget ({direction[3:]}); {how}", *("\t".join(pair) for pair in pairs)]
    temporary = out.with_name(f".{out.name}.partial")
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    temporary.replace(out)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pair", choices=DIRECTIONS, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpus whose sentences are left out")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--sentences", type=int, default=SENTENCES, help="pairs that are wanted")
    given = parser.parse_args(arguments)
    from_italian, from_english = (Translator.load(BUNDLED / pair / "default") for pair in DIRECTIONS)
    console = Console(stderr=True)
    pairs = sample(given.pair, given.data, given.sentences, given.seed, (from_english, from_italian), console)
    write(pairs, given.pair, given.seed, given.out)
    console.print(f"{len(pairs)} pairs in {given.out}")


if __name__ == "__main__":
    main()

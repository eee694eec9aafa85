"""Text <-> ids: SentencePiece subwords, and whole words for the 2018 preset.

Both kinds keep the first ids for the same purpose, so that the network and the search need not know
which one they serve:

    0 <pad>   1 <unk>   2 <s>   3 </s>   4..35 reserved pieces   36.. bytes and subwords

Reserved pieces are in the vocabulary from the first model on, so that later features (placeholders, domain and
formality control, tagged back-translation) need no new vocabulary.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Protocol

import sentencepiece as spm

from model.errors import TokenizerError
from model.text.ids import EOS, UNK

SPECIAL_PIECES = ("<pad>", "<unk>", "<s>", "</s>")

PLACEHOLDERS = tuple(f"<ph{number}>" for number in range(10))
"""Stand-ins for spans that must survive unchanged. The only reserved pieces that may occur in a text."""
PLACEHOLDER = re.compile(r"<ph(\d)>", re.IGNORECASE)
"""One of them and its number; in capitals where the sentence is."""

CONTROL_PIECES = (
    "<2it>", "<2en>", "<formal>", "<informal>", "<bt>", "<distilled>",
    "<everyday>", "<dialogue>", "<prose>", "<technical>", "<news>", "<legal>",
    *(f"<spare{number}>" for number in range(10)),
)  # fmt: skip
"""Set by id before a source, never read from a text."""

RESERVED_PIECES = CONTROL_PIECES + PLACEHOLDERS
FIRST_FREE_ID = len(SPECIAL_PIECES) + len(RESERVED_PIECES)

CACHED_TEXTS, CACHED_CHARS = 1024, 200
"""How many texts, and how long, are not encoded again: the server counts tokens before it translates. The library gives
up the interpreter each time, and where others want it, that costs far more than the two microseconds of the work."""
SPACE = "▁"
"""SentencePiece's visible space: it begins the first piece of each word."""


class Tokenizer(Protocol):
    """What the translator and the trainer need of either kind."""

    suffix: ClassVar[str]

    @property
    def vocab_size(self) -> int:
        """Number of ids, special and reserved ones included."""

    def encode(self, text: str, sample: float = 0.0) -> list[int]:
        """Ids of `text`, without begin and end marks.

        `sample` in (0, 1] draws one of the possible segmentations (subword regularisation, Kudo 2018;
        the smaller, the flatter the distribution); 0 takes the best one.
        """

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of each text."""

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`; special ids are left out."""

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The piece of each id; a piece that begins a word begins with `SPACE`."""

    def save(self, path: Path) -> None:
        """Write to `path`, whose suffix must be `suffix`."""


class SubwordTokenizer:
    """SentencePiece with byte fallback: no text has unknown words."""

    suffix: ClassVar[str] = ".model"

    def __init__(self, serialized: bytes) -> None:
        self._serialized = serialized
        self._processor = spm.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(serialized)
        except RuntimeError as error:
            raise TokenizerError(f"not a SentencePiece model: {error}") from error
        self._encoded = lru_cache(CACHED_TEXTS)(self._processor.Encode)
        self._pieces = [str(self._processor.IdToPiece(id)) for id in range(self.vocab_size)]
        expected = [*SPECIAL_PIECES, *RESERVED_PIECES]
        if self._pieces[: len(expected)] != expected:
            raise TokenizerError(
                "this SentencePiece model was not trained by us: its first pieces are not the reserved ones"
            )

    @classmethod
    def load(cls, path: Path) -> SubwordTokenizer:
        """Read a `.model` file.

        Raises:
            TokenizerError: the file is missing, damaged, or lacks our reserved pieces.
        """
        try:
            return cls(path.read_bytes())
        except OSError as error:
            raise TokenizerError(f"{path.name} cannot be read: {error.strerror}", path.parent) from error

    @property
    def vocab_size(self) -> int:
        return int(self._processor.GetPieceSize())

    def encode(self, text: str, sample: float = 0.0) -> list[int]:
        if sample:
            return list(self._processor.Encode(text, enable_sampling=True, alpha=sample, nbest_size=-1))
        return list(self._encoded(text) if len(text) <= CACHED_CHARS else self._processor.Encode(text))

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        # one by one: the library starts a thread for each list, 27 microseconds where a sentence takes 2
        return [self.encode(text) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        return str(self._processor.Decode([id for id in ids if id > EOS]))

    def pieces(self, ids: Sequence[int]) -> list[str]:
        return [self._pieces[id] for id in ids]

    def save(self, path: Path) -> None:
        path.write_bytes(self._serialized)


def normalise_2018(text: str) -> str:
    """The 2018 experiment's normaliser, rebuilt: lower case, no accents, `.!?` apart, other non-letters to a space.

    `Lei è bella.` -> `lei e bella .` The slides show only its results; the rules are those of the widely used tutorial.
    """
    decomposed = unicodedata.normalize("NFD", text.lower().strip())
    bare = "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
    spaced = re.sub(r"([.!?])", r" \1", bare)
    return re.sub(r"[^a-z.!?]+", " ", spaced).strip()


class WordTokenizer:
    """One id a word, as in 2018: what was not seen in training is `<unk>`. Normalises by `normalise_2018`."""

    suffix: ClassVar[str] = ".json"
    NORMALISER = "2018"

    def __init__(self, words: Sequence[str]) -> None:
        self._pieces = SPECIAL_PIECES + RESERVED_PIECES + tuple(words)
        self._ids = {piece: id for id, piece in enumerate(self._pieces)}
        if len(self._ids) != len(self._pieces):
            raise TokenizerError("a word occurs twice in the vocabulary")

    @classmethod
    def train(cls, sentences: Iterable[str]) -> WordTokenizer:
        """Every word of the normalised `sentences`, the most frequent first."""
        counts = Counter(word for sentence in sentences for word in normalise_2018(sentence).split())
        return cls([word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))])

    @classmethod
    def load(cls, path: Path) -> WordTokenizer:
        """Read a `.json` file written by `save`.

        Raises:
            TokenizerError: the file is missing, damaged, or made with another normaliser.
        """
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            normaliser, words = stored["normaliser"], [str(word) for word in stored["words"]]
        except OSError as error:
            raise TokenizerError(f"{path.name} cannot be read: {error.strerror}", path.parent) from error
        except (ValueError, KeyError, TypeError) as error:
            raise TokenizerError(f"{path.name} is not a word vocabulary: {error}", path.parent) from error
        if normaliser != cls.NORMALISER:
            problem = f"{path.name}: unknown normaliser {normaliser!r}; known: {cls.NORMALISER!r}"
            raise TokenizerError(problem, path.parent)
        return cls(words)

    @property
    def vocab_size(self) -> int:
        return len(self._pieces)

    def encode(self, text: str, sample: float = 0.0) -> list[int]:
        return [self._ids.get(word, UNK) for word in normalise_2018(text).split()]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.encode(text) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(self._pieces[id] for id in ids if id > EOS or id == UNK)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        return [SPACE + self._pieces[int(id)] for id in ids]

    def save(self, path: Path) -> None:
        words = list(self._pieces[FIRST_FREE_ID:])
        path.write_text(
            json.dumps({"normaliser": self.NORMALISER, "words": words}, ensure_ascii=False, indent=0) + "\n",
            encoding="utf-8",
        )


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in `path`, by its suffix: `.model` subwords, `.json` words.

    Raises:
        TokenizerError: unknown suffix, or the file is missing or damaged.
    """
    kinds: dict[str, type[SubwordTokenizer] | type[WordTokenizer]] = {
        ".model": SubwordTokenizer,
        ".json": WordTokenizer,
    }
    if path.suffix not in kinds:
        raise TokenizerError(f"{path.name}: a tokenizer is a .model or a .json file", path.parent)
    return kinds[path.suffix].load(path)

"""Train a SentencePiece vocabulary with our reserved pieces."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator

import sentencepiece as spm

from model.errors import TokenizerError
from model.text.ids import BOS, EOS, PAD, UNK
from model.text.tokenizer import CONTROL_PIECES, PLACEHOLDERS, SubwordTokenizer, Tokenizer, WordTokenizer


def train_tokenizer(vocabulary: str, sentences: Iterable[str], vocab_size: int) -> Tokenizer:
    """The vocabulary of one side: `word` takes every word, `subword` is `train_subwords`."""
    return WordTokenizer.train(sentences) if vocabulary == "word" else train_subwords(sentences, vocab_size)


def train_subwords(
    sentences: Iterable[str], vocab_size: int, *, kind: str = "unigram", threads: int = 2, seed: int = 1
) -> SubwordTokenizer:
    """A cased SentencePiece vocabulary of `vocab_size` pieces with byte fallback and digits one by one.

    Unigram (Kudo 2018) rather than BPE by default, because it can sample segmentations for regularisation.
    `nmt_nfkc` folds look-alike characters (full-width forms, ligatures, odd spaces) and keeps case and accents.

    Raises:
        TokenizerError: too few sentences for that many pieces.
    """
    spm.set_random_generator_seed(seed)
    written = io.BytesIO()
    try:
        spm.SentencePieceTrainer.Train(
            sentence_iterator=_lines(sentences), model_writer=written, vocab_size=vocab_size, model_type=kind,
            character_coverage=1.0 - 1e-5, byte_fallback=True, split_digits=True, normalization_rule_name="nmt_nfkc",
            pad_id=PAD, unk_id=UNK, bos_id=BOS, eos_id=EOS, pad_piece="<pad>",
            control_symbols=list(CONTROL_PIECES), user_defined_symbols=list(PLACEHOLDERS),
            num_threads=threads, input_sentence_size=600_000, shuffle_input_sentence=True, minloglevel=2,
            hard_vocab_limit=True,
        )  # fmt: skip
    except (RuntimeError, ValueError) as error:
        most = re.search(r"<= (\d+)", str(error))
        hint = f"there is text for at most {most[1]}" if most else str(error)
        raise TokenizerError(f"cannot train a vocabulary of {vocab_size} pieces: {hint}") from error
    return SubwordTokenizer(written.getvalue())


def _lines(sentences: Iterable[str]) -> Iterator[str]:
    return (sentence for sentence in sentences if sentence.strip())

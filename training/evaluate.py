"""Scores: BLEU and chrF by sacreBLEU, each with its signature, of what users would get."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from model.config import SearchConfig
from model.errors import ConfigError
from model.network.seq2seq import Seq2Seq
from model.text.tokenizer import Tokenizer
from model.translator import MAX_SOURCE_TOKENS, Translator
from model.versions.card import CARD, Card, now
from model.versions.store import BUNDLED, Version, find
from training.run.batching import Encoded
from training.run.likelihood import nats_per_token

Normalise = Callable[[str], str]


@dataclass(frozen=True)
class Scores:
    """Scores of one set of translations, 0 to 100; the signatures say how they were computed (Post 2018)."""

    bleu: float
    chrf: float
    sentences: int
    seconds: float
    """Time spent translating."""
    bleu_signature: str
    chrf_signature: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def score(hypotheses: Sequence[str], references: Sequence[str], seconds: float = 0.0) -> Scores:
    """BLEU and chrF of `hypotheses` against one reference each.

    Raises:
        ConfigError: there are none, or not as many of both.
    """
    if not hypotheses or len(hypotheses) != len(references):
        raise ConfigError(f"cannot score {len(hypotheses)} translations against {len(references)} references")
    bleu, chrf = BLEU(force=True), CHRF()  # force: no warning where the text is tokenised on purpose, as in 2018
    bleu_score = bleu.corpus_score(list(hypotheses), [list(references)]).score
    chrf_score = chrf.corpus_score(list(hypotheses), [list(references)]).score
    signatures = str(bleu.get_signature()), str(chrf.get_signature())
    return Scores(bleu_score, chrf_score, len(hypotheses), round(seconds, 3), *signatures)


def evaluate(
    translator: Translator, pairs: Sequence[tuple[str, str]], search: SearchConfig, normalise: Normalise = str
) -> tuple[Scores, list[str]]:
    """Scores and translations of `pairs` (source, reference); `normalise` is applied to both before scoring."""
    began = time.perf_counter()
    outputs = [translation.text for translation in translator.translate([source for source, _ in pairs], search)]
    seconds = time.perf_counter() - began
    references = [normalise(reference) for _, reference in pairs]
    return score([normalise(output) for output in outputs], references, seconds), outputs


def version_roots() -> list[Path]:
    """Where versions are looked for: those trained here, then those that ship with the program."""
    return [Path(os.environ.get("TRAGHETTO_DATA_DIR", "var")) / "models", BUNDLED]


def find_version(pair: str, named: str) -> Path:
    """The folder that `named` means: it itself, a version of `pair`, or, as `it-en/default`, one of any pair.

    Raises:
        VersionError: there is no such version.
    """
    folder = Path(named)
    if folder.is_dir():
        return folder
    other, _, version = named.rpartition("/")
    return find(version_roots(), other or pair, version)


def record(folder: Path, name: str, scores: dict[str, Any]) -> None:
    """Put `scores` under `name` into the card of the version in `folder`; its files and their hashes stay.

    Raises:
        VersionDamaged: there is no card of ours.
    """
    card = Card.read(folder)
    changed = replace(card, scores={**card.scores, name: scores})
    temporary = folder.parent / f".{folder.name}.card.partial"  # beside: a stranger inside would damage the version
    temporary.write_text(changed.to_json(), encoding="utf-8")
    temporary.replace(folder / CARD)


@dataclass(frozen=True)
class DevSet:
    """The held-out pairs that choose the best checkpoint of a run, translated greedily as users would get them."""

    pairs: Sequence[tuple[str, str]]
    tokenizers: tuple[Tokenizer, Tokenizer]
    pair: str
    normalise: Normalise = str
    max_source_tokens: int = MAX_SOURCE_TOKENS
    """Longer sentences are cut, as the finished version will do: `data.max_tokens`."""
    more: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    """Name -> pairs of other kinds of text."""

    def score(self, model: Seq2Seq) -> dict[str, Any]:
        """Scores of `model`, for the metrics of a run; those of `more` as `NAME bleu`, `NAME chrf` and `NAME nll`.

        `bleu_mean` is the mean over all sets. `nll` is the mean negative log-likelihood of the references' tokens, in
        nats: it tells apart what BLEU on a thousand lines cannot.
        """
        limit = {"max_source_tokens": self.max_source_tokens}
        card = Card(pair=self.pair, version="in-training", created=now(), files={}, settings=limit)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        translator = Translator(Version.of(card, model, *self.tokenizers), device)
        search = SearchConfig(retry=False)
        found = evaluate(translator, self.pairs, search, self.normalise)[0].to_dict()
        found["nll"] = self._nats_per_token(model, self.pairs)
        bleus = [found["bleu"]]
        for name, pairs in self.more.items():
            scores, _ = evaluate(translator, pairs, search, self.normalise)
            found |= {f"{name} bleu": scores.bleu, f"{name} chrf": scores.chrf}
            found[f"{name} nll"] = self._nats_per_token(model, pairs)
            bleus.append(scores.bleu)
        return {**found, "bleu_mean": sum(bleus) / len(bleus)}

    def _nats_per_token(self, model: Seq2Seq, pairs: Sequence[tuple[str, str]]) -> float:
        source, target = self.tokenizers
        encoded = [Encoded(source.encode(one)[: self.max_source_tokens], target.encode(other)) for one, other in pairs]
        lengths = [len(pair.target) + 1 for pair in encoded]  # the end mark
        means = nats_per_token(model, encoded)
        return sum(mean * length for mean, length in zip(means, lengths, strict=True)) / sum(lengths)

"""Pictures of a finished version: where its attention looks, and how its scores depend on the length of a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from model.config import SearchConfig, require
from model.network.batch import pad
from model.search.search import search
from model.text.ids import EOS
from model.text.preparation import clean
from model.versions.store import Version, load
from training.scoring.breakdown import LONGEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SENTENCES = {
    "it-en": (
        "Non ho mai visto una casa così bella.",
        "Gliel'ho detto ieri, ma non mi ha creduto.",
        "Se avessi più tempo, imparerei a suonare il piano.",
    ),
    "en-it": (
        "I have never seen such a beautiful house.",
        "I told him yesterday, but he didn't believe me.",
        "If I had more time, I would learn to play the piano.",
    ),
}
"""Of our own writing: a negation in two words, clitics, and a conditional."""
WORD_START = "\u2581"
"""SentencePiece's mark of a space."""


def draw_attention(folder: Path, path: Path, sentences: Sequence[str] = ()) -> None:
    """One heat map a sentence (default: `SENTENCES`): rows are the pieces written, columns the pieces read.

    Darker is more attention, the mean over the heads; each row adds up to 1.

    Raises:
        VersionError: there is no version in `folder`, or it is damaged.
        ConfigError: it has no attention.
    """
    version = load(folder)
    require(version.config.attention_heads > 0, f"{version.card.version} has no attention to draw")
    chosen = sentences or SENTENCES[version.card.pair]
    figure, axes = _figure(len(chosen), height=4.6)
    for axis, sentence in zip(axes, chosen, strict=True):
        _heat_map(axis, version, clean(sentence))
    figure.suptitle(f"{version.card.pair} {version.card.version}: attention")
    figure.savefig(path, dpi=110)


def draw_lengths(scores: Mapping[str, Mapping[str, Any]], path: Path, title: str) -> None:
    """BLEU by the length of the source with its 95 % interval, one panel a set.

    `scores` are those of a card, as `traghetto evaluate --breakdown --save` leaves them.

    Raises:
        ConfigError: no set in `scores` has results by length.
    """
    found = {name: values["groups"] for name, values in scores.items() if values.get("groups")}
    require(bool(found), "the card has no scores by length: run traghetto evaluate --full --save")
    figure, axes = _figure(len(found), height=3.4)
    for axis, (name, groups) in zip(axes, found.items(), strict=True):
        shown = {length: groups[length] for length in LONGEST if length in groups}
        values = [group["bleu"] for group in shown.values()]
        ends = [[abs(group["bleu"] - group["bleu_interval"][end]) for group in shown.values()] for end in (0, 1)]
        labels = [f"{length.replace(' words', '')}\n({group['sentences']})" for length, group in shown.items()]
        axis.bar(labels, values, yerr=ends, capsize=3, color="tab:blue")
        axis.set(title=name, xlabel="words of the source (sentences)", ylim=(0, 100))
        axis.tick_params(axis="x", labelsize=8)
    axes[0].set_ylabel("BLEU")
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


def _figure(panels: int, height: float) -> tuple[Any, list[Axes]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # heavy, and only needed here
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4 * panels, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, panels, squeeze=False)[0])


def _heat_map(axis: Axes, version: Version, sentence: str) -> None:
    ids = [*version.source.encode(sentence), EOS]
    limit = torch.tensor([2 * len(ids) + 10])
    with torch.inference_mode():
        state = version.model.encode(pad([ids]), torch.tensor([len(ids)]))
        hypothesis = search(version.model.step, state, limit, SearchConfig())[0][0]
    assert hypothesis.attention is not None  # the caller has seen to it
    axis.imshow(hypothesis.attention[:, : len(ids)], cmap="Blues", vmin=0, vmax=1, aspect="auto")
    read, written = [*version.source.pieces(ids[:-1]), "end"], version.target.pieces(hypothesis.tokens)
    axis.set_xticks(range(len(read)), [piece.replace(WORD_START, "_") for piece in read], fontsize=8, rotation=90)
    axis.set_yticks(range(len(written)), [piece.replace(WORD_START, "_") for piece in written], fontsize=8)

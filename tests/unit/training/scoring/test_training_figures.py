"""The pictures of a version are there, are pictures, and refuse what they cannot show."""

import pytest
import toy_corpus

from model.config import ModelConfig
from model.errors import ConfigError
from model.network.seq2seq import Seq2Seq
from model.versions import store
from training.data.subwords import train_subwords
from training.scoring.figures import SENTENCES, draw_attention, draw_lengths

PNG = b"\x89PNG"


def version(folder, heads):
    pairs = toy_corpus.pairs()
    tokenizers = tuple(train_subwords([pair[side] for pair in pairs], 330) for side in (0, 1))
    model = Seq2Seq(ModelConfig(330, 330, embedding_size=16, encoder_hidden_size=16, decoder_hidden_size=32,
                                attention_heads=heads))  # fmt: skip
    return store.save(folder, "it-en", f"heads-{heads}", model, tokenizers, {})


def test_attention_is_drawn_where_there_is_some(tmp_path):
    path = tmp_path / "attention.png"
    draw_attention(version(tmp_path, 2), path)
    ours = path.read_bytes()
    draw_attention(tmp_path / "it-en/heads-2", path, ["Il faro."])
    assert ours.startswith(PNG)
    assert path.read_bytes().startswith(PNG)
    assert path.read_bytes() != ours
    with pytest.raises(ConfigError, match="no attention to draw"):
        draw_attention(version(tmp_path, 0), path)


def test_both_directions_have_sentences_to_show():
    assert SENTENCES.keys() == {"it-en", "en-it"}
    assert {len(sentences) for sentences in SENTENCES.values()} == {3}


def test_scores_by_length_need_an_evaluation_first(tmp_path):
    group = {"sentences": 5, "bleu": 40.0, "bleu_interval": (35.0, 44.0)}
    draw_lengths({"general": {"groups": {"1–4 words": group}}, "dev": {"bleu": 1}}, tmp_path / "lengths.png", "title")
    assert (tmp_path / "lengths.png").read_bytes().startswith(PNG)
    with pytest.raises(ConfigError, match="evaluate --full --save"):
        draw_lengths({"dev": {"bleu": 1}}, tmp_path / "lengths.png", "title")

"""Scores and reports: on known texts they are what they must be."""

import json

import pytest

from model.config import ModelConfig
from model.errors import ConfigError
from model.network.seq2seq import Seq2Seq
from model.text.tokenizer import WordTokenizer
from training.evaluate import DevSet, score
from training.scoring.mistakes import dev_curves, draw_curve, read_metrics, slide


def test_equal_texts_score_100_and_the_signatures_are_there():
    texts = ["The boat leaves at eight o'clock.", "Nobody knows where the captain is."]
    scores = score(texts, texts)
    assert scores.bleu == pytest.approx(100)
    assert scores.chrf == pytest.approx(100)
    assert "version:" in scores.bleu_signature
    assert "version:" in scores.chrf_signature


def test_both_scores_go_from_0_to_100_and_fall_with_quality():
    references = ["The boat leaves at eight o'clock in the morning.", "Nobody knows where the captain is today."]
    near = score(
        ["The boat leaves at nine o'clock in the morning.", "Nobody knows where the captain is now."], references
    )
    far = score(["Xyz.", "Qrs."], references)
    assert 30 < near.bleu < 100
    assert 30 < near.chrf < 100
    assert far.bleu < 1
    assert far.chrf < near.chrf


@pytest.mark.parametrize(("outputs", "references"), [([], []), (["a"], ["a", "b"])])
def test_nothing_to_compare_is_an_error(outputs, references):
    with pytest.raises(ConfigError, match="cannot score"):
        score(outputs, references)


@pytest.mark.parametrize(("more", "limit"), [({}, 64), ({"max_source_tokens": 100}, 100)], ids=["default", "given"])
def test_dev_sentences_are_cut_where_the_finished_version_will_cut_them(more, limit, monkeypatch):
    tokenizer = WordTokenizer.train(["mare isola porto"])
    size = tokenizer.vocab_size
    model = Seq2Seq(ModelConfig(size, size, embedding_size=8, encoder_hidden_size=8, decoder_hidden_size=16))
    limits = []

    def evaluate(translator, *_):
        limits.append(translator.max_source_tokens)
        return score(["mare"], ["mare"]), ["mare"]

    monkeypatch.setattr("training.evaluate.evaluate", evaluate)
    DevSet([("mare", "mare")], (tokenizer, tokenizer), "it-en", **more).score(model.eval())
    assert limits == [limit]


def test_other_kinds_of_text_are_scored_beside_and_count_alike(monkeypatch):
    tokenizer = WordTokenizer.train(["mare isola porto"])
    size = tokenizer.vocab_size
    model = Seq2Seq(ModelConfig(size, size, embedding_size=8, encoder_hidden_size=8, decoder_hidden_size=16))
    found = {"mare": score(["mare"], ["mare"]), "isola": score(["Xyz."], ["isola"])}
    monkeypatch.setattr("training.evaluate.evaluate", lambda _, pairs, *__: (found[pairs[0][0]], []))
    dev = DevSet([("mare", "mare")], (tokenizer, tokenizer), "it-en", more={"general.dev": [("isola", "isola")]})
    scores = dev.score(model.eval())
    assert scores["bleu"] == found["mare"].bleu
    assert (scores["general.dev bleu"], scores["general.dev chrf"]) == (found["isola"].bleu, found["isola"].chrf)
    assert scores["bleu_mean"] == pytest.approx((found["mare"].bleu + found["isola"].bleu) / 2)


def test_the_loss_of_a_dev_set_is_that_of_its_tokens(monkeypatch):
    tokenizer = WordTokenizer.train(["mare isola porto"])
    size = tokenizer.vocab_size
    model = Seq2Seq(ModelConfig(size, size, embedding_size=8, encoder_hidden_size=8, decoder_hidden_size=16)).eval()
    monkeypatch.setattr("training.evaluate.evaluate", lambda *_: (score(["mare"], ["mare"]), []))
    pairs = [("mare", "mare"), ("isola", "isola porto mare")]
    scores = DevSet(pairs, (tokenizer, tokenizer), "it-en", more={"first": pairs[:1], "second": pairs[1:]}).score(model)
    # the end mark counts: two tokens of the first pair, four of the second
    assert scores["nll"] == pytest.approx((2 * scores["first nll"] + 4 * scores["second nll"]) / 6)
    assert scores["first nll"] != pytest.approx(scores["second nll"])


def test_a_slide_has_source_reference_and_output():
    assert slide([("lei e bella .", "you are beautiful .", "she is beautiful .")]) == (
        "> lei e bella .\n= you are beautiful .\n< she is beautiful .\n"
    )


def test_the_curve_is_drawn_from_the_metrics_and_a_cut_line_is_left_out(tmp_path):
    rows = [{"step": step, "seconds": step * 3.0, "tokens": step * 1000, "nll": 5 / step} for step in range(1, 40)]
    rows += [{"step": 40, "seconds": 120.0, "tokens": 40_000, "dev": {"bleu": 12.5, "news bleu": 3.5, "chrf": 40.0}}]
    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + '\n{"step": 41, "sec')
    assert read_metrics(path) == rows
    assert dev_curves(rows) == {"dev": [(0.04, 12.5)], "news": [(0.04, 3.5)]}
    draw_curve(read_metrics(path), tmp_path / "curve.png", "a run")
    assert (tmp_path / "curve.png").stat().st_size > 5000

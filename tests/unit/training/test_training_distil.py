"""What teachers say, as a table for a student."""

import gzip
import shutil

import pytest
import torch
import toy_corpus
from cli_kit import in_process, succeeded
from rich.console import Console

from model.config import ModelConfig
from model.errors import ConfigError
from model.network.seq2seq import Seq2Seq
from model.text.ids import EOS
from model.translator import Translator
from model.versions import store
from training import distil as module
from training.data.subwords import train_subwords
from training.distil import DistilOptions, distil, nearest

QUIET = Console(quiet=True)
SIZES = {"embedding_size": 16, "encoder_hidden_size": 16, "decoder_hidden_size": 32, "encoder_layers": 1,
         "decoder_layers": 1, "dropout": 0.0}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two untrained teachers, `one` and `two`, and `other` with another vocabulary; a corpus with a held-out pair."""
    folder = tmp_path_factory.mktemp("distil")
    pairs = toy_corpus.pairs()[:40]
    rows = ["\t".join(pair) + "\n" for pair in pairs]
    (folder / "data").mkdir()
    (folder / "data/tatoeba.train.tsv").write_text("".join(rows[:20]))
    (folder / "data/tatoeba.test.tsv").write_text(rows[3])
    tokenizers = [train_subwords([pair[side] for pair in pairs], 320 + side) for side in (0, 1)]
    fewer = train_subwords([pair[0] for pair in pairs], 318)
    for seed, name in enumerate(("one", "two", "other")):
        torch.manual_seed(seed)
        source = fewer if name == "other" else tokenizers[0]
        model = Seq2Seq(ModelConfig(source.vocab_size, tokenizers[1].vocab_size, **SIZES))
        model.output.bias.data[EOS] = 2.0  # or a network that has learnt nothing would never end
        store.save(folder / "models", "it-en", name, model, (source, tokenizers[1]), {})
    return folder


@pytest.fixture(autouse=True)
def _roots(place, monkeypatch):
    monkeypatch.setattr(module, "version_roots", lambda: [place / "models"])


def test_the_table_has_the_sources_as_they_are_and_no_held_out_pair(place, tmp_path):
    options = DistilOptions("it-en", ("one", "two"), beam=2)
    count = distil(options, place / "data", tmp_path / "distilled.tsv.gz", QUIET)
    with gzip.open(tmp_path / "distilled.tsv.gz", "rt") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    sources = [line.split("\t")[0] for line in (place / "data/tatoeba.train.tsv").read_text().splitlines()]
    assert count == len(rows) > 0
    assert {row[0] for row in rows} <= set(sources) - {sources[3]}
    assert [path.name for path in tmp_path.iterdir()] == ["distilled.tsv.gz"]


def test_an_ensemble_of_one_model_twice_says_what_the_model_says(place):
    folder = place / "models/it-en/one"
    alone, twice = Translator.load(folder, "cpu", "fp32"), Translator.load_together([folder, folder], "cpu", "fp32")
    texts = [pair[0] for pair in toy_corpus.pairs()[:5]]
    for ours, theirs in zip(alone.translate(texts), twice.translate(texts), strict=True):
        assert ours.text == theirs.text
        assert ours.score == pytest.approx(theirs.score, abs=1e-4)


def test_an_ensemble_lies_between_its_members(place):
    folders = [place / "models/it-en" / name for name in ("one", "two")]
    text, start = "La ragazza vede il faro.", "The girl"
    scores = [
        Translator.load_together(chosen, "cpu").translate([text], prefixes=[start])[0].words[0].confidence
        for chosen in ([folders[0]], [folders[1]], folders)
    ]
    assert min(scores[:2]) <= scores[2] <= max(scores[:2])


def test_teachers_must_share_their_vocabularies(place, tmp_path):
    options = DistilOptions("it-en", ("one", "other"))
    with pytest.raises(ConfigError, match="other vocabularies"):
        distil(options, place / "data", tmp_path / "distilled.tsv.gz", QUIET)


def test_a_machine_with_another_teacher_of_that_name_ends_the_work(place, tmp_path, monkeypatch):
    shutil.copytree(place / "models/it-en/two", tmp_path / "models/it-en/one")

    def share_elsewhere(make, chunks):
        monkeypatch.setattr(module, "version_roots", lambda: [tmp_path / "models"])
        return map(make(), chunks)

    with pytest.raises(ConfigError, match=r"it-en/one of .* is another model than where the work was begun"):
        distil(DistilOptions("it-en", ("one",)), place / "data", tmp_path / "out.tsv.gz", QUIET, share_elsewhere)


@pytest.mark.parametrize(("given", "sent"), [("auto", "cpu"), ("cuda", "cuda")])
def test_actors_are_told_a_device(place, tmp_path, monkeypatch, given, sent):
    """One without a GPU of its own may see those of its machine, and `auto` would take one."""
    from app.corpora.sharing import cluster

    found = []
    monkeypatch.setattr(cluster, "connect", lambda: None)
    monkeypatch.setattr(module, "distil", lambda options, *others: found.append(options.device) or 0)
    succeeded(in_process(
        "distil", "--pair", "it-en", "--data", place / "data", "--out", tmp_path / "out.tsv.gz", "--cluster",
        "--device", given,
    ))  # fmt: skip
    assert found == [sent]


def test_mistakes_are_named(place, tmp_path):
    with pytest.raises(ConfigError, match="no table europarl"):
        distil(DistilOptions("it-en", ("one",), ("europarl",)), place / "data", tmp_path / "out.tsv.gz", QUIET)
    with pytest.raises(ConfigError, match="keep must be"):
        DistilOptions("it-en", keep="worst")


def test_the_nearest_is_kept_and_of_equals_the_first():
    assert nearest(["A cat sleeps.", "The cat is sleeping.", "Dogs bark."], "The cat sleeps.") != "Dogs bark."
    assert nearest(["Hello!", "The cat sleeps."], "The cat sleeps.") == "The cat sleeps."
    assert nearest(["xx", "yy"], "The cat sleeps.") == "xx"

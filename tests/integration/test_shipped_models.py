"""The models that ship: whole, as good as their cards say, and the same sentence whatever stands beside it."""

import gzip
import json
from pathlib import Path

import pytest

from benchmarks.sentences import sentences
from model.config import SearchConfig
from model.kernels.int8 import Int8Network
from model.kernels.native import programs
from model.kernels.quantize import fast_int8
from model.routes import Chosen
from model.torch_search import TorchSearcher
from model.translator import Translator
from model.versions.store import BUNDLED, find, list_versions, load, verify
from training.data.assemble import turned
from training.evaluate import evaluate

pytestmark = pytest.mark.weights
ENGLISH = ["We live in a small blue house.", "When does the train leave?"]


@pytest.fixture(scope="module")
def translator() -> Translator:
    return Translator.load(find([BUNDLED], "it-en"), "cpu")


def corpus_lines(folder: Path, name: str, count: int) -> list[tuple[str, str]]:
    with gzip.open(folder / f"{name}.tsv.gz", "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line, _ in zip(file, range(count), strict=False)]
    return [(row[0], row[1]) for row in rows]


def test_the_versions_that_the_readme_names_are_there():
    found = {(info.pair, info.version) for info in list_versions([BUNDLED])}
    assert {("it-en", name) for name in ("default", "stan-2018", "stan-2018-attention")} <= found
    assert ("en-it", "default") in found


@pytest.mark.parametrize("info", list_versions([BUNDLED]), ids=lambda info: f"{info.pair}/{info.version}")
def test_every_shipped_version_is_whole_and_small(info):
    card = verify(info.folder)
    assert info.size_bytes <= 40_000_000
    assert card.scores, "a card without scores says nothing"
    assert card.data, "a card must name its data"


def test_the_sentence_of_the_readme(translator):
    text = translator.translate(["La ringrazio, ma sono già stato a Roma due volte."])[0].text.lower()
    assert "thank" in text
    assert "rome" in text
    assert "twice" in text or "two times" in text


def test_the_published_sentences_of_2018():
    """First regression tests: the mistakes of the 2018 slides that have a legible source."""
    rows = (
        (Path(__file__).parents[2] / "training/sets/it-en/published-2018.tsv").read_text(encoding="utf-8").splitlines()
    )
    sources = [row.split("\t")[0] for row in rows[1:] if not row.startswith("-")]
    found = [one.text.lower() for one in Translator.load(find([BUNDLED], "it-en"), "cpu").translate(sources)]
    assert len(found) == 4
    assert "beautiful" in found[0]
    assert "famous singer" in found[1]
    assert "vacation" in found[2] or "holiday" in found[2]
    assert "week" in found[3]


def test_the_other_direction_translates_too():
    found = [one.text for one in Translator.load(find([BUNDLED], "en-it"), "cpu").translate(ENGLISH)]
    assert "casa" in found[0]
    assert "blu" in found[0] or "azzurr" in found[0]
    assert "treno" in found[1]
    assert "?" in found[1]


def test_careless_typing_is_understood(translator):
    clean, careless = translator.translate(["Perché lei è bella?", "perche lei e bella"])
    assert "beautiful" in clean.text.lower()
    assert "beautiful" in careless.text.lower()


@pytest.mark.corpus
@pytest.mark.parametrize("pair", ["it-en", "en-it"])
def test_dev_bleu_is_what_the_card_says(pair, corpus_dir):
    pairs = corpus_lines(corpus_dir, "tatoeba.dev", 1000)
    translator = Translator.load(find([BUNDLED], pair), "cpu")
    scores, _ = evaluate(translator, pairs if pair == "it-en" else turned(pairs), SearchConfig())
    assert scores.bleu == pytest.approx(translator.card.scores["dev"]["bleu"], abs=0.6)


@pytest.mark.corpus
@pytest.mark.parametrize(("route", "lines", "allowed"), [("fp32", 120, 1), ("int8", 2000, 0)])
def test_a_sentence_translates_the_same_alone_and_in_any_batch(corpus_dir, route, lines, allowed):
    """Lines alone and together. In 8 bits all agree, since sums are exact. In fp32 nearly all: a matrix product
    of another height may sum in another order, and a tie within that rounding turns."""
    if route == "int8" and not (fast_int8("cpu") or programs()):
        pytest.skip("this CPU has no 8-bit products")
    sources = [source for source, _ in corpus_lines(corpus_dir, "tatoeba.dev", lines)]
    translator = Translator.load(find([BUNDLED], "it-en"), "cpu", route)
    together = [one.text for one in translator.translate(sources)]
    alone = [translator.translate([source])[0].text for source in sources]
    different = [pair for pair in zip(alone, together, strict=True) if pair[0] != pair[1]]
    assert len(different) <= allowed, json.dumps(different[:5], ensure_ascii=False)


@pytest.mark.native
@pytest.mark.parametrize("search", [SearchConfig(), SearchConfig(beam=4, n_best=4)], ids=["greedy", "beam"])
@pytest.mark.parametrize("pair", ["it-en", "en-it"])
def test_decode_c_translates_like_pytorch_with_the_same_bits(translator, pair, search):
    """But for ties: a sum at the edge between two 8-bit numbers rounds to one or the other."""
    version = load(find([BUNDLED], pair))
    slow = Chosen(TorchSearcher(Int8Network(version.model), "cpu"), "cpu", "int8", "PyTorch", 1)
    ours = sentences(100)
    if pair == "en-it":
        ours = [one.text for one in translator.translate(ours)]
    fast = Translator(version, "cpu").translate(ours, search)
    reference = Translator(version, chosen=slow).translate(ours, search)
    same = sum(one.text == other.text for one, other in zip(fast, reference, strict=True))
    assert same >= 0.9 * len(ours)
    close = sum(abs(one.score - other.score) < 0.02 for one, other in zip(fast, reference, strict=True))
    assert close >= 0.9 * len(ours)

"""The translator's door: order, batches, odd texts, long texts, prefixes, alternatives, words and alignment."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from translations import said

from model import routes
from model.batches import MOST_OVER, SHARED_FROM_TOKENS, plan_batches
from model.config import ModelConfig, SearchConfig
from model.errors import ConfigError, SearchError, VersionNotFound
from model.kernels import native
from model.kernels.quantize import fast_int8
from model.network.seq2seq import Seq2Seq
from model.part_search import PLACEHOLDER_IDS
from model.sentences import GuardedSentences
from model.text.ids import EOS
from model.text.preparation import is_shouted
from model.text.tokenizer import FIRST_FREE_ID, PLACEHOLDERS, SubwordTokenizer, WordTokenizer
from model.translator import Translation, Translator
from model.versions.card import Card
from model.versions.store import Version, save
from training.data.subwords import train_subwords

SENTENCES = [
    "Il gatto dorme sul divano.", "Lei è una cantante famosa.", "Vorrei un bicchiere d'acqua, per favore.",
    "Domani andiamo al mare con gli amici.", "Quanto costa questo libro?", "Non so che cosa dire!",
    "The cat sleeps on the sofa.", "She is a famous singer.", "I would like a glass of water, please.",
    "Tomorrow we are going to the sea with our friends.", "How much is this book?", "I don't know what to say!",
]  # fmt: skip


SHORT = SearchConfig(max_length_factor=0.3, max_length_extra=6, retry=False)
"""Random networks babble: a low limit saves time, and every translation would be tried again (test_model_retry.py)."""


@cache
def subwords() -> SubwordTokenizer:
    return train_subwords(SENTENCES * 3, 380, threads=1)


def network(change: Callable[[Seq2Seq], None] | None = None, **settings_: object) -> Seq2Seq:
    """Random weights, sharp enough that nearly equal logits are rare."""
    torch.manual_seed(7)
    size = subwords().vocab_size
    values = {"source_vocab_size": size, "target_vocab_size": size, "embedding_size": 24, "encoder_hidden_size": 16,
              "decoder_hidden_size": 32, "encoder_layers": 1, "decoder_layers": 2, "attention_heads": 1}  # fmt: skip
    model = Seq2Seq(ModelConfig.from_dict({**values, **settings_}))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                parameter.mul_(2)
        model.output.bias[EOS] = 6.0
        if change is not None:
            change(model)
    return model


def translator(
    change: Callable[[Seq2Seq], None] | None = None, batch_tokens: int = 4096, limit: int = 40, **settings_: object
) -> Translator:
    card = Card("it-en", "test", "2026-01-01", {}, settings={"max_source_tokens": limit})
    version = Version.of(card, network(change, **settings_).eval(), subwords(), subwords())
    return Translator(version, "cpu", "fp32", batch_tokens)


def say(token: int, bias: float = 40.0) -> Callable[[Seq2Seq], None]:
    """A change after which the network wants nothing but `token`."""

    def change(model: Seq2Seq) -> None:
        model.output.bias[token] += bias

    return change


def texts_only(translations: list[Translation]) -> list[str]:
    return [translation.text for translation in translations]


# --- order and batches -------------------------------------------------------------------------------------------


def test_the_order_of_the_texts_is_kept_across_batches() -> None:
    model = translator(batch_tokens=40)
    texts = [*SENTENCES, "", "42", *reversed(SENTENCES)]
    together = texts_only(model.translate(texts, SHORT))
    assert together == [model.translate([text], SHORT)[0].text for text in texts]
    assert len(set(together)) > len(SENTENCES) / 2  # the random network tells the sentences apart


@pytest.mark.parametrize("heads", [0, 1, 2])
@pytest.mark.parametrize("beam", [1, 3])
def test_a_sentence_translates_the_same_alone_and_in_any_batch(heads: int, beam: int) -> None:
    search = replace(SHORT, beam=beam, n_best=beam)
    single = translator(attention_heads=heads)
    alone = [single.translate([text], search)[0] for text in SENTENCES]
    for budget in (1, 60, 4096):
        together = translator(batch_tokens=budget, attention_heads=heads).translate(SENTENCES, search)
        for one, other in zip(alone, together, strict=True):
            assert (one.text, one.truncated) == (other.text, other.truncated)
            assert texts_only(list(one.alternatives)) == texts_only(list(other.alternatives))
            assert one.score == pytest.approx(other.score, abs=1e-4)
            assert one.alignment == other.alignment


@settings(deadline=None)
@given(
    lengths=st.lists(st.one_of(st.none(), st.integers(0, 50)), max_size=60),
    budget=st.integers(1, 200),
    threads=st.integers(1, 3),
)
@example(lengths=[64, *[1] * 1000], budget=512, threads=2)  # equal work is not equal padding
def test_batches_hold_each_text_once_within_the_budget(lengths: list[int | None], budget: int, threads: int) -> None:
    batches = plan_batches(lengths, budget, threads)
    rows = sorted(row for batch in batches for row in batch)
    assert rows == [row for row, length in enumerate(lengths) if length is not None]
    for batch in batches:
        padded = len(batch) * max((lengths[row] or 0) + 1 for row in batch)
        assert padded <= (budget if threads == 1 else MOST_OVER * budget) or len(batch) == 1


@pytest.mark.parametrize("count", [1, 2, 8, 32, 64, 300])
def test_each_thread_gets_as_many_batches_of_equal_work(count: int) -> None:
    lengths = [20 + row % 9 for row in range(count)]
    batches = plan_batches(lengths, 2048, threads=2)
    assert sorted(row for batch in batches for row in batch) == list(range(count))
    work = [sum(lengths[row] + 1 for row in batch) for batch in batches]
    if sum(work) < SHARED_FROM_TOKENS:
        assert len(batches) == 1, "too little to share"
    else:
        assert len(batches) % 2 == 0
        assert max(work) - min(work) <= 2 * 30


def test_capitals_are_translated_as_if_they_were_not() -> None:
    loud, calm = translator().translate(["IL GATTO DORME SUL DIVANO.", "Il gatto dorme sul divano."])
    assert loud.text == calm.text.upper() != ""
    assert [word.text for word in loud.words] == loud.text.split()
    assert loud.alignment == calm.alignment
    assert loud.score == pytest.approx(calm.score, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "shouted"),
    [
        ("CIAO A TUTTI!", True),
        ("NATO", False),
        ("Il PC è ROTTO", False),
        ("1 2 3", False),
        ("È L'ORA", True),
        ("", False),
    ],
)
def test_what_is_shouted(text: str, shouted: bool) -> None:
    assert is_shouted(text) is shouted


# --- odd texts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " ", "\t\n \u00a0", "\u200b", "\x00\x07"])
def test_an_empty_text_stays_empty(text: str) -> None:
    result = translator().translate([text, SENTENCES[0]])
    assert result[0] == Translation("", 0.0)
    assert result[1].text


@pytest.mark.parametrize(
    "text",
    ["42", "+39 06 123 45 67", "😀", "👩‍👩‍👧 🇮🇹", "...", "?!", "—", "https://example.org/a?b=c",
     "www.example.org", "info@example.org", "http://a.example 12 b@example.org", "10/11/2026", "日本", "B2B"],
)  # fmt: skip
def test_what_has_nothing_to_translate_is_copied(text: str) -> None:
    (result,) = translator().translate([text])
    assert (result.text, result.copied, result.truncated, result.score) == (text, True, False, 0.0)
    assert result.alignment == tuple((index, index) for index in range(len(text.split())))


@pytest.mark.parametrize(("text", "wanted"), [("1.234,56", "1,234.56"), ("€ 5,00", "€5.00"), ("5 kg", "5 kg")])
def test_what_is_a_number_is_written_as_the_other_language_does(text: str, wanted: str) -> None:
    (result,) = translator().translate([text])
    assert (result.text, result.copied, result.score) == (wanted, True, 0.0)
    assert all(word < len(text.split()) for word, _ in result.alignment)


def test_quotes_with_a_backslash_come_back_so() -> None:
    guarded = GuardedSentences.of([r"L\'amico dice \"sì\"", "l'amico"], ["", ""], "it")
    assert guarded.texts == ['L\'amico dice "sì"', "l'amico"]
    friend = said('The friend\'s "yes"')
    found = guarded.restored([friend, friend])
    assert [one.text for one in found] == [r"The friend\'s \"yes\"", 'The friend\'s "yes"']
    assert [word.text for word in found[0].words] == found[0].text.split()


@pytest.mark.parametrize("text", ["a", "vedi www.example.org", "ciao😀"])
def test_what_has_a_word_in_it_is_not_copied(text: str) -> None:
    (result,) = translator().translate([text])
    assert not result.copied


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.text(alphabet=st.characters(codec=None, categories=None), max_size=60), max_size=6))
@example(texts=["6Á\U000cf02a"])  # comes out as a lone control character
@example(texts=["\U000f0000"])  # a sign, as tags have
def test_any_strings_at_all_are_translated(texts: list[str]) -> None:
    results = shared().translate(texts, SHORT)
    assert len(results) == len(texts)
    for text, result in zip(texts, results, strict=True):
        assert len(result.text.splitlines()) <= max(1, len(text.splitlines()))
        assert [word.text for word in result.words] == result.text.split() or "\ufffd" in result.text
        assert all(0 <= word.confidence <= 1 for word in result.words)


@cache
def shared() -> Translator:
    return translator()


# --- long texts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        (" ".join(SENTENCES[:6]), SENTENCES[:6]),
        ("Domani andiamo al mare, con gli amici; lei dorme: un bicchiere d'acqua",
         ["Domani andiamo al mare, con gli amici;", "lei dorme: un bicchiere d'acqua"]),
    ],
)  # fmt: skip
def test_sentences_and_the_clauses_of_long_ones_are_translated_apart(text: str, pieces: list[str]) -> None:
    model = translator()
    (result,) = model.translate([text], SHORT)
    parts = model.translate(pieces, SHORT)
    assert result.split and not any(part.split for part in parts)
    assert result.text == " ".join(part.text for part in parts)
    assert [word.text for word in result.words] == result.text.split()
    total_words = len(text.split())
    aligned = {source for source, _ in result.alignment}
    assert max(aligned) < total_words and max(aligned) >= total_words - len(pieces[-1].split())
    assert min(parts, key=lambda part: part.score).score <= result.score <= max(part.score for part in parts)


def test_lines_are_sentences_here_as_in_the_server() -> None:
    """The server planned the text as it was, the command line and the gate a line of it."""
    text = "Orario invernale\nIl gatto dorme sul divano"
    (result,) = translator().translate([text], SHORT)
    lines = translator().translate(text.split("\n"), SHORT)
    assert result.split and result.text == "\n".join(line.text for line in lines)


def test_capitals_do_not_hide_where_a_sentence_begins() -> None:
    loud, calm = translator().translate(["NON SO CHE DIRE! IL GATTO DORME.", "Non so che dire! Il gatto dorme."], SHORT)
    assert loud.text == calm.text.upper() and loud.split


def test_a_text_whose_translation_is_begun_is_not_cut_at_its_sentences() -> None:
    """The beginning may reach beyond the first one."""
    text = " ".join(SENTENCES[:2])
    begun = "The cat sleeps on the sofa. She is"
    (result,) = translator(limit=100).translate([text], SHORT, prefixes=[begun])
    assert result.text.startswith(begun) and not result.split


def test_two_thousand_words_without_a_full_stop_are_all_translated() -> None:
    generator = random.Random(1)
    words = [word for sentence in SENTENCES[:6] for word in sentence.rstrip(".?!").split()]
    text = " ".join(generator.choice(words) for _ in range(2_000))
    (result,) = translator(limit=100).translate([text], SHORT)
    assert result.split
    assert max(source for source, _ in result.alignment) > 1_900


def test_a_word_that_cannot_be_one_is_copied_and_the_rest_translated() -> None:
    model = translator(limit=40)
    endless = "a" * 1_000
    alone, among = model.translate([endless, f"Il gatto {endless} dorme."])
    assert alone.text == endless and alone.copied
    assert endless in among.text.split() and among.split and not among.copied


# --- what may be generated ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("beam", [1, 3])
def test_special_and_reserved_pieces_are_never_generated(beam: int) -> None:
    def love_the_forbidden(model: Seq2Seq) -> None:
        model.output.bias[:EOS] += 50
        model.output.bias[EOS + 1 : FIRST_FREE_ID] += 50

    results = translator(love_the_forbidden).translate(SENTENCES, replace(SHORT, beam=beam, n_best=beam))
    for result in results:
        for text in texts_only([result, *result.alternatives]):
            assert "<" not in text


@pytest.mark.parametrize("beam", [1, 3])
def test_a_placeholder_is_generated_for_the_source_that_has_it_and_no_other(beam: int) -> None:
    wanted = say(PLACEHOLDER_IDS[3])
    assert subwords().pieces([PLACEHOLDER_IDS[3]]) == [PLACEHOLDERS[3]]
    search = SearchConfig(beam=beam, max_token_run=1)
    with_it, without, with_another = translator(wanted).translate(
        ["Il <ph3> dorme.", "Il gatto dorme.", "Il <ph1> dorme."], search
    )
    assert "<ph3>" in with_it.text
    assert "<ph3>" not in without.text
    assert "<ph3>" not in with_another.text


def test_runs_are_cut_unless_the_source_has_them() -> None:
    (zero,) = (id for id in range(FIRST_FREE_ID, subwords().vocab_size) if subwords().pieces([id]) == ["<0x30>"])
    short, long = translator(say(zero, 80.0)).translate(["Sono 100 gatti", "Sono 10000000 gatti"])
    assert "0" * 4 in short.text and "0" * 5 not in short.text
    assert "0" * 7 in long.text and "0" * 8 not in long.text


# --- search ------------------------------------------------------------------------------------------------------


def test_a_translation_that_met_the_length_limit_says_so() -> None:
    never_ends = translator(say(EOS, -90.0))
    search = SearchConfig(max_length_factor=1.0, max_length_extra=3)
    (result,) = never_ends.translate([SENTENCES[0]], search)
    assert result.truncated
    (at_once,) = translator(say(EOS, 90.0)).translate([SENTENCES[0]], search)
    assert len(at_once.words) == 1 and not at_once.truncated  # never empty, however much the network wants it


@pytest.mark.parametrize("beam", [1, 3])
def test_translations_begin_with_their_forced_prefix(beam: int) -> None:
    prefixes = ["The cat", "", "I would like a glass of water, please. The sea, the sea, the sea"]
    search = SearchConfig(beam=beam, n_best=beam, max_length_factor=0.1, max_length_extra=2)
    model = translator()
    free = model.translate(SENTENCES[:3], search)
    for result, prefix, without in zip(model.translate(SENTENCES[:3], search, prefixes), prefixes, free, strict=True):
        assert result.text.startswith(prefix)
        assert all(text.startswith(prefix) for text in texts_only(list(result.alternatives)))
        if not prefix:
            assert result.text == without.text
            assert result.score == pytest.approx(without.score, abs=1e-4)  # in another batch sums have another order


def test_a_prefix_is_obeyed_where_the_text_would_have_been_copied() -> None:
    (result,) = translator().translate(["42"], prefixes=["The cat"])
    assert result.text.startswith("The cat")


def test_the_prefix_of_a_split_text_goes_to_its_beginning_only() -> None:
    (result,) = translator(limit=30).translate([" ".join(SENTENCES[:6])], SHORT, prefixes=["The cat sleeps"])
    assert result.split
    assert result.text.startswith("The cat sleeps") and result.text.count("The cat sleeps") == 1


def test_as_many_prefixes_as_texts_are_needed() -> None:
    with pytest.raises(SearchError, match="2 texts came with 1 prefixes"):
        translator().translate(["a", "b"], prefixes=["c"])


def test_alternatives_differ_from_the_translation_and_from_each_other() -> None:
    results = translator().translate(SENTENCES, replace(SHORT, beam=5, n_best=5))
    assert any(len(result.alternatives) == 4 for result in results)
    for result in results:
        texts = texts_only([result, *result.alternatives])
        assert len(set(texts)) == len(texts)
    assert all(not result.alternatives for result in translator().translate(SENTENCES, replace(SHORT, beam=5)))


def test_a_split_text_has_alternatives_for_the_whole() -> None:
    (result,) = translator(limit=30).translate([" ".join(SENTENCES[:4]) + " 42!"], replace(SHORT, beam=3, n_best=3))
    assert result.split and result.alternatives
    assert all(alternative.split for alternative in result.alternatives)


def test_the_score_is_the_mean_log_probability_of_the_tokens() -> None:
    last = subwords().vocab_size - 1
    (certain,) = translator(say(last, 90.0)).translate([SENTENCES[0]], SearchConfig(max_token_run=0))
    assert certain.truncated and certain.score == pytest.approx(0.0, abs=1e-6)
    (doubtful,) = translator().translate([SENTENCES[0]])
    assert doubtful.score < -0.001


# --- words and alignment -----------------------------------------------------------------------------------------


def test_a_network_without_attention_gives_words_without_alignment() -> None:
    results = translator(attention_heads=0).translate(SENTENCES, SHORT)
    assert any(result.words for result in results)
    assert all(result.alignment == () for result in results)


def test_words_are_those_of_the_text_and_point_into_the_source() -> None:
    for text, result in zip(SENTENCES, translator().translate(SENTENCES, SHORT), strict=True):
        assert [word.text for word in result.words] == result.text.split()
        assert all(0 <= index < len(text.split()) for word in result.words for index in word.source_words)
        assert result.alignment == tuple((word.source_words[0], i) for i, word in enumerate(result.words))


# --- loading -----------------------------------------------------------------------------------------------------


def test_a_saved_version_is_loaded_with_its_card(tmp_path: Path) -> None:
    about = {"settings": {"max_source_tokens": 77}, "scores": {"bleu": 1.5}}
    folder = save(tmp_path, "it-en", "first", network(), (subwords(), subwords()), about)
    loaded = Translator.load(folder, "cpu", "fp32")
    assert (loaded.pair, loaded.version, loaded.route, loaded.max_source_tokens) == ("it-en", "first", "fp32", 77)
    assert loaded.device == "cpu"
    assert loaded.config == network().config
    assert loaded.card.scores == {"bleu": 1.5}
    assert loaded.translate(SENTENCES[:1])[0].words
    assert Translator.load(folder, "cpu").route in ("fp32", "bf16", "int8")


@pytest.mark.parametrize("route", ["bf16", "int8"])
def test_the_narrow_routes_translate_too(route: str) -> None:
    version = Version.of(Card("it-en", "test", "2026-01-01", {}), network(), subwords(), subwords())
    if route == "int8" and not (fast_int8("cpu") or (native.supports(version.config) and native.programs())):
        pytest.skip("this CPU has no 8-bit products for a network of this shape")
    results = Translator(version, "cpu", route).translate(SENTENCES, replace(SHORT, beam=2))
    assert any(result.text for result in results)
    assert all(result.score <= 0 for result in results)


def test_who_translates_slowly_for_want_of_a_compiler_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    version = Version.of(Card("it-en", "test", "2026-01-01", {}), network(), subwords(), subwords())
    monkeypatch.setattr(native, "supports", lambda config: True)
    monkeypatch.setattr(native, "programs", list)
    for missing, warned in ((False, []), (True, ["WARNING"])):
        routes._warn.cache_clear()
        monkeypatch.setattr(routes, "is_uncompiled", lambda missing=missing: missing)
        assert routes.choose(version, "cpu").program == routes.choose(version, "cpu").program == "PyTorch"
        assert [record.levelname for record in caplog.records] == warned
    assert "make native" in caplog.text


def test_unknown_devices_routes_and_folders_are_refused(tmp_path: Path) -> None:
    folder = save(tmp_path, "it-en", "first", network(), (subwords(), subwords()), {})
    with pytest.raises(ConfigError, match="device must be"):
        Translator.load(folder, "tpu")
    with pytest.raises(ConfigError, match="route"):
        Translator.load(folder, "cpu", "fp8")
    with pytest.raises(VersionNotFound):
        Translator.load(tmp_path / "it-en" / "second")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="no CUDA device"):
            Translator.load(folder, "cuda")


@pytest.mark.parametrize("value", [0, -1, "many", 2.5])
def test_a_card_with_an_impossible_limit_is_refused(value: object) -> None:
    card = Card("it-en", "test", "2026-01-01", {}, settings={"max_source_tokens": value})
    with pytest.raises(ConfigError, match="max_source_tokens"):
        Translator(Version.of(card, network(), subwords(), subwords()), "cpu", "fp32")


def test_tokens_are_counted_as_the_network_reads_them() -> None:
    model = translator()
    assert model.count_tokens([]) == []
    assert model.count_tokens(["", "Il gatto"]) == [1, len(subwords().encode("Il gatto")) + 1]
    assert model.count_tokens([" Il\ngatto\x00 "]) == model.count_tokens(["Il gatto"])


def test_a_version_of_whole_words_translates(tmp_path: Path) -> None:
    source, target = WordTokenizer.train(SENTENCES[:6]), WordTokenizer.train(SENTENCES[6:])
    torch.manual_seed(1)
    config = ModelConfig(
        source.vocab_size, target.vocab_size, embedding_size=12, encoder_layers=2, encoder_hidden_size=12,
        bidirectional=False, decoder_layers=2, decoder_hidden_size=12, attention_heads=0, layer_norm=False,
    )  # fmt: skip
    folder = save(tmp_path, "it-en", "words", Seq2Seq(config), (source, target), {})
    (result,) = Translator.load(folder, "cpu", "fp32").translate(["Il gatto SCONOSCIUTO dorme."])
    assert "<" not in result.text and result.text

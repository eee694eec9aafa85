"""decode.c finds what PyTorch finds with the same 8-bit weights; without it everything goes on."""

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from model.config import ModelConfig, SearchConfig
from model.errors import SearchError
from model.kernels import native_library
from model.kernels.int8 import Int8Network
from model.kernels.native import NativeDecoder, programs, supports
from model.network.seq2seq import Seq2Seq
from model.network.weights import weights_of
from model.search.request import Request
from model.text.alignment import coverage, on_words
from model.text.ids import EOS
from model.torch_search import TorchSearcher

CONFIG = ModelConfig(
    90, 77, embedding_size=32, encoder_layers=3, encoder_hidden_size=32, decoder_layers=3, decoder_hidden_size=64,
    attention_heads=2,
)  # fmt: skip
SOURCES = [[40 + (row * 7 + place) % 50 for place in range(1 + row * 5 % 17)] + [EOS] for row in range(30)]
LIMITS = [4 + len(source) for source in SOURCES]
NOTHING = np.zeros(CONFIG.target_vocab_size, np.bool_)
PLAIN = SearchConfig(max_token_run=0)
needs_library = pytest.mark.native


def network(config=CONFIG) -> Seq2Seq:
    torch.manual_seed(3)
    model = Seq2Seq(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # no part is so small that a mistake in it would not show
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def decoder_of(model: Seq2Seq) -> NativeDecoder:
    return NativeDecoder(model.config, weights_of(model))


def request(**changes) -> Request:
    given = {"sources": SOURCES, "limits": LIMITS, "prefixes": [[]] * len(SOURCES), "forbidden": NOTHING}
    return Request(**{**given, **changes})


def both(model: Seq2Seq, asked=None, config=PLAIN):
    """What PyTorch and what decode.c find: the best hypothesis of each sentence."""
    asked = asked or request()
    slow, fast = TorchSearcher(Int8Network(model), "cpu"), decoder_of(model)
    return [[found[0] for found in one.search(asked, config)] for one in (slow, fast)]


def assert_same(slow, fast):
    """The same up to rounding: where two tokens are as good as equal, each may take another one, and goes its way."""
    turned = 0
    for ours, theirs, source in zip(fast, slow, SOURCES, strict=True):
        pairs = zip(ours.tokens, theirs.tokens, strict=False)
        same = next((place for place, (left, right) in enumerate(pairs) if left != right), len(ours.tokens))
        turned += same < len(ours.tokens) or ours.finished != theirs.finished
        assert ours.log_probs[:same] == pytest.approx(theirs.log_probs[:same], abs=0.05)
        assert ours.score == pytest.approx(sum(ours.log_probs) / len(ours.log_probs))
        assert ours.attention.shape == (len(ours.tokens), len(max(SOURCES, key=len)))
        width = len(source)
        np.testing.assert_allclose(ours.attention[:same, :width], theirs.attention[:same, :width], atol=0.05)
        assert not ours.attention[:, width:].any()
    assert turned <= len(SOURCES) // 10


@needs_library
def test_it_finds_what_pytorch_finds():
    slow, fast = both(network())
    assert_same(slow, fast)
    assert len({tuple(found.tokens) for found in fast}) > 20, "the sentences hardly differ: nothing was tested"
    assert {found.finished for found in fast} == {True, False}


@needs_library
def test_every_route_says_alike_how_much_each_source_word_was_attended():
    model = network()
    slow, fast = both(model)
    exact = [one for (one,) in TorchSearcher(model, "cpu").search(request(), PLAIN)]
    compared = 0
    for source, found in zip(SOURCES, zip(fast, slow, exact, strict=True), strict=True):
        if len(source) > 1 and len({tuple(one.tokens) for one in found}) == 1:
            ours, int8, fp32 = (coverage(on_words(one.attention, range(len(source)))) for one in found)
            assert ours == pytest.approx(int8, abs=0.05)
            assert ours == pytest.approx(fp32, abs=0.2)
            compared += 1
    assert compared > len(SOURCES) // 2


@needs_library
@pytest.mark.parametrize("layers", [(1, 1), (2, 1), (1, 2)])
def test_other_depths(layers):
    assert_same(*both(network(replace(CONFIG, encoder_layers=layers[0], decoder_layers=layers[1]))))


@needs_library
def test_no_residuals():
    assert_same(*both(network(replace(CONFIG, residual=False))))


@needs_library
def test_prefixes_are_forced():
    prefixes = [[50, 51] if row % 4 == 0 else [50] if row % 2 == 0 else [] for row in range(len(SOURCES))]
    slow, fast = both(network(), request(prefixes=prefixes))
    assert_same(slow, fast)
    assert all(found.tokens[:2] == [50, 51] for found in fast[::4])


@needs_library
def test_guards_hold():
    model = network()
    free = both(model)[1]
    common = max(range(77), key=lambda token: sum(token in found.tokens for found in free))
    forbidden = np.zeros((len(SOURCES), 77), np.bool_)
    forbidden[::2, common] = True
    slow, fast = both(model, request(forbidden=forbidden, max_runs=[1 + row % 2 for row in range(len(SOURCES))]))
    assert_same(slow, fast)
    assert not any(common in found.tokens for found in fast[::2])
    assert any(common in found.tokens for found in fast[1::2])
    assert all(
        left != right for found in fast[::2] for left, right in zip(found.tokens, found.tokens[1:], strict=False)
    )
    assert_same(*both(model, request(forbidden=forbidden[0])))


@needs_library
def test_neighbours_change_nothing():
    decoder = decoder_of(network())
    for config in (PLAIN, replace(PLAIN, beam=4, n_best=2)):
        together = decoder.search(request(), config)
        for source, limit, found in zip(SOURCES, LIMITS, together, strict=True):
            (alone,) = decoder.search(request(sources=[source], limits=[limit], prefixes=[[]]), config)
            assert [(one.tokens, one.log_probs) for one in alone] == [(one.tokens, one.log_probs) for one in found]


@needs_library
def test_calls_before_and_beside_it_change_nothing():
    """Calls leave their memory for the next ones, larger or smaller, and several threads decode at once."""
    decoder = decoder_of(network())
    calls = [
        request(sources=SOURCES[:size], limits=LIMITS[:size], prefixes=[[]] * size) for size in (1, len(SOURCES), 3, 17)
    ]
    found = [[one.tokens for (one,) in decoder.search(call, PLAIN)] for call in calls]
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda call: decoder.search(call, PLAIN), calls * 10))
    assert [[one.tokens for (one,) in of_call] for of_call in again] == found * 10


@needs_library
@pytest.mark.parametrize("name", ["output.bias", "decoder.attention.value.weight", "bridge.project.weight",
                                  "decoder.readout.bias", "encoder.layers.0.forwards.layer.bias_hh_l0"])  # fmt: skip
@pytest.mark.parametrize("beam", [1, 4])
def test_broken_weights_are_noticed(name, beam):
    model = network()
    with torch.no_grad():
        dict(model.named_parameters())[name].view(-1)[3] = float("nan")
    with pytest.raises(SearchError, match="not a finite number"):
        decoder_of(model).search(request(), replace(PLAIN, beam=beam))


@needs_library
@pytest.mark.parametrize("beam", [1, 4])
def test_a_sentence_that_may_not_go_on_is_an_error(beam):
    with pytest.raises(SearchError, match="not a finite number"):
        decoder_of(network()).search(request(forbidden=~NOTHING), SearchConfig(beam=beam))


@needs_library
def test_no_limit_of_runs():
    assert_same(*both(network(), request(max_runs=[0] * len(SOURCES)), SearchConfig()))


@needs_library
def test_nothing_is_searched_for_nothing():
    assert decoder_of(network()).search(request(sources=[], limits=[], prefixes=[]), PLAIN) == []


@needs_library
def test_every_program_of_this_cpu_finds_the_same():
    model = network()
    found = [NativeDecoder(model.config, weights_of(model), program).search(request(), PLAIN) for program in programs()]
    for other in found[1:]:
        assert_same(*([one for (one,) in of_program] for of_program in (found[0], other)))


def test_other_layouts_are_left_to_pytorch():
    for change in ({"cell": "lstm"}, {"bidirectional": False}, {"attention_heads": 0}, {"layer_norm": False},
                   {"encoder_hidden_size": 24}, {"embedding_size": 64}):  # fmt: skip
        assert not supports(replace(CONFIG, **change)), change


def test_without_a_compiler_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    done, message = native_library.compile_library()
    assert not done, "a compiler that is installed later would not be looked for"
    assert "make native" in message
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    done, message = native_library.compile_library()
    assert done
    assert "arm64" in message
    assert not native_library.built_path().exists()


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")
def test_it_compiles_once_and_tells_when_it_cannot(tmp_path, monkeypatch):
    if native_library.platform.machine().lower() not in native_library.MACHINES:
        pytest.skip("the C files are for other machines")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    stamp, old = tmp_path / "stamp", native_library.built_path().with_name("native-old.so")
    monkeypatch.setattr(sys, "argv", ["native_library", "--stamp", str(stamp)])
    old.parent.mkdir(parents=True)
    old.touch()
    native_library.main()
    assert native_library.built_path().exists()
    assert stamp.exists()
    assert not old.exists()
    assert native_library.compile_library()[1].endswith("up to date")
    watched = native_library.built_path(sanitized=True)
    assert watched.parent != native_library.built_path().parent, "make check-native would remove the library in use"
    broken = tmp_path / "decode.c"
    broken.write_text("this is not C")
    monkeypatch.setattr(native_library, "SOURCES", (broken,))
    stamp.unlink()
    assert native_library.main() == 0, "make install must go on without the library"
    assert not native_library.built_path().exists()
    assert not stamp.exists()
    monkeypatch.setattr(sys, "argv", ["native_library", "--sanitize"])
    assert native_library.main() == 1, "make check-native would go on with what is not there"

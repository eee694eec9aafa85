"""decode.c finds what PyTorch finds with the same 8-bit weights; without it everything goes on."""

import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from model.config import ModelConfig, SearchConfig
from model.errors import SearchError
from model.kernels import native_library
from model.kernels.int8 import Int8Network
from model.kernels.native import NativeDecoder, native_decoder, supports
from model.network.batch import pad
from model.network.seq2seq import Seq2Seq
from model.search.hypothesis import Options
from model.search.search import search
from model.text.alignment import coverage
from model.text.ids import EOS

CONFIG = ModelConfig(
    90, 77, embedding_size=32, encoder_layers=3, encoder_hidden_size=32, decoder_layers=3, decoder_hidden_size=64,
    attention_heads=2,
)  # fmt: skip
SOURCES = [[40 + (row * 7 + place) % 50 for place in range(1 + row * 5 % 17)] + [EOS] for row in range(30)]
LIMITS = [4 + len(source) for source in SOURCES]
needs_library = pytest.mark.native


def network(config=CONFIG) -> Seq2Seq:
    torch.manual_seed(3)
    model = Seq2Seq(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # no part is so small that a mistake in it would not show
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def both(model: Seq2Seq, prefix=None, options=Options(not_empty=True), config=SearchConfig(max_token_run=0)):  # noqa: B008
    """What PyTorch and what decode.c find: one hypothesis a sentence."""
    int8 = Int8Network(model)
    lengths = torch.tensor([len(source) for source in SOURCES])
    with torch.inference_mode():
        state = int8.encode(pad(SOURCES), lengths)
        slow = search(int8.step, state, torch.tensor(LIMITS), config, prefix, options)
    fast = NativeDecoder(model, int8).greedy(SOURCES, LIMITS, prefix, options)
    return [found[0] for found in slow], [found[0] for found in fast]


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
    lengths = torch.tensor([len(source) for source in SOURCES])
    with torch.inference_mode():
        state = model.encode(pad(SOURCES), lengths)
        exact = search(model.step, state, torch.tensor(LIMITS), SearchConfig(max_token_run=0), None, Options())
    compared = 0
    for source, found in zip(SOURCES, zip(fast, slow, [one for (one,) in exact], strict=True), strict=True):
        if len(source) > 1 and len({tuple(one.tokens) for one in found}) == 1:
            ours, int8, fp32 = (coverage(one.attention, range(len(source))) for one in found)
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
    prefix = torch.zeros(len(SOURCES), 3, dtype=torch.int64)
    prefix[::2, 0], prefix[::4, 1] = 50, 51
    slow, fast = both(network(), prefix)
    assert_same(slow, fast)
    assert all(found.tokens[:2] == [50, 51] for found in fast[::4])


@needs_library
def test_guards_hold():
    model = network()
    free = both(model)[1]
    common = max(range(77), key=lambda token: sum(token in found.tokens for found in free))
    forbidden = torch.zeros(len(SOURCES), 77, dtype=torch.bool)
    forbidden[::2, common] = True
    runs = torch.tensor([1 + row % 2 for row in range(len(SOURCES))])
    slow, fast = both(model, None, Options(forbidden=forbidden, max_runs=runs, not_empty=True), SearchConfig())
    assert_same(slow, fast)
    assert not any(common in found.tokens for found in fast[::2])
    assert any(common in found.tokens for found in fast[1::2])
    assert all(
        left != right for found in fast[::2] for left, right in zip(found.tokens, found.tokens[1:], strict=False)
    )
    everywhere = both(model, None, Options(forbidden=forbidden[0], not_empty=True))
    assert_same(*everywhere)


@needs_library
def test_neighbours_change_nothing():
    model = network()
    decoder = NativeDecoder(model, Int8Network(model))
    together = decoder.greedy(SOURCES, LIMITS, None, Options())
    for source, limit, (found,) in zip(SOURCES, LIMITS, together, strict=True):
        ((alone,),) = decoder.greedy([source], [limit], None, Options())
        assert (alone.tokens, alone.log_probs) == (found.tokens, found.log_probs)


@needs_library
@pytest.mark.parametrize("name", ["output.bias", "decoder.attention.value.weight", "bridge.project.weight",
                                  "decoder.readout.bias", "encoder.layers.0.forwards.layer.bias_hh_l0"])  # fmt: skip
def test_broken_weights_are_noticed(name):
    model = network()
    with torch.no_grad():
        dict(model.named_parameters())[name].view(-1)[3] = float("nan")
    with pytest.raises(SearchError, match="not a finite number"):
        NativeDecoder(model, Int8Network(model)).greedy(SOURCES, LIMITS, None, Options())


@needs_library
def test_a_sentence_that_may_not_go_on_is_an_error():
    model = network()
    with pytest.raises(SearchError, match="not a finite number"):
        NativeDecoder(model, Int8Network(model)).greedy(
            SOURCES, LIMITS, None, Options(torch.ones(77, dtype=torch.bool))
        )


@needs_library
def test_no_limit_of_runs():
    model = network()
    runs = torch.zeros(len(SOURCES), dtype=torch.int64)
    assert_same(*both(model, None, Options(max_runs=runs, not_empty=True), SearchConfig()))


def test_other_layouts_are_left_to_pytorch():
    for change in ({"cell": "lstm"}, {"bidirectional": False}, {"attention_heads": 0}, {"layer_norm": False},
                   {"encoder_hidden_size": 24}, {"embedding_size": 64}):  # fmt: skip
        assert not supports(replace(CONFIG, **change)), change
    model = network()
    assert native_decoder(model, model) is None, "a network in fp32 must not be decoded in 8 bits"


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

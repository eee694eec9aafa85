"""The routes: close to fp32, and none lets the neighbours of a sentence change it."""

import pytest
import torch

from model.config import CELLS, ModelConfig
from model.errors import ConfigError
from model.kernels.quantize import ROUTES, checked_route, fast_int8, prepare
from model.network.batch import Batch
from model.network.seq2seq import Seq2Seq

CPU = "cpu"
SOURCES = [[40, 41, 42, 43, 44], [50], [60, 61, 62]]


def tiny(cell="gru", **sizes) -> Seq2Seq:
    torch.manual_seed(7)
    small = {"embedding_size": 32, "encoder_hidden_size": 32, "decoder_hidden_size": 64}
    return Seq2Seq(ModelConfig(90, 80, cell=cell, **{**small, **sizes}))


def logits_of(model: Seq2Seq, sources) -> torch.Tensor:
    batch = Batch.of(sources, [[70]] * len(sources))
    with torch.no_grad():
        output = model.step(batch.inputs[:, 0], model.encode(batch.source, batch.lengths))
        return model.step(batch.inputs[:, 1], output.state).logits.float()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("route", ROUTES)
def test_a_route_is_close_to_fp32(cell, route):
    model = tiny(cell).eval()
    exact, got = logits_of(model, SOURCES), logits_of(prepare(model, CPU, route), SOURCES)
    assert (got - exact).abs().max() < 0.1 * exact.std()


@pytest.mark.parametrize("route", [route for route in ROUTES if route != "bf16"])
def test_neighbours_do_not_change_a_sentence(route):
    model = prepare(tiny(), CPU, route)
    loud = [[80] * 30, [40, 41], [85] * 3]  # neighbours with other magnitudes and lengths
    alone, together = logits_of(model, [[40, 41]])[0], logits_of(model, loud)[1]
    torch.testing.assert_close(together, alone, atol=2e-4, rtol=1e-3)


@pytest.mark.skipif(not fast_int8(CPU), reason="this CPU has no 8-bit dot products")
def test_in_8_bits_they_do_not_change_it_by_a_bit():
    """The sizes are those that ship: other sums are taken in other orders."""
    model = prepare(tiny(encoder_hidden_size=256, decoder_hidden_size=512, attention_heads=4), CPU, "int8")
    sources = [[40 + (row + place) % 40 for place in range(1 + row)] for row in range(24)]
    together = logits_of(model, sources)
    assert [
        row for row, source in enumerate(sources) if not torch.equal(logits_of(model, [source])[0], together[row])
    ] == []


def test_preparing_leaves_the_original_alone():
    model = tiny()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for route in ROUTES:
        prepare(model, CPU, route)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_unknown_routes_are_refused():
    with pytest.raises(ConfigError, match="fp16"):
        checked_route("fp16", CPU)
    assert checked_route("auto", CPU) in ROUTES


@pytest.mark.gpu
def test_a_gpu_model_is_close_to_the_cpu():
    model, gpu = tiny().eval(), "cuda"
    batch = Batch.of(SOURCES, [[70]] * 3)
    moved = prepare(model, gpu, "fp32")
    got = moved.logits(moved(batch.to(torch.device(gpu)))).cpu()
    torch.testing.assert_close(got, model.logits(model(batch)), atol=1e-3, rtol=1e-2)

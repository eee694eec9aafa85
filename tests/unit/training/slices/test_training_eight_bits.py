"""Weights that travel in 8 bits are near those they were made of."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.errors import ConfigError
from training.slices.eight_bits import SCALE, read_8_bits, write_8_bits


def test_no_weight_is_off_by_more_than_half_a_step_of_its_row(tmp_path):
    torch.manual_seed(1)
    matrix = torch.randn(40, 64) * torch.logspace(-6, 3, 40)[:, None]  # [rows, columns]: small rows beside large ones
    matrix[3] = 0
    write_8_bits(tmp_path / "weights", {"layer.weight": matrix, "layer.bias": torch.linspace(-1, 1, 40)})
    found = read_8_bits(tmp_path / "weights")
    assert found.keys() == {"layer.weight", "layer.bias"}
    step = matrix.abs().amax(1, keepdim=True) / 127
    assert bool(((found["layer.weight"] - matrix).abs() <= step * 0.5001).all())
    assert torch.equal(found["layer.weight"][3], torch.zeros(64)), "a row of zeros stays one"
    assert torch.equal(found["layer.bias"], torch.linspace(-1, 1, 40).half().float())
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}


def test_they_take_a_byte_each_and_four_a_row(tmp_path):
    write_8_bits(tmp_path / "weights", {"weight": torch.ones(100, 1000)})
    assert (tmp_path / "weights").stat().st_size < 100 * 1000 + 100 * 4 + 1000


def test_what_has_travelled_twice_is_the_same(tmp_path):
    write_8_bits(tmp_path / "once", {"weight": torch.randn(9, 9)})
    write_8_bits(tmp_path / "twice", read_8_bits(tmp_path / "once"))
    assert torch.equal(load_file(tmp_path / "once")["weight"], load_file(tmp_path / "twice")["weight"])


def test_damaged_and_infinite_weights_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="not finite numbers: weight"):
        write_8_bits(tmp_path / "weights", {"weight": torch.tensor([[1.0, torch.inf]])})
    write_8_bits(tmp_path / "weights", {"weight": torch.ones(2, 2)})
    stored = load_file(tmp_path / "weights")
    del stored[f"weight{SCALE}"]
    save_file(stored, tmp_path / "other")
    with pytest.raises(ConfigError, match="no scales of weight"):
        read_8_bits(tmp_path / "other")
    (tmp_path / "cut").write_bytes((tmp_path / "weights").read_bytes()[:-3])
    for name in ("cut", "missing"):
        with pytest.raises(ConfigError, match="cannot read the weights"):
            read_8_bits(tmp_path / name)

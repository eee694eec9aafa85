"""The network: shapes, independence of batch neighbours, and that training and search compute the same thing."""

import pytest
import torch

from model.config import CELLS, ModelConfig
from model.errors import ConfigError
from model.network.batch import Batch, pad
from model.network.encoder import reverse_index, turn
from model.network.seq2seq import Seq2Seq
from model.text.ids import BOS, EOS, PAD

SOURCES = [[40, 41, 42, 43, 44], [50], [60, 61, 62]]
TARGETS = [[70, 71], [72, 73, 74, 75], [76]]

VARIANTS = {
    "attention": {},
    "one direction": {"bidirectional": False, "encoder_hidden_size": 16},
    "four heads": {"attention_heads": 4},
    "no attention": {"attention_heads": 0},
    "2018": {
        "attention_heads": 0, "bidirectional": False, "layer_norm": False, "residual": False,
        "encoder_hidden_size": 16, "tied_target_embeddings": False,
    },
}  # fmt: skip


def tiny(**changes) -> Seq2Seq:
    torch.manual_seed(7)
    settings = {
        "source_vocab_size": 90, "target_vocab_size": 80, "embedding_size": 12, "encoder_hidden_size": 8,
        "decoder_hidden_size": 16, **changes,
    }  # fmt: skip
    return Seq2Seq(ModelConfig(**settings))


def all_networks():
    return [
        pytest.param({"cell": cell, **variant}, id=f"{cell}, {name}")
        for cell in CELLS
        for name, variant in VARIANTS.items()
    ]


@pytest.mark.parametrize("changes", all_networks())
def test_teacher_forcing_and_search_steps_give_the_same_logits(changes):
    model = tiny(**changes).eval()
    batch = Batch.of(SOURCES, TARGETS)
    whole = model.logits(model(batch))  # [batch, target, vocab]
    with torch.no_grad():
        state = model.encode(batch.source, batch.lengths)
        for time in range(batch.inputs.shape[1]):
            output = model.step(batch.inputs[:, time], state)
            state = output.state
            torch.testing.assert_close(output.logits, whole[:, time], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("changes", all_networks())
def test_a_sentence_does_not_depend_on_its_neighbours(changes):
    model = tiny(**changes).eval()
    together = model(Batch.of(SOURCES, TARGETS))
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        alone = model(Batch.of([source], [target]))[0]
        torch.testing.assert_close(together[row, : len(target) + 1], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("changes", all_networks())
def test_every_parameter_gets_a_gradient(changes):
    model = tiny(**changes)
    model.logits(model(Batch.of(SOURCES, TARGETS))).square().sum().backward()
    without = [
        name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert without == [], "these parts of the network are not connected to its output"


def test_attention_weights_sum_to_one_and_ignore_padding():
    model = tiny(attention_heads=2).eval()
    batch = Batch.of(SOURCES, TARGETS)
    output = model.step(batch.inputs[:, 0], model.encode(batch.source, batch.lengths))
    torch.testing.assert_close(output.attention.sum(dim=1), torch.ones(3))
    assert output.attention[1, 2:].abs().max() == 0  # two tokens: one word and the end mark


def test_state_rows_can_be_reordered_repeated_and_dropped():
    model = tiny(cell="lstm").eval()
    batch = Batch.of(SOURCES, TARGETS)
    with torch.no_grad():
        state = model.encode(batch.source, batch.lengths)
        plain = model.step(batch.inputs[:, 0], state)
        rows = torch.tensor([2, 0, 2])
        chosen = model.step(batch.inputs[rows, 0], state.select(rows))
    torch.testing.assert_close(chosen.logits, plain.logits[rows])


def test_tied_embeddings_are_one_parameter():
    model = tiny()
    assert model.output.weight is model.target_embedding.weight
    assert tiny(tied_target_embeddings=False).parameter_count() == model.parameter_count() + 80 * 12


def test_reversal_turns_each_sentence_inside_its_length():
    lengths = torch.tensor([3, 1])
    sequence = torch.tensor([[1.0, 2, 3, 0], [4, 0, 0, 0]])[:, :, None]
    index = reverse_index(lengths, 4)
    assert turn(sequence, index)[:, :, 0].tolist() == [[3, 2, 1, 0], [4, 0, 0, 0]]
    assert torch.equal(turn(turn(sequence, index), index), sequence)


def test_batches_are_padded_and_shifted():
    batch = Batch.of(SOURCES, TARGETS)
    assert batch.source[1].tolist() == [50, EOS, PAD, PAD, PAD, PAD]
    assert batch.inputs[2].tolist() == [BOS, 76, PAD, PAD, PAD]
    assert batch.labels[2].tolist() == [76, EOS, PAD, PAD, PAD]
    assert batch.target_tokens == 10
    assert pad([]).shape == (0, 0)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"cell": "tree"}, "cell"),
        ({"attention_heads": 3}, "heads"),
        ({"dropout": 1.0}, "dropout"),
        ({"embedding_size": 0}, "embedding_size"),
    ],
)
def test_impossible_settings_are_refused_by_name(changes, named):
    with pytest.raises(ConfigError, match=named):
        tiny(**changes)


def test_unknown_settings_are_refused():
    config = tiny().config
    assert ModelConfig.from_json(config.to_json()) == config
    with pytest.raises(ConfigError, match="hiden_size"):
        ModelConfig.from_dict({**config.to_dict(), "hiden_size": 3})
    with pytest.raises(ConfigError, match="target_vocab_size"):
        ModelConfig.from_dict({"source_vocab_size": 10})

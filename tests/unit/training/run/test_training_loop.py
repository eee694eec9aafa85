"""The whole chain learns, resumes exactly, and stops cleanly."""

import json
import random
import signal
from dataclasses import replace

import pytest
import torch

from model.errors import ConfigError, VersionDamaged
from model.network.seq2seq import Seq2Seq
from model.text.tokenizer import WordTokenizer
from training.config import DataSettings, LoopSettings, OptimSettings, Phase, TrainingConfig
from training.evaluate import DevSet
from training.run.batching import Pools
from training.run.checkpoint import Checkpoint
from training.run.distributed import Workers
from training.run.loop import Trainer, train_step

WORDS = ["mare", "isola", "porto", "nave", "vela", "onda", "remo", "molo", "faro", "rotta", "vento", "riva"]
TOKENIZER = WordTokenizer.train([" ".join(WORDS)])


def config(**loop) -> TrainingConfig:
    return TrainingConfig(
        pair="it-en",
        version="copy",
        data=DataSettings(groups={"copy": ["*"]}, vocabulary="word"),
        phases=(Phase(1.0, {"copy": 1.0}, word_dropout=0.02, label_smoothing=0.0),),
        optim=OptimSettings(peak_learning_rate=5e-3, warmup_steps=20, ema_decay=0.9),
        loop=LoopSettings(**{"max_steps": 30, "batch_tokens": 256, "pool_pairs": 100, "seed": 5, **loop}),
        model={
            "embedding_size": 32, "encoder_layers": 1, "encoder_hidden_size": 32, "decoder_layers": 1,
            "decoder_hidden_size": 64, "dropout": 0.05,
        },
    )  # fmt: skip


def trainer(settings: TrainingConfig, folder, evaluate=None, workers: Workers = Workers()) -> Trainer:  # noqa: B008
    rng = random.Random(1)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(2, 6))) for _ in range(600)]
    pairs = [(text, text) for text in texts]
    folder.mkdir(exist_ok=True)
    torch.manual_seed(settings.loop.seed)
    model = Seq2Seq(settings.model_config(TOKENIZER.vocab_size, TOKENIZER.vocab_size))
    pools = Pools(
        {"copy": pairs[100:]}, settings.phases, (TOKENIZER, TOKENIZER), lambda s, t, rng, strength: (s, t),
        settings.loop.pool_pairs, settings.data.max_tokens, settings.loop.seed,
    )  # fmt: skip
    dev = DevSet(pairs[:100], (TOKENIZER, TOKENIZER), "it-en")
    return Trainer(settings, model, pools, evaluate or dev.score, folder, workers)


def no_scores(_model) -> dict:
    return {"bleu": 0.0}


def test_it_learns_to_copy(tmp_path):
    standing = trainer(config(max_steps=260), tmp_path).run()
    assert standing.scores["bleu"] > 80, "the chain from pairs to translations does not learn the simplest task"


def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(tmp_path):
    whole = trainer(config(), tmp_path / "whole", no_scores)
    whole.run()

    def press_control_c(_model) -> dict:
        signal.raise_signal(signal.SIGINT)
        return {"bleu": 0.0}

    broken = trainer(config(eval_steps=13), tmp_path / "broken", press_control_c)
    broken.run()
    assert not broken.finished
    assert 13 <= broken.standing.step < 30
    resumed = trainer(config(), tmp_path / "broken", no_scores)
    resumed.resume()
    resumed.run()
    assert resumed.standing.step == 30
    assert resumed.standing.tokens == whole.standing.tokens
    for ours, theirs in zip(resumed.optimiser.masters, whole.optimiser.masters, strict=True):
        assert torch.equal(ours, theirs), "resuming changed the result"


def test_every_worker_takes_control_c(tmp_path, monkeypatch):
    """Under torchrun all get it; one that died of it would leave the others waiting."""

    def press_control_c(*arguments):
        signal.raise_signal(signal.SIGINT)
        return train_step(*arguments)

    monkeypatch.setattr("training.run.loop.train_step", press_control_c)
    second = trainer(config(), tmp_path, no_scores, Workers(rank=1))
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a trainer that does not take it trains to the end
    try:
        second.run()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN, "what was there before must come back"
    finally:
        signal.signal(signal.SIGINT, previous)
    assert not second.finished


def test_all_workers_meet_as_often_when_a_run_is_stopped(tmp_path, monkeypatch):
    """Only the first knows the scores: one that waited for another evaluation would wait for ever."""
    met = {0: 0, 1: 0}

    def barrier(workers: Workers) -> None:
        met[workers.rank] += 1

    monkeypatch.setattr(Workers, "barrier", barrier)
    for rank in met:
        run = trainer(config(max_steps=1000, eval_steps=2), tmp_path / str(rank), no_scores, Workers(rank=rank))
        steps = iter(range(5))

        def stop_at_the_fifth(*arguments, steps=steps):
            if next(steps, None) == 4:
                signal.raise_signal(signal.SIGINT)
            return train_step(*arguments)

        monkeypatch.setattr("training.run.loop.train_step", stop_at_the_fifth)
        run.run()
        assert not run.finished
    assert met[0] == met[1] > 0


def test_resumed_workers_do_not_drop_the_same_units(tmp_path):
    trainer(config(max_steps=2), tmp_path, no_scores).run()

    def state(rank: int) -> torch.Tensor:
        trainer(config(), tmp_path, no_scores, Workers(rank=rank)).resume()
        return torch.get_rng_state()

    first, second, third = state(0), state(1), state(2)
    assert torch.equal(first, Checkpoint.load(tmp_path / "last.safetensors").tensors["random.cpu"])
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)
    assert torch.equal(second, state(1)), "resuming twice must be the same"


def test_changed_settings_are_not_resumed(tmp_path):
    trainer(config(max_steps=2), tmp_path, no_scores).run()
    changed = replace(config(), optim=OptimSettings(peak_learning_rate=1e-4))
    with pytest.raises(ConfigError, match="settings have changed"):
        trainer(changed, tmp_path, no_scores).resume()


def test_a_run_from_before_a_setting_goes_on_with_its_default(tmp_path):
    trainer(config(max_steps=2), tmp_path, no_scores).run()
    path = tmp_path / "last.safetensors"
    last = Checkpoint.load(path)
    del last.state["settings"]["noise"]["chat"], last.state["settings"]["data"]["drop_noisy"]
    last.save(path)
    run = trainer(config(max_steps=4), tmp_path, no_scores)
    run.resume()
    assert run.run().step == 4


def test_a_damaged_checkpoint_is_refused(tmp_path):
    trainer(config(max_steps=2), tmp_path, no_scores).run()
    path = tmp_path / "last.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(VersionDamaged, match=r"last\.safetensors"):
        trainer(config(), tmp_path, no_scores).resume()


def test_a_time_limit_completes_the_schedule(tmp_path, monkeypatch):
    monkeypatch.setattr("training.run.loop.LOG_STEPS", 1)  # on a busy machine there may be only a few steps
    run = trainer(config(max_steps=0, max_minutes=0.05), tmp_path, no_scores)
    standing = run.run()
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    rates = [row["rate"] for row in rows if "rate" in row]
    assert 2.5 < standing.seconds < 30
    assert run.finished
    assert rates[-1] < 0.2 * max(rates)


def test_metrics_are_one_json_object_a_line(tmp_path):
    trainer(config(), tmp_path, no_scores).run()
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert {"step", "seconds", "tokens", "loss", "nll", "rate", "norm"} <= set(rows[0])
    assert rows[-1]["dev"] == {"bleu": 0.0}


def endless(**loop) -> TrainingConfig:
    settings = config()
    optim = replace(settings.optim, schedule="constant", warmup_steps=0)
    return replace(settings, optim=optim, loop=replace(settings.loop, **{"eval_minutes": 60, **loop}))


def rates(folder) -> list[float]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row["rate"] for row in rows if "rate" in row]


def test_a_constant_rate_stops_in_slices_and_decays_when_it_is_given_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr("training.run.loop.LOG_STEPS", 1)
    first = trainer(endless(max_steps=0), tmp_path, no_scores)
    first.run(stop_after_s=0.5)
    steps = first.standing.step
    assert steps >= 1
    assert not first.finished, "it has no end"
    second = trainer(endless(max_steps=0), tmp_path, no_scores)
    second.resume()
    second.run(stop_after_s=0.0)
    assert second.standing.step == steps + 1, "a slice without time does one step"
    assert not second.finished
    last = trainer(endless(max_steps=40), tmp_path, no_scores)
    last.resume()
    last.run()
    assert last.finished
    assert last.standing.step == steps + 1 + 40, "the end is counted from where it was asked for"
    decay = rates(tmp_path)[steps + 1 :]
    assert decay == sorted(decay, reverse=True)
    assert decay[-1] < 0.05 * 5e-3


def test_an_end_that_was_interrupted_goes_on_where_it_was(tmp_path):
    def press_control_c(_model) -> dict:
        signal.raise_signal(signal.SIGTERM)
        return {"bleu": 0.0}

    broken = trainer(endless(max_steps=30, eval_steps=10), tmp_path, press_control_c)
    broken.run()
    assert broken.standing.step < 30, "SIGTERM saves and stops, as Ctrl-C does"
    resumed = trainer(endless(max_steps=30), tmp_path, no_scores)
    resumed.resume()
    resumed.run()
    assert resumed.standing.step == 30


def test_the_mean_of_all_dev_sets_chooses(tmp_path):
    means = iter([40.0, 39.0, 41.0])
    standing = trainer(config(eval_steps=10), tmp_path, lambda _model: {"bleu": 90.0, "bleu_mean": next(means)}).run()
    assert (standing.best_bleu, standing.best_step) == (41.0, 30)

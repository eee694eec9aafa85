"""Schedules are pure functions; masters keep what bf16 would lose."""

import math

import pytest
import torch

from training.config import OptimSettings
from training.run.optim import Optimiser, ema_decay, learning_rate

SETTINGS = OptimSettings(peak_learning_rate=1e-3, warmup_steps=10)


def test_the_rate_warms_up_and_falls_to_zero_with_progress():
    rates = [learning_rate(SETTINGS, step, 0.0) for step in range(10)]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(1e-4)
    assert rates[-1] == pytest.approx(1e-3)
    falling = [learning_rate(SETTINGS, 100, progress / 10) for progress in range(11)]
    assert falling == sorted(falling, reverse=True)
    assert learning_rate(SETTINGS, 100, 0.5) == pytest.approx(5e-4)
    assert learning_rate(SETTINGS, 100, 1.0) == pytest.approx(0.0)
    assert learning_rate(SETTINGS, 100, 7.0) == pytest.approx(0.0)


def test_a_constant_rate_stays_until_its_end_begins():
    settings = OptimSettings(peak_learning_rate=1e-3, final_learning_rate=1e-5, warmup_steps=10, schedule="constant")
    assert learning_rate(settings, 0, 0.0) == pytest.approx(1e-4)
    assert learning_rate(settings, 10**6, 0.0) == pytest.approx(1e-3)
    assert learning_rate(settings, 10**6, 0.25) == pytest.approx((1e-3 + 1e-5) / 2)
    assert learning_rate(settings, 10**6, 1.0) == pytest.approx(1e-5)


def test_the_average_forgets_the_start():
    assert ema_decay(SETTINGS, 0) == pytest.approx(0.1)
    assert ema_decay(SETTINGS, 10**6) == SETTINGS.ema_decay


def test_updates_too_small_for_bf16_add_up():
    model = torch.nn.Linear(4, 4).bfloat16()
    optimiser = Optimiser(model, OptimSettings(peak_learning_rate=1e-4, weight_decay=0.0))
    before = model.weight.detach().clone()
    for step in range(200):
        model(torch.ones(1, 4, dtype=torch.bfloat16)).sum().backward()
        optimiser.step(step, 1e-5)
    moved = (optimiser.masters[0] - before.float()).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 200 * 1e-5), rtol=0.05, atol=0)
    assert torch.equal(model.weight, optimiser.masters[0].bfloat16())


def test_gradients_that_are_not_finite_change_nothing():
    model = torch.nn.Linear(2, 2)
    optimiser = Optimiser(model, SETTINGS)
    before = model.weight.detach().clone()
    (model(torch.ones(1, 2)) * math.inf).sum().backward()
    assert not math.isfinite(optimiser.step(0, 1.0))
    assert torch.equal(model.weight, before)


def test_the_average_goes_into_a_model():
    model, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    optimiser = Optimiser(model, SETTINGS)
    for step in range(5):
        model(torch.ones(1, 2)).sum().backward()
        optimiser.step(step, 0.1)
    optimiser.average_into(other)
    assert not torch.equal(other.weight, model.weight)
    torch.testing.assert_close(other.weight, optimiser.averages[0])

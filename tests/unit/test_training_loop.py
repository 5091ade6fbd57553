# SPDX-License-Identifier: GPL-3.0-or-later
"""Dropout that falls while a network trains, also in a run that was stopped in between."""

from dataclasses import replace

import torch

from marigold_blender.training.loop import LoopSettings, Turn, dropout_left, train


def trained(folder, settings: LoopSettings) -> tuple[torch.nn.Module, list[float]]:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))
    rates = []

    def loss(network: torch.nn.Module, turn: Turn) -> torch.Tensor:
        rates.append(network[1].p)
        return network(torch.ones(4, 8)).square().mean()

    return train(network, loss, settings, folder, lambda *_: None), rates


def test_dropout_falls_to_nothing_at_the_share_of_the_steps_that_was_asked_for(tmp_path):
    settings = LoopSettings(steps=10, learning_rate=1e-2, dropout_ends=0.8)
    assert trained(tmp_path, settings)[1] == [0.5 * (1 - step / 8) for step in range(8)] + [0, 0]


def test_dropout_that_was_not_asked_to_fall_stays(tmp_path):
    settings = LoopSettings(steps=3, learning_rate=1e-2)
    assert trained(tmp_path, settings)[1] == [0.5] * 3
    assert dropout_left(settings, 2) == 1


def test_a_resumed_run_has_the_dropout_of_its_step(tmp_path):
    settings = LoopSettings(steps=6, learning_rate=1e-2, dropout_ends=1)
    unbroken, rates = trained(tmp_path / "unbroken", settings)
    first = trained(tmp_path / "broken", replace(settings, until=4))[1]
    resumed, last = trained(tmp_path / "broken", settings)
    assert first + last == rates
    assert all(torch.equal(a, b) for a, b in zip(unbroken.parameters(), resumed.parameters(), strict=True))

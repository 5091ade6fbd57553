# SPDX-License-Identifier: GPL-3.0-or-later
"""Marigold's recipe: widened input, noise, masking, the loop that resumes to the same weights, two processes."""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from diffusers import UNet2DConditionModel

from marigold_blender.errors import MarigoldError
from marigold_blender.estimation import devices
from marigold_blender.training.attention import attend_to_empty_prompt
from marigold_blender.training.diffusion import DiffusionSettings, diffusion_loss, new_scheduler
from marigold_blender.training.end_to_end import affine_invariant_error
from marigold_blender.training.latents import LatentBatch
from marigold_blender.training.loop import LoopSettings, Turn, learning_rate, train
from marigold_blender.training.muon import Muon, orthogonalised
from marigold_blender.training.noise import multi_resolution_noise
from marigold_blender.training.unet import PROMPT_WIDTH, load_unet, new_unet, widen_input

CPU = torch.device("cpu")


def tiny_unet(in_channels: int) -> UNet2DConditionModel:
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=in_channels,
        out_channels=4,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=8,
        attention_head_dim=2,
        norm_num_groups=4,
    )


def a_batch(turn: Turn) -> LatentBatch:
    generator = torch.Generator().manual_seed(int(turn.rng().integers(2**62)))
    image = torch.randn((2, 4, 8, 8), generator=generator)
    return LatentBatch(image, image.flip(1), torch.ones((2, 1, 8, 8), dtype=torch.bool))


def a_loss(network: torch.nn.Module, turn: Turn) -> torch.Tensor:
    return diffusion_loss(network, a_batch(turn), torch.zeros(1, 2, 8), new_scheduler(), DiffusionSettings(), turn)


def test_a_stable_diffusion_unet_gives_the_same_output_once_its_input_is_doubled(tmp_path):
    plain = tiny_unet(4)
    plain.save_pretrained(tmp_path / "unet")
    wide = load_unet(tmp_path)
    latent, prompt = torch.randn(1, 4, 8, 8), torch.zeros(1, 2, 8)
    before = plain(latent, 500, encoder_hidden_states=prompt).sample
    after = wide(torch.cat([latent, latent], 1), 500, encoder_hidden_states=prompt).sample
    assert wide.config.in_channels == 8
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)


def test_a_unet_of_other_channels_is_refused(tmp_path):
    tiny_unet(9).save_pretrained(tmp_path / "unet")
    with pytest.raises(MarigoldError, match="9 channels"):
        load_unet(tmp_path)


def test_a_marigold_unet_is_not_widened_again():
    unet = tiny_unet(4)
    widen_input(unet)
    assert unet.conv_in.weight.shape[1] == 8


@pytest.mark.parametrize("strength", [0.0, 0.9])
def test_noise_has_unit_variance_and_strength_moves_it_to_low_resolutions(strength):
    generator = torch.Generator().manual_seed(3)
    noise = multi_resolution_noise(torch.Size((64, 4, 32, 32)), torch.full((64,), strength), generator)
    coarse = torch.nn.functional.avg_pool2d(noise, 8).var()
    assert noise.var() == pytest.approx(1, abs=0.02)
    assert (coarse > 0.15) == (strength > 0)  # white noise: 1/64, plus the first level's doubling


def test_annealed_strength_is_per_picture():
    generator = torch.Generator().manual_seed(3)
    noise = multi_resolution_noise(torch.Size((2, 64, 32, 32)), torch.tensor([0.0, 0.9]), generator)
    first, second = torch.nn.functional.avg_pool2d(noise, 8).flatten(1).var(1)
    assert second > 5 * first


def test_invalid_latents_have_no_say():
    turn = Turn(1, 0, 0, 0, CPU)
    batch = a_batch(turn)
    valid = batch.valid.clone()
    valid[:, :, :, 4:] = False
    spoiled = batch.depth.clone()
    spoiled[:, :, :, 4:] = 50.0
    settings, prompt = DiffusionSettings(noise_strength=0), torch.zeros(1, 2, 8)
    clean, dirty = (
        diffusion_loss(PredictsZero(), LatentBatch(batch.image, depth, valid), prompt, new_scheduler(), settings, turn)
        for depth in (batch.depth, spoiled)
    )
    assert clean == dirty


@pytest.mark.parametrize(("own_share", "second_share"), [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)])
def test_the_truth_costs_nothing_whatever_the_noisy_depth_was_made_from(own_share, second_share):
    turn = Turn(1, 0, 0, 0, CPU)
    batch, scheduler = a_batch(turn), new_scheduler()
    settings = DiffusionSettings(own_share=own_share, second_share=second_share, coarse=(2,))
    knows, guesses = (
        diffusion_loss(unet, batch, torch.zeros(1, 2, 8), scheduler, settings, turn)
        for unet in (Predicts(batch.depth, scheduler), Predicts(batch.depth.flip(3), scheduler))
    )
    assert knows < 1e-6
    assert guesses > 0.1


def test_attention_to_an_empty_prompt_is_skipped_and_nothing_else_changes():
    torch.manual_seed(3)
    unet = new_unet().eval()
    views, at, prompts = torch.randn(2, 8, 24, 32), torch.tensor([999, 300]), torch.zeros(2, 2, PROMPT_WIDTH)
    kept = unet(views, at, encoder_hidden_states=prompts).sample
    taught = list(unet.parameters())
    kept.square().mean().backward()
    moves = [parameter.grad is not None and bool(parameter.grad.any()) for parameter in taught]
    unet.zero_grad()
    attend_to_empty_prompt(unet)
    torch.testing.assert_close(unet(views, at, encoder_hidden_states=prompts).sample, kept)
    assert moves == [parameter.requires_grad for parameter in taught]


def test_second_estimates_are_made_from_first_ones_at_timesteps_between():
    turn, scheduler = Turn(1, 0, 0, 0, CPU), new_scheduler()
    batch, unet, last = a_batch(turn), Counts(scheduler), 999
    settings = DiffusionSettings(noise_strength=0, own_share=1.0, second_share=1.0)
    diffusion_loss(unet, batch, torch.zeros(1, 2, 8), scheduler, settings, turn)
    (first, began), (second, between), (trained, ended) = unet.calls
    assert (began == last).all()
    assert ((between >= ended) & (between <= last)).all()
    noise = first
    for seen, at, estimate in ((second, between, 0.0), (trained, ended, 1.0)):
        under = scheduler.add_noise(torch.full_like(noise, estimate), noise, at)
        torch.testing.assert_close(seen, under)


class Counts(torch.nn.Module):
    """Estimates depth latents of 0 at first, of 1 the second time, and so on; keeps what it was shown."""

    def __init__(self, scheduler):
        super().__init__()
        self.alphas, self.calls = scheduler.alphas_cumprod, []

    def forward(self, latents, timesteps, encoder_hidden_states):
        alpha, noisy, estimate = self.alphas[timesteps].view(-1, 1, 1, 1), latents[:, 4:], len(self.calls)
        self.calls.append((noisy, timesteps))

        class Output:
            sample = (alpha.sqrt() * noisy - estimate) / (1 - alpha).sqrt()

        return Output


class Predicts(torch.nn.Module):
    """Answers every noisy depth with the velocity that leads to one depth, and the first estimate with another."""

    def __init__(self, depth, scheduler):
        super().__init__()
        self.depth, self.alphas = depth, scheduler.alphas_cumprod

    def forward(self, latents, timesteps, encoder_hidden_states):
        alpha = self.alphas[timesteps].view(-1, 1, 1, 1)

        class Output:
            sample = (alpha.sqrt() * latents[:, 4:] - self.depth[: len(latents)]) / (1 - alpha).sqrt()

        return Output


class PredictsZero(torch.nn.Module):
    def forward(self, latents, timesteps, encoder_hidden_states):
        class Output:
            sample = torch.zeros_like(latents[:, :4])

        return Output


def test_the_affine_invariant_error_ignores_scale_and_shift_only():
    truth = torch.rand(2, 16, 16)
    valid = torch.ones(2, 16, 16, dtype=torch.bool)
    assert affine_invariant_error(truth * 0.3 - 2, truth, valid) < 1e-5
    assert affine_invariant_error(truth.flip(2), truth, valid) > 0.1


def test_the_coarse_error_counts_what_block_averages_miss():
    turn, prompt = Turn(1, 0, 0, 0, CPU), torch.zeros(1, 2, 8)
    batch = a_batch(turn)
    plain, coarse = (
        diffusion_loss(
            PredictsZero(), batch, prompt, new_scheduler(), DiffusionSettings(noise_strength=0, coarse=blocks), turn
        )
        for blocks in ((), (8,))
    )
    assert 0 < coarse - plain < 0.1 * plain  # of white noise the mean over 64 latents keeps little


def test_a_robust_error_is_the_square_where_it_is_small_and_the_length_where_it_is_large():
    turn, prompt, scheduler = Turn(1, 0, 0, 0, CPU), torch.zeros(1, 2, 8), new_scheduler()
    batch = a_batch(turn)

    def loss_when_off_by(size, robust):
        settings = DiffusionSettings(terminal_share=1.0, robust=robust)  # at the last timestep the depth alone counts
        off = Predicts(batch.depth + size, scheduler)
        return float(diffusion_loss(off, batch, prompt, scheduler, settings, turn))

    assert loss_when_off_by(0.01, 0.2) == pytest.approx(loss_when_off_by(0.01, 0.0), rel=0.01)
    assert loss_when_off_by(10.0, 0.2) == pytest.approx(2 * 0.2 * (10.0 - 0.2), rel=0.01)


@pytest.mark.parametrize("shape", [(16, 64), (64, 16), (16, 144), (144, 16)])  # the last two by the Gram matrix
def test_muons_matrices_are_orthogonal(shape):
    torch.manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    gradient = u @ torch.diag(torch.logspace(0, -1, 16)) @ v
    matrix = orthogonalised(gradient)
    values = torch.linalg.svdvals(matrix)
    assert torch.linalg.svdvals(gradient).max() / torch.linalg.svdvals(gradient).min() > 3
    assert values.min() > 0.6
    assert values.max() < 1.3
    turned = u.mT @ matrix @ v.mT  # diagonal, if the singular vectors stay
    assert turned.diagonal().min() > 0.6
    assert turned.diagonal().max() < 1.3
    assert (turned - torch.diag(turned.diagonal())).abs().max() < 0.05


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16"), (False, "no")])
def test_a_run_uses_bfloat16_where_the_processor_has_it(monkeypatch, tmp_path, native, expected):
    monkeypatch.setattr(devices, "_processor_has_bfloat16", lambda: native)
    settings = LoopSettings(steps=1, learning_rate=1e-3, precision="auto", optimiser="muon")
    unet = train(tiny_unet(8), a_loss, settings, tmp_path, lambda *_: None)
    assert AcceleratorState().mixed_precision == expected
    assert all(parameter.isfinite().all() for parameter in unet.parameters())


def test_muon_steps_matrices_that_have_no_rank():
    flat = torch.outer(torch.ones(16), torch.arange(144.0))
    assert torch.linalg.svdvals(orthogonalised(flat)) == pytest.approx([1.0] + [0.0] * 15, abs=0.35)


def test_muon_steps_vectors_as_adam_does():
    norm = torch.nn.Parameter(torch.ones(3))
    norm.grad = torch.tensor([1.0, -2.0, 3.0])
    Muon([("norm", norm)], lr=0.1, weight_decay=0.0, plain_share=0.5).step()
    torch.testing.assert_close(norm.detach(), torch.tensor([0.95, 1.05, 0.95]))


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_run_that_was_stopped_and_resumed_ends_with_the_same_weights(tmp_path, optimiser):
    settings = LoopSettings(steps=6, learning_rate=1e-3, warmup=2, accumulate=2, save_every_s=0, optimiser=optimiser)
    unbroken = train(tiny_unet(8), a_loss, settings, tmp_path / "unbroken", lambda *_: None)
    steps = iter(range(100))
    train(
        tiny_unet(8), a_loss, settings, tmp_path / "broken", lambda *_: None, stop=lambda: next(steps) == 7
    )  # within a step
    assert torch.load(tmp_path / "broken/state.pt")["step"] == 3
    resumed = train(tiny_unet(8), a_loss, settings, tmp_path / "broken", lambda *_: None)
    for (name, one), (_, other) in zip(unbroken.named_parameters(), resumed.named_parameters(), strict=True):
        assert torch.equal(one, other), name


def test_a_run_in_two_stages_keeps_to_one_schedule(tmp_path):
    whole = LoopSettings(steps=6, learning_rate=1e-3, warmup=2, cooldown=0.5)
    unbroken = train(tiny_unet(8), a_loss, whole, tmp_path / "unbroken", lambda *_: None)
    train(tiny_unet(8), a_loss, replace(whole, until=4), tmp_path / "staged", lambda *_: None)
    staged = train(tiny_unet(8), a_loss, whole, tmp_path / "staged", lambda *_: None)
    assert all(torch.equal(a, b) for a, b in zip(unbroken.parameters(), staged.parameters(), strict=True))


def test_a_checkpoint_cut_short_by_a_kill_is_passed_over_for_the_one_before(tmp_path):
    settings = LoopSettings(steps=3, learning_rate=1e-3, save_every_s=0)
    train(tiny_unet(8), a_loss, settings, tmp_path, lambda *_: None)
    whole = (tmp_path / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(whole[: len(whole) // 2])
    steps = []
    longer = LoopSettings(steps=4, learning_rate=1e-3, log_every=1)
    train(tiny_unet(8), a_loss, longer, tmp_path, lambda step, *_: steps.append(step))
    assert steps == [3, 4]  # state_before.pt is of step 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of file sizes to stand for a full disk")
def test_a_checkpoint_that_the_disk_has_no_room_for_leaves_the_one_before(tmp_path):
    import resource

    settings = LoopSettings(steps=2, learning_rate=1e-3, save_every_s=0)
    train(tiny_unet(8), a_loss, settings, tmp_path, lambda *_: None)
    before = (tmp_path / "state.pt").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(MarigoldError, match="the one before it is whole"):
            train(tiny_unet(8), a_loss, replace(settings, steps=4), tmp_path, lambda *_: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "state.pt").read_bytes() == before
    assert not list(tmp_path.glob("*.writing"))
    train(tiny_unet(8), a_loss, replace(settings, steps=4), tmp_path, lambda *_: None)
    assert torch.load(tmp_path / "state.pt")["step"] == 4


def test_another_networks_checkpoint_is_refused(tmp_path):
    settings = LoopSettings(steps=1, learning_rate=1e-3)
    train(tiny_unet(8), a_loss, settings, tmp_path, lambda *_: None)
    with pytest.raises(MarigoldError, match="another network"):
        train(torch.nn.Linear(3, 3), a_loss, settings, tmp_path, lambda *_: None)


def test_the_exponential_schedule_falls_to_a_hundredth():
    settings = LoopSettings(steps=30_000, learning_rate=3e-5, warmup=100, schedule="exponential", decay_steps=25_000)
    assert learning_rate(settings, 0) == pytest.approx(3e-7)
    assert learning_rate(settings, 25_000) == pytest.approx(3e-7)
    assert learning_rate(settings, 12_500) == pytest.approx(3e-6)


def test_two_processes_train_together(tmp_path):
    script = tmp_path / "two.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from test_training_recipe import a_loss, tiny_unet
        from marigold_blender.training.loop import LoopSettings, train
        settings = LoopSettings(steps=3, learning_rate=1e-3, log_every=1)
        train(tiny_unet(8), a_loss, settings, Path({str(tmp_path / "run")!r}), lambda *_: None)
        """)
    )
    launch = (
        "accelerate.commands.launch --cpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no"
    )
    command = [sys.executable, "-m", *launch.split(), str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_PORT": "29547"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    together = torch.load(tmp_path / "run/state.pt")["network"]
    alone = train(tiny_unet(8), a_loss, LoopSettings(steps=3, learning_rate=1e-3), tmp_path / "alone", lambda *_: None)
    apart = [not torch.equal(together[name], value) for name, value in alone.state_dict().items()]
    assert any(apart)  # the second process's batches had a say
    rows = (tmp_path / "run/log.csv").read_text().splitlines()
    assert len(rows) == 4, json.dumps(rows)  # one header, one row a step: only the first process writes
    assert np.isfinite(float(rows[-1].split(",")[1]))

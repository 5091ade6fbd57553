# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that runs out at any stage: smaller batches, one network on the device, tiles, then a sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data
from transformers import CLIPTextModel

from marigold_blender.errors import MarigoldError
from marigold_blender.estimation import memory_ladder
from marigold_blender.estimation.estimator import Estimator
from marigold_blender.settings import EstimateSettings
from tests.unit.checkpoints import DEMO

SETTINGS = EstimateSettings(steps=1, ensemble=2, resolution=320)
PIXELS = data.coffee()


@pytest.fixture(scope="module")
def demo() -> Estimator:
    return Estimator.load(DEMO, "cpu")


@pytest.fixture
def fresh() -> Estimator:
    return Estimator.load(DEMO, "cpu")


def quietly(estimator: Estimator, settings: EstimateSettings = SETTINGS) -> np.ndarray:
    return estimator.estimate(PIXELS, settings, lambda *_: None, lambda: False, batch_size=1).depth


def fail_beyond(module: torch.nn.Module, pixels: int, tried: list[int]) -> None:
    """Have `module` find no memory for inputs of more than `pixels`."""

    def allocate(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
        tried.append(inputs[0].shape[-1] * inputs[0].shape[-2])
        if tried[-1] > pixels:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory")

    module.register_forward_pre_hook(allocate)


@pytest.mark.parametrize(
    ("network", "pixels"), [("encoder", 256 * 256), ("encoder", 128 * 128), ("decoder", 64 * 64), ("decoder", 32 * 32)]
)
def test_the_vae_works_in_tiles_where_it_must(demo: Estimator, fresh: Estimator, network: str, pixels: int) -> None:
    tried: list[int] = []
    fail_beyond(getattr(fresh.checkpoint.vae, network), pixels, tried)
    depth = quietly(fresh)
    assert max(tried) > pixels
    whole = quietly(demo)
    low, high = np.quantile(whole, [0.02, 0.98])
    assert np.abs(depth - whole).mean() < 0.05 * (high - low)
    assert not fresh.checkpoint.vae.use_tiling


def test_members_that_are_done_are_not_lost(fresh: Estimator) -> None:
    passes: list[int] = []
    fresh.checkpoint.unet.mid_block.register_forward_pre_hook(lambda *_: passes.append(1))
    decoded: list[int] = []

    def allocate(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
        decoded.append(inputs[0].shape[-1])
        if len(decoded) == 2:  # the second member finds less memory than the first
            raise torch.OutOfMemoryError("CUDA out of memory.")

    fresh.checkpoint.vae.decoder.register_forward_pre_hook(allocate)
    assert np.isfinite(quietly(fresh)).all()
    assert len(passes) == 3  # the first once, the second again


@pytest.mark.parametrize("stage", ["encoding", "denoising", "decoding"])
def test_no_memory_at_all_is_a_sentence_and_the_next_estimate_is_whole(
    demo: Estimator, fresh: Estimator, stage: str
) -> None:
    vae, unet = fresh.checkpoint.vae, fresh.checkpoint.unet
    place = {"encoding": vae.encoder, "denoising": unet.mid_block, "decoding": vae.decoder}[stage]

    def allocate(*_: object) -> None:
        raise MemoryError

    hook = place.register_forward_pre_hook(allocate)
    with pytest.raises(MarigoldError) as caught:
        quietly(fresh)
    assert caught.value.kind == "out_of_memory"
    hook.remove()
    assert np.abs(quietly(fresh) - quietly(demo)).max() < 1e-5


def test_one_network_at_a_time_gives_the_same_depth(
    demo: Estimator, fresh: Estimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_ladder, "can_offload", lambda _: True)
    turns: list[str] = []
    for name in ("unet", "vae"):
        network = getattr(fresh.checkpoint, name)
        monkeypatch.setattr(network, "to", lambda _, name=name: turns.append(name))
    failed: list[int] = []

    def fail_once(*_: object) -> None:
        if not failed:
            failed.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory.")

    fresh.checkpoint.unet.mid_block.register_forward_pre_hook(fail_once)
    depth = quietly(fresh, EstimateSettings(steps=1, ensemble=1, resolution=96))
    # Each turn sends the other one away first; the photo's latent was kept.
    assert turns == ["vae", "unet", "unet", "vae"]
    assert not fresh.checkpoint.vae.use_tiling
    assert np.abs(depth - quietly(demo, EstimateSettings(steps=1, ensemble=1, resolution=96))).max() < 1e-5


def test_another_seed_does_not_encode_the_photo_again(fresh: Estimator) -> None:
    encoded: list[int] = []
    fresh.checkpoint.vae.encoder.register_forward_pre_hook(lambda *_: encoded.append(1))
    first = quietly(fresh, EstimateSettings(steps=1, ensemble=1, resolution=96, seed=0))
    second = quietly(fresh, EstimateSettings(steps=1, ensemble=1, resolution=96, seed=1))
    assert len(encoded) == 1
    assert np.abs(first - second).max() > 1e-3
    quietly(fresh, EstimateSettings(steps=1, ensemble=1, resolution=64))
    assert len(encoded) == 2


def test_another_photo_is_encoded(fresh: Estimator) -> None:
    settings = EstimateSettings(steps=1, ensemble=1, resolution=96)
    depth = quietly(fresh, settings)
    mirrored = fresh.estimate(PIXELS[:, ::-1].copy(), settings, lambda *_: None, lambda: False).depth
    assert np.abs(depth - mirrored).mean() > 0.01


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MARIGOLD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_text_encoder_runs_once_on_a_machine(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Estimator.load(DEMO, "cpu").checkpoint.empty_text
    monkeypatch.setattr(CLIPTextModel, "from_pretrained", lambda *_, **__: pytest.fail("the encoder was loaded"))
    assert torch.equal(Estimator.load(DEMO, "cpu").checkpoint.empty_text, first)


def test_a_damaged_embedding_is_made_again(cache: Path) -> None:
    first = Estimator.load(DEMO, "cpu").checkpoint.empty_text
    (kept,) = (cache / "empty_text").iterdir()
    whole = kept.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"rubbish"):
        kept.write_bytes(damaged)
        assert torch.equal(Estimator.load(DEMO, "cpu").checkpoint.empty_text, first)
        assert kept.read_bytes() == whole


def test_a_cache_that_cannot_be_written_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MARIGOLD_CACHE", str(tmp_path / "file"))
    assert Estimator.load(DEMO, "cpu").checkpoint.empty_text.shape[-1] > 0


def test_a_vae_that_two_models_share_is_in_memory_once(fresh: Estimator, tmp_path: Path) -> None:
    other = Path(shutil.copytree(DEMO, tmp_path / "other"))
    index = json.loads((other / "model_index.json").read_text())
    (other / "model_index.json").write_text(json.dumps({**index, "default_denoising_steps": 2}))
    second = Estimator.load(other, "cpu", vae=fresh.checkpoint.loaded_vae)
    assert second.checkpoint.vae is fresh.checkpoint.vae
    assert second.revision != fresh.revision
    weights = other / "vae" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert Estimator.load(other, "cpu", vae=fresh.checkpoint.loaded_vae).checkpoint.vae is not fresh.checkpoint.vae


def test_loading_holds_a_network_once(fresh: Estimator) -> None:
    for network in (fresh.checkpoint.unet, fresh.checkpoint.vae):
        assert not any(parameter.is_meta for parameter in network.parameters())
        wide = [weight for weight in network.parameters() if weight.ndim == 4 and min(weight.shape) > 1]
        assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in wide)

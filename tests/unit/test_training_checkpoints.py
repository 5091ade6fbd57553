# SPDX-License-Identifier: GPL-3.0-or-later
"""From a data set to a checkpoint that stock diffusers runs: each stage of the demo, and fine-tuning, at toy length."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, MarigoldDepthPipeline, UNet2DConditionModel

from marigold_blender import cli
from marigold_blender.errors import MarigoldError
from marigold_blender.models.find import find_model
from marigold_blender.training.dataset import list_scene_data_set
from marigold_blender.training.decoder import train_decoder
from marigold_blender.training.diffusion import DiffusionSettings
from marigold_blender.training.far_end import SCALES
from marigold_blender.training.finetune import FineTune, fine_tune
from marigold_blender.training.growth import deepen_unet
from marigold_blender.training.latents import CachedLatents, encode_data_set
from marigold_blender.training.loop import LoopSettings, Turn
from marigold_blender.training.scene_files import write_view
from marigold_blender.training.stages import (
    averaged_unet,
    run_decoder,
    run_encode,
    run_far_end,
    run_pack,
    run_unet,
    run_vae,
)
from marigold_blender.training.unet import new_unet
from marigold_blender.training.vae import new_vae
from marigold_blender.training.vae_start import start_from_pooling


def silent(*_):
    pass


@pytest.fixture
def data_set(tmp_path):
    folder = tmp_path / "data"
    for part in ("rgb", "depth", "normals", "meta"):
        (folder / part).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(3):
        depth = np.repeat(np.linspace(9, 3, 96, dtype=np.float32)[:, None], 128, 1)
        depth[:10] = np.inf
        rgb = rng.integers(0, 255, (96, 128, 3), dtype=np.uint8)
        write_view(folder, f"scene_{i}", rgb, depth, np.zeros((96, 128, 3), np.float32), {})
    return folder


def test_the_stages_from_data_to_a_checkpoint_that_stock_diffusers_runs(data_set, tmp_path):
    run = tmp_path / "run"
    run_vae(data_set, run, 2, silent)
    vae = (run / "vae/vae/config.json").read_bytes()
    run_vae(data_set, run, 4, silent)
    assert (run / "vae/vae/config.json").read_bytes() == vae  # what was encoded with it stays usable
    assert run_encode(data_set, run, 2, silent) == 6
    run_unet(run, 2, 2, silent, DiffusionSettings())
    run_decoder(data_set, run, 1, silent)
    first, polished = (AutoencoderKL.from_pretrained(run / stage / "vae").state_dict() for stage in ("vae", "decoder"))
    changed = {name.split(".")[0] for name in first if not torch.equal(first[name], polished[name])}
    assert changed == {"decoder", "post_quant_conv"}  # or what was encoded would no longer be what the U-Net expects
    run_pack(run, "unet", tmp_path / "packed")
    bytes_ = sum(path.stat().st_size for path in (tmp_path / "packed").rglob("*") if path.is_file())
    assert bytes_ < 30e6
    pipe = MarigoldDepthPipeline.from_pretrained(tmp_path / "packed", dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    embedding = pipe.text_encoder(torch.tensor([[0, 1]]))[0]
    assert (embedding == 0).all()
    prediction = pipe(np.zeros((48, 64, 3), np.uint8), num_inference_steps=1).prediction
    assert prediction.shape == (1, 48, 64, 1)
    assert np.isfinite(prediction).all()
    for network in ("unet", "vae"):
        (file,) = (tmp_path / "packed" / network).glob("*.safetensors")
        assert file.stat().st_size > 1e6
    run_unet(
        run, 2, 2, silent, DiffusionSettings(terminal_share=1, aligned=1, mirrored=1), "tuned", tunes="unet", until=1
    )
    views, estimates = (
        sorted(path.name for path in (run / folder).iterdir()) for folder in ("latents_256", "tuned/estimates")
    )
    assert views == estimates
    before, tuned = (averaged_unet(run, name) for name in ("unet", "tuned"))
    deepened = new_unet(deep=True)
    deepen_unet(before, deepened)
    new_layers = tuple(
        f"{block}.{kind}.1." for block in ("down_blocks.2", "up_blocks.1") for kind in ("resnets", "attentions")
    )
    before, tuned = deepened.state_dict(), tuned.state_dict()
    assert before.keys() == tuned.keys()
    old = [name for name in before if not name.startswith(new_layers)]
    assert len(old) < len(before)
    apart = max(float((tuned[name] - before[name]).abs().max()) for name in old)
    assert 0 < apart < 0.01  # one step from the finished weights
    scale = run_far_end(run, "tuned")  # two steps of training know no sky
    assert scale == SCALES[-1]
    polished, scaled = (AutoencoderKL.from_pretrained(run / stage / "vae") for stage in ("decoder", "tuned/far_end"))
    latent = torch.randn(1, 4, 16, 16)
    with torch.no_grad():
        before_and_after = [vae.decode(latent).sample for vae in (polished, scaled)]
    torch.testing.assert_close(before_and_after[1], (before_and_after[0] + 1) * scale - 1, atol=1e-4, rtol=1e-4)
    run_unet(run, 1, 2, silent, DiffusionSettings(), "grown", grows="tuned")
    grown = MarigoldDepthPipeline.from_pretrained(run / "grown/checkpoint", dtype=torch.float32)
    grown.set_progress_bar_config(disable=True)
    assert len(grown.unet.config.block_out_channels) == len(pipe.unet.config.block_out_channels) + 1
    assert grown.unet.config.layers_per_block == [1, 1, 1, 2, 1]  # as deep as what it was tuned to
    assert np.isfinite(grown(np.zeros((48, 64, 3), np.uint8), num_inference_steps=1).prediction).all()
    with pytest.raises(MarigoldError, match="has grown already"):
        run_unet(run, 1, 2, silent, DiffusionSettings(), "twice", grows="grown")


def test_latents_of_small_pictures_are_enlarged_instead_of_the_pictures(data_set, tmp_path):
    vae = new_vae()
    start_from_pooling(vae)
    samples = list_scene_data_set(data_set)[:1]
    for enlarge in (1, 2):
        encode_data_set(samples, vae, tmp_path / str(enlarge), silent, range(1), enlarge=enlarge)
    turn = Turn(0, 0, 0, 0, torch.device("cpu"))
    directly, enlarged = (CachedLatents(tmp_path / str(enlarge), 1)(turn) for enlarge in (1, 2))
    assert enlarged.depth.shape == directly.depth.shape
    assert enlarged.valid.all() == directly.valid.all()
    apart = (enlarged.depth - directly.depth)[..., 2:-2, 2:-2]
    assert apart.abs().mean() < 0.2 * directly.depth.std()


def test_what_is_encoded_is_not_encoded_again(data_set, tmp_path):
    vae = new_vae()
    start_from_pooling(vae)
    samples = list_scene_data_set(data_set)
    encode_data_set(samples, vae, tmp_path / "latents", silent, range(1))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "latents").iterdir()}
    assert encode_data_set(samples, vae, tmp_path / "latents", silent, range(2)) == 6
    assert {path: path.stat().st_mtime_ns for path in before} == before
    batch = CachedLatents(tmp_path / "latents", 4)(Turn(0, 0, 0, 0, torch.device("cpu")))
    assert batch.image.shape[:2] == batch.depth.shape[:2] == (4, 4)
    assert batch.valid.dtype == torch.bool


def test_views_that_an_older_version_encoded_are_refused(tmp_path):
    latents = np.zeros((4, 8, 8), np.float16)
    np.savez(tmp_path / "a.0.npz", image=latents, depth=latents, valid=np.ones((1, 8, 8), bool))
    with pytest.raises(MarigoldError, match="older version; remove it and encode anew"):
        CachedLatents(tmp_path, 1)


@pytest.mark.parametrize("shape", [(48, 64), (64, 48), (56, 56)])
def test_cut_views_have_every_size_between_those_of_views_and_stay_aligned(tmp_path, shape):
    height, width = shape
    place = np.arange(height * width, dtype=np.float32).reshape(shape)
    rows, columns = np.divmod(place, width)
    four = np.stack([rows, columns, rows, columns]).astype(np.float16)
    even = (place % 2 == 0)[None]
    code = ((rows + columns) / 64).astype(np.float16)
    np.savez(tmp_path / "a.0.npz", image=four, depth=-four, valid=even, code=code, nearest=1.0, has_sky=False)
    latents = CachedLatents(tmp_path, 2, cut_share=1.0)
    kept, starts = set(), set()
    for step in range(200):
        batch = latents(Turn(0, step, 0, 0, torch.device("cpu")))
        down, across = batch.image[0, 0], batch.image[0, 1]
        assert batch.image.shape[2:] == batch.depth.shape[2:] == batch.valid.shape[2:] == batch.truth.code.shape[1:]
        assert torch.equal(batch.depth, -batch.image)
        torch.testing.assert_close(batch.truth.code[0], (down + across) / 64, atol=1e-3, rtol=0)
        assert torch.equal(batch.valid[0, 0], (down * width + across) % 2 == 0)
        rows_left, columns_left = batch.image.shape[2:]
        assert (rows_left if height > width else columns_left) == (height if height > width else width)
        kept.add(columns_left if height > width else rows_left)
        starts.add(float((across if height > width else down).min()))
    assert kept == set(range(min(shape) - 7, min(shape)))
    assert {0.0, 7.0} <= starts
    whole = CachedLatents(tmp_path, 2)(Turn(0, 0, 0, 0, torch.device("cpu")))
    assert whole.image.shape[2:] == shape


def test_the_vae_starts_as_a_pooling_of_colour():
    vae = new_vae()
    start_from_pooling(vae)
    colours = torch.tensor([[1.0, -0.5, -0.5], [-0.6, 0.4, 0.9]])[:, :, None, None].expand(-1, -1, 32, 32)
    with torch.no_grad():
        decoded = vae.decode(vae.encode(colours).latent_dist.mean).sample
    middle = decoded[:, :, 8:-8, 8:-8].mean((2, 3))
    assert torch.corrcoef(torch.stack([middle.flatten(), colours[:, :, 0, 0].flatten()]))[0, 1] > 0.95


def test_a_decoder_learns_to_leave_noise_out(data_set, tmp_path):
    vae = new_vae()
    start_from_pooling(vae)
    slope = torch.linspace(-0.8, 0.8, 64).repeat(1, 3, 64, 1)

    def roughness() -> float:
        with torch.no_grad():
            latent = vae.encode(slope).latent_dist.mean
            noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
            depth = vae.decode(latent + 0.2 * noise).sample.mean(1)
        return float(depth.diff(n=2, dim=2).abs().mean())

    before = roughness()
    settings = LoopSettings(steps=8, learning_rate=1e-3, warmup=1)
    train_decoder(list_scene_data_set(data_set), vae, settings, tmp_path, silent, batch=1, long_side=64)
    assert roughness() < 0.9 * before


@pytest.mark.parametrize(("objective", "steps"), [("diffusion", 4), ("end-to-end", 1)])
def test_fine_tuning_the_demo_writes_a_folder_that_runs(data_set, tmp_path, objective, steps):
    demo = find_model("demo")
    plan = FineTune(demo, tmp_path / "run", objective, resolution=64, batch=1, sky="far")
    folder = fine_tune(plan, list_scene_data_set(data_set), LoopSettings(steps=2, learning_rate=1e-4), silent)
    pipe = MarigoldDepthPipeline.from_pretrained(folder, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    assert pipe.default_denoising_steps == steps
    assert np.isfinite(pipe(np.zeros((48, 64, 3), np.uint8)).prediction).all()
    before = UNet2DConditionModel.from_pretrained(demo, subfolder="unet", torch_dtype=torch.float32)
    assert any(not torch.equal(a, b) for a, b in zip(before.parameters(), pipe.unet.parameters(), strict=True))
    frozen = AutoencoderKL.from_pretrained(demo, subfolder="vae", torch_dtype=torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(frozen.parameters(), pipe.vae.parameters(), strict=True))


def test_the_command_adds_what_it_trained_to_the_list_of_models(data_set, tmp_path):
    size = ("--steps", "1", "--batch", "1", "--accumulate", "1", "--resolution", "64")
    cli.main(
        ["train", "finetune", str(find_model("demo")), str(data_set), "--run", str(tmp_path / "My Kitchen"), *size]
    )
    assert find_model("my-kitchen") == tmp_path / "My Kitchen/checkpoint"

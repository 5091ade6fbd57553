# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the small VAE that the demo checkpoint uses for pictures and depth alike (stock `AutoencoderKL`).

What a prototype taught, and what is done about it: half of the batch is grey depth, so colour would be learnt last:
it starts from weights that pool colour (`vae_start.py`), picture and depth have a loss each, and colour differences
count extra. Sampling a unit-variance posterior drowns the
signal: the mean is decoded, plus noise of 5 % of its spread (Marigold only ever uses the mean). Norm groups of few
channels erase constant colour: there is one group.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch.nn import functional

from .dataset import Sample, SampleFile
from .depth_range import Sky, normalise_depth
from .loop import LoopSettings, Turn, train
from .model_folder import replace_folder
from .scene_files import write_whole
from .vae_start import start_from_pooling

CHANNELS = (24, 48, 96)  # factor 4: the small network keeps edges that factor 8 would smear
CROP_PX = 48
PICTURES_PER_BATCH = 4
CROPS_PER_PICTURE = 2


def new_vae(channels: tuple[int, ...] = CHANNELS) -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=1,
        mid_block_add_attention=False,
        sample_size=256,
    )


def train_vae(
    samples: Sequence[SampleFile],
    settings: LoopSettings,
    folder: Path,
    report: Callable[[int, int, float], None],
    sky: Sky = "far",
    stop: Callable[[], bool] = lambda: False,
) -> AutoencoderKL:
    """Train a VAE from nothing on crops, and write it to `folder/vae` with its scaling factor.

    Args:
        samples: any data set; half of each batch is pictures, half depth repeated to three channels.
        folder: checkpoint, log and sample pictures.
    """
    torch.manual_seed(settings.seed)
    vae = new_vae()
    start_from_pooling(vae)

    def loss(network: torch.nn.Module, turn: Turn) -> torch.Tensor:
        rgb, depth = crop_batch(samples, turn.rng(), sky)
        clean = torch.from_numpy(np.concatenate([rgb, depth])).to(turn.device)
        generator = torch.Generator("cpu").manual_seed(int(turn.rng().integers(2**62)))
        decoded, latent = _roundtrip(network, clean, generator)
        return reconstruction_loss(decoded, clean, len(rgb)) + 1e-4 * latent.square().mean()

    shown = [samples[i].read() for i in np.linspace(0, len(samples) - 1, 6).astype(int)]

    def draw(network: torch.nn.Module, path: Path) -> None:
        assert isinstance(network, Roundtrip)
        _draw(network.vae, shown, sky, path)

    trained = train(Roundtrip(vae), loss, settings, folder, report, draw, stop)
    assert isinstance(trained, Roundtrip)
    vae = trained.vae
    whole = [sample.read() for sample in samples[:: max(1, len(samples) // 64)]]
    vae.register_to_config(scaling_factor=scaling_factor(vae, whole, sky))
    calibrate_decoder(vae, whole, sky)
    vae.save_pretrained(folder / ".vae.writing", safe_serialization=True)
    replace_folder(folder / ".vae.writing", folder / "vae")
    return vae


class Roundtrip(torch.nn.Module):
    """Encoder and decoder as one network with one forward pass, which is what data-parallel training wraps."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, pixels: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        latent = self.vae.encode(pixels).latent_dist.mean  # [B, 4, h, w]
        spread = latent.detach().float().std()
        return self.vae.decode(latent + 0.05 * spread * noise).sample, latent


def _roundtrip(
    network: torch.nn.Module, pixels: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    factor = 2 ** (len(CHANNELS) - 1)
    size = (len(pixels), 4, pixels.shape[2] // factor, pixels.shape[3] // factor)
    decoded, latent = network(pixels, torch.randn(size, generator=generator).to(pixels.device))
    return decoded.float(), latent.float()


def reconstruction_loss(decoded: torch.Tensor, clean: torch.Tensor, pictures: int) -> torch.Tensor:
    """Of a batch whose first `pictures` are photographs and whose rest is depth; each part is weighed by itself."""
    rgb = functional.l1_loss(decoded[:pictures], clean[:pictures])
    colour = functional.l1_loss(_colour(decoded[:pictures]), _colour(clean[:pictures]))
    coarse = functional.l1_loss(
        functional.avg_pool2d(decoded[:pictures], 8), functional.avg_pool2d(clean[:pictures], 8)
    )
    depth = functional.l1_loss(decoded[pictures:], clean[pictures:])
    edges = sum(
        functional.l1_loss(decoded[pictures:].diff(dim=axis), clean[pictures:].diff(dim=axis)) for axis in (2, 3)
    )
    return rgb + 2 * colour + coarse + 2 * depth + edges


def _colour(pixels: torch.Tensor) -> torch.Tensor:
    """[B, 2, H, W]: red minus green and blue minus green."""
    return pixels[:, [0, 2]] - pixels[:, 1:2]


def crop_batch(samples: Sequence[SampleFile], rng: np.random.Generator, sky: Sky) -> tuple[np.ndarray, np.ndarray]:
    """Crops of pictures and of their depth: two arrays [8, 3, 48, 48] in -1..1."""
    rgb, depth = [], []
    for index in rng.integers(0, len(samples), PICTURES_PER_BATCH):
        sample = samples[index].read()
        code, _ = normalise_depth(sample.depth, sky)
        step = 2 if rng.random() < 0.25 and min(code.shape) >= 2 * CROP_PX else 1  # some at half size
        for _ in range(CROPS_PER_PICTURE):
            rgb.append(_crop(rng, sample.rgb[::step, ::step] / np.float32(127.5) - 1))
            part = _crop(rng, np.repeat(code[::step, ::step, None], 3, 2))
            if rng.random() < 0.3:  # any slope and offset: ensembling and normalising move values about
                part = np.clip(part * rng.uniform(0.3, 1.5) + rng.uniform(-0.5, 0.5), -1, 1)
            depth.append(part.astype(np.float32))
    return np.stack(rgb).transpose(0, 3, 1, 2).copy(), np.stack(depth).transpose(0, 3, 1, 2).copy()


def _crop(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    y = int(rng.integers(0, pixels.shape[0] - CROP_PX + 1))
    x = int(rng.integers(0, pixels.shape[1] - CROP_PX + 1))
    part = pixels[y : y + CROP_PX, x : x + CROP_PX]
    return part[:, ::-1] if rng.random() < 0.5 else part


def scaling_factor(vae: AutoencoderKL, samples: Sequence[Sample], sky: Sky) -> float:
    """1 / spread of the depth latents, which are what is diffused."""
    latents = []
    with torch.no_grad():
        for sample in samples:
            code, _ = normalise_depth(sample.depth, sky)
            latents.append(vae.encode(torch.from_numpy(code)[None, None].repeat(1, 3, 1, 1)).latent_dist.mean.flatten())
    return float(1 / torch.cat(latents).square().mean().sqrt())


@torch.no_grad()
def calibrate_decoder(vae: AutoencoderKL, samples: Sequence[Sample], sky: Sky) -> tuple[float, float]:
    """Give whole views their full contrast: norms learnt on crops see less variety there, and answer a little flat.

    One scale and shift, fitted over all depth, goes into the decoder's last layer; latents stay as they are.

    Returns:
        The scale and shift.
    """
    decoded, clean = [], []
    for sample in samples:
        height, width = (n // 8 * 8 for n in sample.depth.shape)
        code, _ = normalise_depth(sample.depth[:height, :width], sky)
        pixels = torch.from_numpy(code)[None, None].repeat(1, 3, 1, 1)
        decoded.append(vae.decode(vae.encode(pixels).latent_dist.mean).sample.mean(1).flatten().numpy())
        clean.append(code.ravel())
    x, y = np.concatenate(decoded), np.concatenate(clean)
    scale, shift = np.polyfit(x, y, 1)
    last = vae.decoder.conv_out
    last.weight *= scale
    last.bias.mul_(scale).add_(shift)
    return float(scale), float(shift)


def _draw(vae: AutoencoderKL, shown: Sequence[Sample], sky: Sky, path: Path) -> None:
    """Originals above, reconstructions below."""
    columns = []
    vae.eval()
    for sample in shown:
        height, width = (n // 8 * 8 for n in sample.depth.shape)
        code, _ = normalise_depth(sample.depth[:height, :width], sky)
        pixels = np.stack([sample.rgb[:height, :width] / 127.5 - 1, np.repeat(code[..., None], 3, 2)]).astype(
            np.float32
        )
        with torch.no_grad():
            device = next(vae.parameters()).device
            clean = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()).to(device)
            decoded = vae.decode(vae.encode(clean).latent_dist.mean).sample
        both = torch.stack([clean, decoded], 1).flatten(0, 1).cpu().numpy().transpose(0, 2, 3, 1)
        bytes_ = np.clip(both * 127.5 + 127.5, 0, 255).astype(np.uint8)
        column = Image.new("RGB", (240, 4 * 240))
        for i, tile in enumerate(bytes_):
            thumb = Image.fromarray(tile)
            thumb.thumbnail((240, 240))
            column.paste(thumb, (0, 240 * i))
        columns.append(np.asarray(column))
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(columns, 1)).save(buffer, "PNG")
    write_whole(path, buffer.getvalue())

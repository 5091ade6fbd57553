# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what a finished U-Net estimates of new views from noise alone: tuning's later steps learn to mend its errors.

While a network trains, its estimates of the views that it trains on become better than those of pictures that it has
never seen, and its later steps learn to trust them too much. These are made before, once, and cost no time in training.
`stages.py` makes them, `CachedLatents` draws them.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel

from ..estimation.devices import has_bfloat16
from .diffusion import new_scheduler
from .noise import seeded_noise
from .scene_files import write_whole


@torch.no_grad()
def estimate_views(
    unet: UNet2DConditionModel,
    prompt: torch.Tensor,
    views: Path,
    folder: Path,
    report: Callable[[int, int], None],
) -> None:
    """Estimate the depth latents of encoded views that have no estimate in `folder` yet.

    Args:
        prompt: [1, tokens, width], the empty prompt's embedding.
        views: a folder that `encode_data_set` filled.
        folder: takes a file of the same name for each: `depth` [4, h, w] and the `seed` of the noise it came from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    unet.eval()
    last = new_scheduler().config.num_train_timesteps - 1  # zero terminal SNR: noise, and nothing of a depth, is left
    paths = sorted(views.glob("*.npz"))
    for done, path in enumerate(paths, 1):
        if (folder / path.name).exists():
            continue
        with np.load(path) as view:
            image = torch.from_numpy(view["image"]).float()[None]  # [1, 4, h, w]
        seed = zlib.crc32(path.name.encode())
        seen = torch.cat([image, seeded_noise(seed, image.shape[1:])[None]], 1)
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16(torch.device("cpu"))):
            velocity = unet(seen, last, encoder_hidden_states=prompt).sample
        buffer = io.BytesIO()
        np.savez(buffer, depth=-velocity[0].half().numpy(), seed=np.int64(seed))
        write_whole(folder / path.name, buffer.getvalue())
        report(done, len(paths))

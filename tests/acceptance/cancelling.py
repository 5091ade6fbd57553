"""How soon a running estimate obeys a cancel, and that its weights stay loaded: steps of part 3."""

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, MarigoldDepthPipeline, UNet2DConditionModel

from marigold_blender.errors import MarigoldError
from marigold_blender.models.find import find_model
from marigold_blender.settings import EstimateSettings
from marigold_blender.worker.client.jobs import JobQueue
from marigold_blender.worker.client.process import WorkerConfig
from tests.acceptance.part_1 import PHOTOS

FULL_SIZE = Path.home() / ".cache/marigold-acceptance/full_size"


def cancel_demo() -> dict[str, Any]:
    return _cancels(EstimateSettings(model="demo", steps=50, ensemble=20), 12, 1.5)


def cancel_full_size() -> dict[str, Any]:
    """Stable Diffusion 2's VAE and Marigold's U-Net at their full size, with random weights."""
    if not (FULL_SIZE / "model_index.json").exists():
        _write_full_size(FULL_SIZE)
    return _cancels(EstimateSettings(model=str(FULL_SIZE), steps=4, resolution=768), 5, 20.0)


def _cancels(settings: EstimateSettings, count: int, within_s: float) -> dict[str, Any]:
    """Seconds from the cancel to its end, at random moments once the network computes."""
    chance = random.Random(5)
    waits: list[tuple[str, float]] = []
    loads = 0
    with tempfile.TemporaryDirectory() as folder:
        config = WorkerConfig(Path(sys.executable), Path(folder))
        queue = JobQueue(lambda: config)
        for number in range(count):
            job_folder = queue.new_folder()
            payload = {
                "photo": str(PHOTOS[0]),
                "name": "x",
                "output": str(job_folder / "out"),
                "settings": {**settings.to_json(), "seed": number},
            }
            job = queue.submit("estimate", payload, job_folder)
            stages = set()
            while job.stage not in ("encoding", "denoising"):
                queue.poll()
                stages.add(job.stage)
                time.sleep(0.002)
            loads += "loading" in stages
            until = time.monotonic() + chance.uniform(0, within_s)
            while time.monotonic() < until:
                queue.poll()
                time.sleep(0.005)
            stage, asked = job.stage, time.monotonic()
            queue.cancel(job)
            try:
                queue.wait(job)
            except MarigoldError as error:
                waits.append((f"{stage}: {error.kind}", time.monotonic() - asked))
        queue.shutdown()
    return {
        "cancels": len(waits),
        "stages": sorted({stage for stage, _ in waits}),
        "max_s": round(max(wait for _, wait in waits), 3),
        "times_loaded": loads,
    }


def _write_full_size(folder: Path) -> None:
    torch.manual_seed(0)
    demo = MarigoldDepthPipeline.from_pretrained(find_model("demo"), dtype=torch.float32)
    unet = UNet2DConditionModel(
        sample_size=96,
        in_channels=8,
        out_channels=4,
        block_out_channels=(320, 640, 1280, 1280),
        attention_head_dim=(5, 10, 20, 20),
        cross_attention_dim=demo.text_encoder.config.hidden_size,
        use_linear_projection=True,
    )
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    )
    MarigoldDepthPipeline(
        unet=unet.half(),
        vae=vae.half(),
        scheduler=demo.scheduler,
        text_encoder=demo.text_encoder,
        tokenizer=demo.tokenizer,
        prediction_type="depth",
        scale_invariant=True,
        shift_invariant=True,
        default_denoising_steps=4,
        default_resolution=768,
    ).save_pretrained(folder)

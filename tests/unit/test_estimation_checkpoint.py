# SPDX-License-Identifier: GPL-3.0-or-later
"""Model folders that are incomplete, damaged or for something else are refused in one sentence that names the file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from marigold_blender.errors import MarigoldError
from marigold_blender.estimation.checkpoint import read_defaults
from marigold_blender.estimation.estimator import Estimator
from marigold_blender.estimation.weight_files import checkpoint_revision
from marigold_blender.settings import EstimateSettings
from tests.unit.checkpoints import DEMO, V1_0_SCHEDULER, V1_1_SCHEDULER, save_small_checkpoint

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO, tmp_path / "model"))


def refusal(folder: Path) -> str:
    with pytest.raises(MarigoldError) as caught:
        Estimator.load(folder, "cpu")
    assert caught.value.kind == "no_model"
    message = caught.value.message
    assert message.endswith(".")
    assert "\n" not in message
    return message


def change_json(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_the_demo_checkpoint(model: Path) -> None:
    estimator = Estimator.load(model, "cpu")
    assert (estimator.default_steps, estimator.default_resolution) == (4, 256)
    assert estimator.device == torch.device("cpu")
    assert estimator.dtype == torch.float32
    assert {parameter.dtype for parameter in estimator.checkpoint.unet.parameters()} == {torch.float32}
    assert not any(parameter.requires_grad for parameter in estimator.checkpoint.vae.parameters())
    defaults = read_defaults(model)
    assert (defaults.steps, defaults.resolution, defaults.revision) == (4, 256, estimator.revision)


def test_no_folder(tmp_path: Path) -> None:
    assert "no model folder" in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "name",
    [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "unet/config.json",
        UNET,
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
    ],
)
@pytest.mark.parametrize("share", [None, 0.0, 0.5], ids=["missing", "empty", "cut short"])
def test_a_file_that_is_not_whole(model: Path, name: str, share: float | None) -> None:
    path = model / name
    content = path.read_bytes()
    path.unlink()
    if share is not None:
        path.write_bytes(content[: int(len(content) * share)])
    assert str(Path(name)) in refusal(model)


def test_a_missing_tokenizer(model: Path) -> None:
    shutil.rmtree(model / "tokenizer")
    assert "tokenizer" in refusal(model)


def test_weights_of_another_network(model: Path) -> None:
    shutil.copy(model / "vae/diffusion_pytorch_model.safetensors", model / UNET)
    assert str(Path(UNET)) in refusal(model)


def test_weights_that_do_not_fit_their_configuration(model: Path) -> None:
    change_json(model / "unet/config.json", block_out_channels=[48, 96, 160])
    assert "unet" in refusal(model)


def test_only_safetensors_are_opened(model: Path) -> None:
    (model / UNET).rename(model / "unet/diffusion_pytorch_model.bin")
    assert str(Path(UNET)) in refusal(model)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"_class_name": "MarigoldNormalsPipeline"}, "MarigoldNormalsPipeline"),
        ({"_class_name": "MarigoldIntrinsicsPipeline"}, "MarigoldIntrinsicsPipeline"),
        ({"_class_name": "StableDiffusionPipeline"}, "StableDiffusionPipeline"),
        ({"prediction_type": "disparity"}, "disparity"),
        ({"prediction_type": "normals"}, "normals"),
    ],
)
def test_models_for_another_task(model: Path, values: dict[str, str], word: str) -> None:
    change_json(model / "model_index.json", **values)
    message = refusal(model)
    assert word in message
    assert "depth" in message


def test_a_network_for_another_task(model: Path) -> None:
    save_small_checkpoint(model.parent / "small", DDIMScheduler.from_config(V1_0_SCHEDULER))
    change_json(model.parent / "small/unet/config.json", in_channels=4)
    assert "unet" in refusal(model.parent / "small")


@pytest.mark.parametrize("kind", ["PNDMScheduler", "EulerDiscreteScheduler", None])
def test_schedulers_of_another_kind(model: Path, kind: str | None) -> None:
    change_json(model / "scheduler/scheduler_config.json", _class_name=kind)
    assert "scheduler_config.json" in refusal(model)


def test_weights_that_are_not_numbers(model: Path) -> None:
    estimator = Estimator.load(model, "cpu")
    estimator.checkpoint.unet.conv_out.weight.fill_(float("nan"))
    with pytest.raises(MarigoldError, match="not numbers") as caught:
        estimator.estimate(
            np.zeros((64, 64, 3), np.uint8),
            EstimateSettings(steps=1, ensemble=1, resolution=64),
            lambda *_: None,
            lambda: False,
        )
    assert caught.value.kind == "no_model"


def test_half_precision_folders_are_computed_in_single_precision(tmp_path: Path) -> None:
    save_small_checkpoint(tmp_path, DDIMScheduler.from_config(V1_1_SCHEDULER), half=True)
    assert (tmp_path / "unet/diffusion_pytorch_model.fp16.safetensors").exists()
    estimator = Estimator.load(tmp_path, "cpu")
    assert {parameter.dtype for parameter in estimator.checkpoint.unet.parameters()} == {torch.float32}
    depth = estimator.estimate(
        np.zeros((64, 96, 3), np.uint8),
        EstimateSettings(steps=1, ensemble=1, resolution=96),
        lambda *_: None,
        lambda: False,
    ).depth
    assert np.isfinite(depth).all()


@pytest.mark.parametrize(
    ("scheduler", "steps"), [(V1_0_SCHEDULER, 10), (V1_1_SCHEDULER, 4)], ids=["leading", "trailing"]
)
def test_defaults_where_the_index_does_not_say(model: Path, scheduler: dict, steps: int) -> None:
    index = json.loads((model / "model_index.json").read_text())
    for key in ("default_denoising_steps", "default_processing_resolution", "prediction_type"):
        del index[key]
    index["_class_name"] = "MarigoldPipeline"
    (model / "model_index.json").write_text(json.dumps(index))
    (model / "scheduler/scheduler_config.json").write_text(json.dumps({"_class_name": "DDIMScheduler", **scheduler}))
    defaults = read_defaults(model)
    assert (defaults.steps, defaults.resolution) == (steps, 768)


def _flip_a_weight(model: Path) -> None:
    content = bytearray((model / UNET).read_bytes())
    content[-5] ^= 1
    (model / UNET).write_bytes(content)


def _change_the_scheduler(model: Path) -> None:
    change_json(model / "scheduler/scheduler_config.json", timestep_spacing="leading")


@pytest.mark.parametrize("change", [_flip_a_weight, _change_the_scheduler])
def test_the_revision_names_the_content(model: Path, change: Callable[[Path], None]) -> None:
    assert checkpoint_revision(model) == checkpoint_revision(DEMO)
    change(model)
    assert checkpoint_revision(model) != checkpoint_revision(DEMO)


@pytest.mark.parametrize("device", ["cuda:7", "nonsense"])
def test_devices_that_are_not_there(device: str) -> None:
    with pytest.raises(MarigoldError) as caught:
        Estimator.load(DEMO, device)
    assert caught.value.kind == "bad_input"

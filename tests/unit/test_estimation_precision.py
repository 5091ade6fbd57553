# SPDX-License-Identifier: GPL-3.0-or-later
"""16-bit numbers where they pay, without bands; an estimate that overflows is repeated in single precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data

from marigold_blender.errors import MarigoldError
from marigold_blender.estimation import devices
from marigold_blender.estimation.devices import WORTH_16_BITS, choose_batch_size, choose_dtype, describe_policy
from marigold_blender.estimation.estimator import Estimator, Prediction
from marigold_blender.settings import EstimateSettings
from tests.unit.checkpoints import DEMO

CPU = torch.device("cpu")
BANDS_OF_BFLOAT16 = 256
SETTINGS = EstimateSettings(steps=2, ensemble=1, resolution=128, seed=5)


def quietly(estimator: Estimator, settings: EstimateSettings = SETTINGS, batch_size: int = 0) -> Prediction:
    return estimator.estimate(data.coffee(), settings, lambda *_: None, lambda: False, batch_size=batch_size)


def loaded(monkeypatch: pytest.MonkeyPatch, precision: str) -> Estimator:
    monkeypatch.setenv("MARIGOLD_PRECISION", precision)
    return Estimator.load(DEMO, "cpu")


@pytest.fixture(scope="module")
def single() -> Prediction:
    return quietly(Estimator.load(DEMO, "cpu"))


@pytest.mark.parametrize(("native", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_large_networks_use_bfloat16_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, native: bool, expected: torch.dtype
) -> None:
    monkeypatch.delenv("MARIGOLD_PRECISION", raising=False)
    monkeypatch.setattr(devices, "_processor_has_bfloat16", lambda: native)
    assert choose_dtype(CPU, WORTH_16_BITS) == expected
    assert choose_dtype(CPU, WORTH_16_BITS - 1) == torch.float32


@pytest.mark.parametrize(
    ("hip", "capability", "bfloat16", "expected"),
    [
        (None, (8, 9), True, torch.float16),
        (None, (7, 5), False, torch.float16),
        (None, (6, 1), False, torch.float32),
        ("6.2", (11, 0), True, torch.bfloat16),
        ("6.2", (9, 0), False, torch.float16),
    ],
    ids=["Ada", "Turing", "Pascal", "RDNA 3", "Vega"],
)
def test_graphics_cards(
    monkeypatch: pytest.MonkeyPatch,
    hip: str | None,
    capability: tuple[int, int],
    bfloat16: bool,
    expected: torch.dtype,
) -> None:
    monkeypatch.delenv("MARIGOLD_PRECISION", raising=False)
    monkeypatch.setattr(torch.version, "hip", hip)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bfloat16)
    assert choose_dtype(torch.device("cuda"), WORTH_16_BITS) == expected


def test_apple_takes_one_prediction_at_a_time() -> None:
    assert choose_batch_size(torch.device("mps"), torch.float16, 10, 64 * 64, 8) == 1


def test_a_wish_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARIGOLD_PRECISION", "float16")
    assert choose_dtype(CPU, 1) == torch.float16
    monkeypatch.setenv("MARIGOLD_PRECISION", "float8")
    with pytest.raises(MarigoldError, match="float8"):
        choose_dtype(CPU, 1)


def test_the_policy_is_told_in_words() -> None:
    policy = describe_policy(CPU)
    assert set(policy) == {"precision", "layout", "attention", "compiling", "batch", "out of memory"}
    assert policy["layout"] == "channels last"


def test_weights_are_laid_out_channels_last_and_attention_is_fused() -> None:
    checkpoint = Estimator.load(DEMO, "cpu").checkpoint
    for network in (checkpoint.unet, checkpoint.vae):
        kernels = [m.weight for m in network.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size == (3, 3)]
        assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    processors = {type(processor).__name__ for processor in checkpoint.unet.attn_processors.values()}
    assert processors == {"AttnProcessor2_0"}


def test_bfloat16_is_close_and_has_no_bands(monkeypatch: pytest.MonkeyPatch, single: Prediction) -> None:
    half = quietly(loaded(monkeypatch, "bfloat16"))
    assert half.dtype == "bfloat16"
    assert single.dtype == "float32"
    low, high = np.quantile(single.depth, [0.02, 0.98])
    assert np.abs(half.depth - single.depth).mean() < 0.01 * (high - low)
    # A picture of 128 x 85 that is bilinearly enlarged: without exact last layers, 256 values would stand at its nodes.
    nodes = quietly(loaded(monkeypatch, "bfloat16"), SETTINGS).depth[::5, ::5]
    assert len(np.unique(nodes)) > 10 * BANDS_OF_BFLOAT16


def test_in_bfloat16_the_batch_changes_little(monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = loaded(monkeypatch, "bfloat16")
    settings = EstimateSettings(steps=2, ensemble=3, resolution=96, seed=5)
    depths = [quietly(estimator, settings, batch_size=batch).depth for batch in (1, 3)]
    assert np.abs(depths[0] - depths[1]).mean() < 2e-3


@pytest.mark.parametrize("stage", ["encoding", "denoising", "decoding"])
def test_an_overflow_is_repeated_in_single_precision(
    monkeypatch: pytest.MonkeyPatch, single: Prediction, stage: str
) -> None:
    estimator = loaded(monkeypatch, "float16")
    checkpoint = estimator.checkpoint
    place = {
        "encoding": checkpoint.vae.encoder.mid_block,
        "denoising": checkpoint.unet.mid_block,
        "decoding": checkpoint.vae.decoder.mid_block,
    }[stage]

    def overflow(_: object, __: object, values: torch.Tensor) -> torch.Tensor:
        return values * torch.inf if values.dtype == torch.float16 else values

    hook = place.register_forward_hook(overflow)
    before = {name: value.clone() for name, value in checkpoint.unet.state_dict().items()}
    repeated = quietly(estimator)
    hook.remove()
    assert repeated.dtype == "float32"
    assert np.isfinite(repeated.depth).all()
    assert np.abs(repeated.depth - single.depth).max() < 0.01  # weights went through float16
    after = checkpoint.unet.state_dict()
    assert all(after[name].dtype == value.dtype and torch.equal(after[name], value) for name, value in before.items())
    assert checkpoint.vae.decoder.conv_out.weight.dtype == torch.float32


def test_weights_that_give_nan_in_single_precision_are_damaged() -> None:
    estimator = Estimator.load(DEMO, "cpu")
    estimator.checkpoint.unet.mid_block.register_forward_hook(lambda _, __, values: values * torch.nan)
    with pytest.raises(MarigoldError) as caught:
        quietly(estimator)
    assert caught.value.kind == "no_model"

"""Steady clips: motion, one scale for a shot, cuts, and a run that goes on to exactly the same depth."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from marigold_blender import cli
from marigold_blender.clips.depth_sequence import open_depth_sequence
from marigold_blender.errors import MarigoldError
from marigold_blender.estimation.checkpoint import load_checkpoint
from marigold_blender.estimation.depth_agreement import Agreement, find_agreement
from marigold_blender.estimation.estimator import Prediction
from marigold_blender.estimation.optical_flow import box_means, evened_out, find_motion
from marigold_blender.estimation.steady_frames import (
    CARRIED,
    KEYS,
    Carry,
    SteadyState,
    carrying,
    in_range,
    next_frame,
    share_to_carry,
)
from marigold_blender.settings import EstimateSettings
from marigold_blender.worker.server.clip_job import ClipRequest, run_clip
from marigold_blender.worker.server.steady_state import Progress, load_progress, save_progress
from tests.unit.checkpoints import DEMO

HEIGHT, WIDTH = 48, 64
SMALL = EstimateSettings(steps=1, resolution=64)


def surface(seed: int, height: int = 96, width: int = 256) -> np.ndarray:
    """A random picture [H, W] in [0, 1] with detail of several sizes."""
    rng = np.random.default_rng(seed)
    layers = [np.kron(rng.random((height // s, width // s)), np.ones((s, s))) for s in (2, 4, 8, 16)]
    picture = torch.tensor(sum(layers), dtype=torch.float32)[None, None]
    smooth = torch.nn.functional.avg_pool2d(picture, 3, stride=1, padding=1)[0, 0].numpy()
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


def seen_at(values: np.ndarray, left: int) -> np.ndarray:
    return values[20 : 20 + HEIGHT, left : left + WIDTH]


def as_pixels(values: np.ndarray) -> np.ndarray:
    return np.repeat((values * 255).astype(np.uint8)[..., None], 3, axis=2)


def hills(width: int = 256) -> np.ndarray:
    """Depth [96, W] that goes with any surface: smooth, within 0.2 .. 0.8."""
    rows, columns = np.mgrid[0:96, 0:width]
    return (0.5 + 0.2 * np.sin(columns / 17.0) + 0.1 * np.cos(rows / 11.0)).astype(np.float32)


def pumping(depth: np.ndarray, number: int) -> Prediction:
    """What a network gives that knows depth only up to a scale and a shift of its mood, and some noise."""
    rng = np.random.default_rng(number)
    mood = rng.uniform(0.7, 1.2) * depth + rng.uniform(-0.1, 0.1) if number else depth
    noisy = mood + 0.02 * rng.standard_normal(depth.shape)
    return Prediction(noisy.astype(np.float32), None, depth.shape[::-1], "float32", torch.zeros(1, 4, 12, 16))


def follow(picture: np.ndarray, lefts: list[int], state: SteadyState | None = None) -> list[SteadyState]:
    depth, states = hills(picture.shape[1]), []
    for number, left in enumerate(lefts):

        def predict(_carry: Carry, left: int = left, number: int = number) -> Prediction:
            return pumping(seen_at(depth, left), number)

        state = next_frame(state, as_pixels(seen_at(picture, left)), predict, 0.0)
        states.append(state)
    return states


@pytest.mark.parametrize("radius", [1, 3, 4, 8])
@pytest.mark.parametrize("size", [(29, 40), (9, 1), (1, 7)])
def test_means_over_squares_are_those_of_pooling(size: tuple[int, int], radius: int) -> None:
    values = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    edge = 2 * radius + 1
    pooled = torch.nn.functional.avg_pool2d(values, edge, stride=1, padding=radius, count_include_pad=False)
    assert (box_means(values, radius) - pooled).abs().max() < 1e-5


def test_motion_is_found_and_what_left_the_picture_is_not_trusted():
    picture = surface(1)
    motion = find_motion(evened_out(as_pixels(seen_at(picture, 30))), evened_out(as_pixels(seen_at(picture, 23))))
    inner = motion.flow[:, 8:-8, 8:-8]
    assert float((inner[0] - 7.0).abs().median()) < 0.2
    assert float(inner[1].abs().median()) < 0.2
    assert float(motion.confidence[8:-8, 8:-16].mean()) > 0.8
    assert float(motion.confidence[:, -6:].mean()) < 0.2


def test_a_change_of_light_is_no_motion():
    picture = seen_at(surface(2), 40)
    motion = find_motion(evened_out(as_pixels(picture)), evened_out(as_pixels(0.6 * picture)))
    assert float(motion.flow.abs().mean()) < 0.1
    assert motion.seen > 0.9


def test_depth_neither_pumps_nor_drifts():
    lefts = list(range(0, 180, 4))
    states = follow(surface(3), lefts)
    true = np.stack([seen_at(hills(), left) for left in lefts])
    steady = np.stack([state.depth.numpy() for state in states])
    alone = np.stack([pumping(image, number).depth for number, image in enumerate(true)])
    errors = [np.abs(np.diff(depth, axis=0) - np.diff(true, axis=0)).mean() for depth in (steady, alone)]
    assert errors[0] < 0.3 * errors[1]
    assert np.abs(steady[-1] - true[-1]).mean() < 0.03  # many frames later, at another place, still on its scale
    assert {state.shot for state in states} == {0}
    assert max(len(state.keys) for state in states) <= KEYS


def test_a_long_clip_does_not_fade_or_grow():
    there_and_back = [*range(0, 120, 6), *range(120, 0, -6)] * 2
    last = follow(surface(4), there_and_back)[-1]
    true = seen_at(hills(), there_and_back[-1])
    assert float(last.depth.std()) == pytest.approx(float(true.std()), rel=0.15)
    assert len(last.keys) <= KEYS


def test_a_cut_starts_afresh():
    before = follow(surface(5), [0, 2, 4])[-1]
    after = follow(surface(6), [50, 52], before)
    assert [state.shot for state in after] == [1, 1]
    assert after[0].agreement == Agreement(1.0, 0.0)
    assert len(after[0].keys) == 1


def test_scale_and_shift_survive_outliers_and_have_no_leaning():
    rng = np.random.default_rng(7)
    truth = rng.random(500)
    depth, known = truth + 0.05 * rng.standard_normal(500), 2.0 * (truth + 0.05 * rng.standard_normal(500)) - 0.3
    known[:60] = 5.0
    found = find_agreement(depth, known, np.ones(500), Agreement(1.0, 0.0))
    assert (found.scale, found.shift) == pytest.approx((2.0, -0.3), abs=0.08)
    nothing = find_agreement(depth, known, np.zeros(500), Agreement(1.5, 0.1))
    assert nothing == Agreement(1.5, 0.1)


def test_latents_are_carried_as_far_as_the_schedule_leaves_a_signal():
    zero_snr = load_checkpoint(DEMO, torch.device("cpu"), torch.float32)
    assert share_to_carry(zero_snr, 4) < 1e-3
    config = {**zero_snr.scheduler.config, "rescale_betas_zero_snr": False, "timestep_spacing": "trailing"}
    older = dataclasses.replace(zero_snr, scheduler=type(zero_snr.scheduler).from_config(config))
    assert 0.05 < share_to_carry(older, 4) <= CARRIED
    assert share_to_carry(dataclasses.replace(older, zero_noise=True), 1) == 0.0
    draws = iter([torch.ones(4, 2, 2), torch.zeros(4, 2, 2)])
    stream = carrying(lambda _shape: next(draws), 0, lambda _member, noise: noise + 1.0)
    assert [float(stream((4, 2, 2)).mean()) for _ in range(2)] == [2.0, 0.0]  # only the first draw is a latent


def test_depth_beyond_the_range_keeps_its_order():
    values = in_range(torch.linspace(-2.0, 3.0, 200))
    assert float(values.min()) >= 0.0
    assert float(values.max()) <= 1.0
    assert bool((values.diff() >= 0.0).all())
    assert float(in_range(torch.tensor(0.5))) == pytest.approx(0.5)


def test_progress_is_kept_exactly_and_is_bound_to_what_decides_it(tmp_path):
    state = follow(surface(8), [0, 3, 6])[-1]
    path = tmp_path / "state.npz"
    save_progress(path, Progress(3, (WIDTH, HEIGHT), (1,), state), "these settings")
    loaded = load_progress(path, "these settings")
    assert loaded is not None
    assert (loaded.frame, loaded.size, loaded.shots) == (3, (WIDTH, HEIGHT), (1,))
    goes_on = [follow(surface(8), [9], before)[0].depth for before in (state, loaded.state)]
    assert torch.equal(*goes_on)
    assert load_progress(path, "other settings") is None
    path.write_bytes(path.read_bytes()[:200])
    assert load_progress(path, "these settings") is None


@pytest.fixture
def sequence(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("MARIGOLD_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "shot"
    folder.mkdir()
    for number in range(1, 6):
        picture = seen_at(surface(9 if number < 5 else 10), 3 * number)
        Image.fromarray(as_pixels(picture)).save(folder / f"shot_{number:04}.png")
    return folder


def test_a_stopped_run_goes_on_to_the_same_depth(sequence, tmp_path):
    whole = run_clip(ClipRequest(str(sequence), str(tmp_path / "whole"), SMALL), lambda *_: None, lambda: False)
    assert (whole.first, whole.last, whole.computed) == (1, 5, 5)
    request, made = ClipRequest(str(sequence), str(tmp_path / "out"), SMALL), []
    with pytest.raises(MarigoldError) as failure:
        run_clip(request, lambda stage, done, total: made.append(done), lambda: len(made) > 2)
    assert failure.value.kind == "cancelled"
    kept = open_depth_sequence(tmp_path / "out")
    assert (kept.frames, kept.method) == ((1, 2), "steady")
    assert run_clip(request, lambda *_: None, lambda: False).computed == 3
    assert run_clip(request, lambda *_: None, lambda: False).computed == 0
    sequences = [open_depth_sequence(tmp_path / name) for name in ("whole", "out")]
    assert all((sequences[0].read(number) == sequences[1].read(number)).all() for number in range(1, 6))
    assert not list((tmp_path / "out").glob("*.npz"))
    (tmp_path / "out" / "shot_0003_depth.exr").unlink()
    assert run_clip(request, lambda *_: None, lambda: False).computed == 5  # what comes after hangs on it
    assert '"shots": [\n  1,\n  5\n ]' in Path(whole.record).read_text()


def test_frames_of_another_size_are_one_sentence(sequence, tmp_path):
    Image.new("RGB", (32, 32)).save(sequence / "shot_0003.png")
    with pytest.raises(MarigoldError, match=r"Frame 3 of .* has 32 × 32 pixels, those before it 64 × 48"):
        run_clip(ClipRequest(str(sequence), str(tmp_path / "out"), SMALL), lambda *_: None, lambda: False)


def test_the_command_takes_frames_by_themselves_when_asked(sequence, tmp_path):
    command = ["estimate", str(sequence), "--steps", "1", "--resolution", "64", "--output"]
    for arguments, method in (([], "steady"), (["--independent"], "independent")):
        assert cli.main([*command, str(tmp_path / method), *arguments]) == 0
        assert open_depth_sequence(tmp_path / method).method == method

# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth of a clip's frames one after the other, steady in time. Called by the worker's `steady_clip`.

Frames share their noise, mixed with a part of the previous frame's depth latent, moved along (Marigold's own advice for
video), as far as the network's noise schedule leaves a signal there. What comes out is brought to the shot's scale by
the pixels that a key frame and the previous frame show too, and then mixed with the previous frame's depth, moved
along, where that is known to be the same place. A key frame serves as long as much of it is in view, and again when it
comes back, so scale does not wander. A cut starts afresh. All that the next frame depends on is one `SteadyState`:
memory does not grow with a clip.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it

from .checkpoint import Checkpoint
from .depth_agreement import Agreement, find_agreement
from .estimator import Prediction
from .noise import NoiseStream
from .optical_flow import Motion, evened_out, find_motion, resized, warped

CARRIED = 0.1  # part of the previous latent in what a frame starts from, at most
KEPT = 0.95  # weight of the previous frame's depth where it surely shows the same
DOUBTFUL = 0.15  # confidence at which that is halved: in plain surfaces motion is vague, and depth does not mind
DIFFERS = 0.2  # of depth: where old and new are further apart, the new one counts more
CUT_BELOW = 0.2  # share of a frame that the one before must show too, or it is a cut
KEY_SERVES = 0.4  # share of a frame that its key frame must show too
KEY_RETURNS = 0.6  # the same for an earlier key frame to serve again
KEYS = 4  # key frames that are remembered
COMPARED_EDGE = 48  # pixels along the long edge at which depth is compared: noise averages out, and it is quick
MARGIN = 0.1  # that a shot's first frame leaves at both ends of 0 .. 1, for what comes nearer or is farther away
PREVIOUS_COUNTS = 0.5  # of a pixel of the previous frame beside one of the key frame, for scale and shift


@dataclass(frozen=True)
class KeyFrame:
    """What later frames are brought into agreement with: its picture, see `evened_out`, and its depth, both [h, w]."""

    picture: torch.Tensor
    depth: torch.Tensor


@dataclass(frozen=True)
class SteadyState:
    """All that the next frame depends on.

    Attributes:
        shot: number of the shot, from 0: it grows with every cut.
        picture: [h, w] of the last frame, see `evened_out`.
        depth: [H, W] of the last frame, on the shot's scale: that of its first frame, and not limited to 0 .. 1.
        alone: [h, w] the same before it was mixed with the frames before it: as noisy as the next frame will be.
        latents: [E, 4, lh, lw] of the last frame; None where tiles made it.
        agreement: that brought the last frame to the shot's scale.
        keys: the key frames, the serving one last.
        to_key: [2, h, w] motion from the last frame to that one.
    """

    shot: int
    picture: torch.Tensor
    depth: torch.Tensor
    alone: torch.Tensor
    latents: torch.Tensor | None
    agreement: Agreement
    keys: tuple[KeyFrame, ...]
    to_key: torch.Tensor


Carry = Callable[[int, torch.Tensor], torch.Tensor]
"""Takes the number of a member and its noise [4, lh, lw]; gives the latent that it starts from."""


def next_frame(
    state: SteadyState | None,
    pixels: np.ndarray,
    predict: Callable[[Carry], Prediction],
    carried: float,
    valid: np.ndarray | None = None,
) -> SteadyState:
    """The state after one more frame; its depth is `state.depth`.

    Args:
        state: after the frame before; None for the first.
        pixels: [H, W, 3] uint8, or float32 in [0, 1].
        predict: estimates this frame, with noise from `carrying`.
        carried: from `share_to_carry`.
        valid: [H, W] bool, pixels that mean something; None: all.
    """
    picture = evened_out(pixels)
    motion = find_motion(picture, state.picture) if state else None
    if state is None or motion is None or motion.seen < CUT_BELOW:
        return _first_of_shot(picture, predict(_carry_nothing), 0 if state is None else state.shot + 1)
    if valid is not None:
        motion = _where(motion, valid)
    prediction = predict(_carry_along(state, motion, carried))
    depth = torch.from_numpy(prediction.depth)  # [H, W]
    small = _as_large_as(depth, picture)
    before = warped(state.alone[None], motion.flow)[0]  # [h, w]
    state, to_key = _with_key(state, picture, motion)
    if valid is not None:
        to_key = _where(to_key, valid)
    at_key = warped(state.keys[-1].depth[None], to_key.flow)[0]  # [h, w]
    agreement = find_agreement(
        np.concatenate([_coarse(small), _coarse(small)]),
        np.concatenate([_coarse(at_key), _coarse(before)]),
        np.concatenate([_coarse(to_key.confidence), PREVIOUS_COUNTS * _coarse(motion.confidence)]),
        state.agreement,
    )
    return replace(
        state,
        picture=picture,
        depth=_mixed(depth * agreement.scale + agreement.shift, state.depth, motion),
        alone=small * agreement.scale + agreement.shift,
        latents=prediction.latents,
        agreement=agreement,
        to_key=to_key.flow,
    )


def share_to_carry(checkpoint: Checkpoint, steps: int) -> float:
    """The part of the previous latent that a frame can start from.

    It is what the noise schedule leaves of the signal at the first timestep. Schedules of zero terminal SNR leave
    nothing: those networks were never shown a signal there, and take the smallest one for a sign of flatness, which
    from frame to frame grows.
    """
    if checkpoint.zero_noise:
        return 0.0
    scheduler = checkpoint.new_scheduler(steps)
    left = float(scheduler.alphas_cumprod[int(scheduler.timesteps[0])])
    return min(CARRIED, math.sqrt(max(left, 0.0)))


def in_range(depth: torch.Tensor) -> torch.Tensor:
    """A shot's depth within 0 .. 1: linear but for the outer half of the margins, which what lies beyond shares."""
    values = MARGIN + (1.0 - 2.0 * MARGIN) * depth
    edge = MARGIN / 2.0
    low = edge * (1.0 + torch.tanh((values - edge) / edge))
    high = 1.0 - edge * (1.0 - torch.tanh((values - 1.0 + edge) / edge))
    return torch.where(values < edge, low, torch.where(values > 1.0 - edge, high, values))


def carrying(noise: NoiseStream, member: int, carry: Carry) -> NoiseStream:
    """A member's noise whose first draw, the latent that it starts from, is mixed with what is carried along."""
    drawn = False

    def stream(shape: tuple[int, ...]) -> torch.Tensor:
        nonlocal drawn
        deviates = noise(shape)
        if drawn:
            return deviates
        drawn = True
        return carry(member, deviates)

    return stream


def _first_of_shot(picture: torch.Tensor, prediction: Prediction, shot: int) -> SteadyState:
    depth = torch.from_numpy(prediction.depth)
    key = KeyFrame(picture, _as_large_as(depth, picture))
    nowhere = torch.zeros(2, *picture.shape)
    return SteadyState(shot, picture, depth, key.depth, prediction.latents, Agreement(1.0, 0.0), (key,), nowhere)


def _carry_nothing(_member: int, noise: torch.Tensor) -> torch.Tensor:
    return noise


def _carry_along(state: SteadyState, motion: Motion, carried: float) -> Carry:
    """The last latents, moved along; noise stays what it is where the last frame does not show a place."""

    def carry(member: int, noise: torch.Tensor) -> torch.Tensor:
        if state.latents is None or state.latents.shape[1:] != noise.shape or member >= len(state.latents):
            return noise
        flow = resized(motion.flow, *noise.shape[1:])
        share = carried * _as_large_as(motion.confidence, noise[0])
        return (1.0 - share**2).sqrt() * noise + share * warped(state.latents[member], flow)

    return carry


def _with_key(state: SteadyState, picture: torch.Tensor, motion: Motion) -> tuple[SteadyState, Motion]:
    """The state with the key frame that serves this frame last, and the motion to it."""
    start = motion.flow + warped(state.to_key, motion.flow)
    to_key = find_motion(picture, state.keys[-1].picture, start)
    if to_key.seen >= KEY_SERVES:
        return state, to_key
    returning = [(find_motion(picture, key.picture), key) for key in state.keys[:-1]]
    best = max(returning, key=lambda found: found[0].seen, default=None)
    if best and best[0].seen >= KEY_RETURNS:
        others = tuple(key for key in state.keys if key is not best[1])
        return replace(state, keys=(*others, best[1])), best[0]
    new = KeyFrame(state.picture, state.alone)
    return replace(state, keys=(*state.keys, new)[-KEYS:]), motion


def _mixed(depth: torch.Tensor, last: torch.Tensor, motion: Motion) -> torch.Tensor:
    """This frame's depth and the last one's, moved along, both [H, W]."""
    height, width = depth.shape
    moved = warped(last[None], resized(motion.flow, height, width), "bicubic")[0]
    confidence = F.interpolate(motion.confidence[None, None], (height, width), mode="bilinear")[0, 0]
    apart = moved - depth
    kept = KEPT * confidence / (confidence + DOUBTFUL) / (1.0 + (apart / DIFFERS) ** 2)
    return depth + kept * apart


def _where(motion: Motion, valid: np.ndarray) -> Motion:
    """The motion, trusted only at valid pixels."""
    mask = torch.from_numpy(valid.astype(np.float32))
    return replace(motion, confidence=motion.confidence * (_as_large_as(mask, motion.confidence) > 0.99))


def _as_large_as(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    if values.shape == like.shape:
        return values
    return F.interpolate(values[None, None], tuple(like.shape), mode="bilinear", antialias=True)[0, 0]


def _coarse(values: torch.Tensor) -> np.ndarray:
    """Means [N] of [h, w] over a coarse raster."""
    size = [max(1, min(edge, COMPARED_EDGE * edge // max(values.shape))) for edge in values.shape]
    return F.interpolate(values[None, None], size, mode="area").double().numpy().ravel()

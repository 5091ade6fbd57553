# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the tracked markers of a solved movie clip are from its camera. Called by `calibrating`.

A reconstruction has a scale of its own. The scene gives it one: the camera that follows the clip by a Camera Solver
constraint is scaled, turned and moved by its own transform (Blender's *Set Scale* does that), and so are the markers.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix

from ..errors import MarigoldError


@dataclass(frozen=True)
class MarkerDistances:
    """The markers seen in one frame.

    Attributes:
        places: [N, 2] in the frame, (0, 0) bottom left .. (1, 1) top right.
        distances: [N] planar, in the scene's units if `has_scale`, else in those of the reconstruction.
        has_scale: whether a camera of the scene follows the clip, which gives the reconstruction its size.
    """

    places: np.ndarray
    distances: np.ndarray
    has_scale: bool


def marker_distances(scene: bpy.types.Scene, clip: bpy.types.MovieClip | None, frame: int) -> MarkerDistances:
    """The markers that are seen at a frame of the scene, with their distances from the reconstructed camera.

    Raises:
        MarigoldError: the clip is not solved, or not at this frame, or no marker is there (`bad_input`).
    """
    clip = clip or scene.active_clip
    if clip is None:
        raise MarigoldError("bad_input", "Choose the movie clip that the photo is a frame of, with its camera solved.")
    reconstruction = clip.tracking.reconstruction
    if not reconstruction.is_valid:
        raise MarigoldError("bad_input", f"The camera of “{clip.name}” is not solved: do that in the Clip Editor.")
    clip_frame = frame - clip.frame_start + 1
    solved = reconstruction.cameras.find_frame(frame=clip_frame)
    if solved is None or solved.frame != clip_frame:
        raise MarigoldError(
            "bad_input", f"The camera of “{clip.name}” is not solved at frame {frame}: go to the frame of the photo."
        )
    to_camera = solved.matrix.inverted()
    scale = scene_scale(scene, clip)
    places, distances = [], []
    for track in clip.tracking.tracks:
        marker = track.markers.find_frame(clip_frame) if track.has_bundle else None
        if marker is None or marker.mute:
            continue
        distance = -(to_camera @ track.bundle).z
        if distance > 0 and all(0.0 <= part <= 1.0 for part in marker.co):
            places.append(marker.co[:])
            distances.append(distance * (scale or 1.0))
    if len(places) < 2:
        raise MarigoldError(
            "bad_input", f"Fewer than two solved markers of “{clip.name}” are seen at frame {frame}: track more."
        )
    return MarkerDistances(np.array(places), np.array(distances), scale is not None)


def scene_scale(scene: bpy.types.Scene, clip: bpy.types.MovieClip) -> float | None:
    """How many of the scene's units a unit of the clip's reconstruction is; None: the scene has no such camera."""
    followers = [camera for camera in scene.objects if camera.type == "CAMERA" and _solved_clip(scene, camera) == clip]
    if not followers:
        return None
    camera = scene.camera if scene.camera in followers else followers[0]
    parent: Matrix = camera.parent.matrix_world if camera.parent else Matrix()
    return sum((parent @ camera.matrix_basis).to_scale()) / 3


def _solved_clip(scene: bpy.types.Scene, camera: bpy.types.Object) -> bpy.types.MovieClip | None:
    for constraint in camera.constraints:
        if constraint.type == "CAMERA_SOLVER" and constraint.enabled:
            return scene.active_clip if constraint.use_active_clip else constraint.clip
    return None

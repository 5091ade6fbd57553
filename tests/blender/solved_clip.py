"""A movie clip with tracked points, solved by Blender. Used by the tests of calibration and by part 6's acceptance."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector

LENS_MM, SENSOR_MM = 35.0, 36.0
FRAMES = 12


@dataclass(frozen=True)
class Shot:
    """A clip of a known scene.

    Attributes:
        clip: solved.
        distances: true planar distance of each track, by name, at the first frame.
        unit: true length of a unit of the reconstruction.
    """

    clip: bpy.types.MovieClip
    distances: dict[str, float]
    unit: float


def camera_path(frames: int = FRAMES) -> list[Matrix]:
    """Camera to world of each frame: a sideways walk that turns a little, from the origin looking along -Z."""
    turn = math.radians(0.4)
    return [
        Matrix.Translation((0.15 * f, 0.02 * f, 0)) @ Euler((0, turn * f, 0)).to_matrix().to_4x4()
        for f in range(frames)
    ]


def load_frames(folder: Path, width: int, height: int, frames: int = FRAMES) -> bpy.types.MovieClip:
    """A clip of black frames, for tracks that are set rather than tracked."""
    folder.mkdir(parents=True, exist_ok=True)
    image = bpy.data.images.new("frame", width, height)
    image.file_format = "PNG"
    for frame in range(1, frames + 1):
        image.filepath_raw = str(folder / f"frame_{frame:04}.png")
        image.save()
    bpy.data.images.remove(image)
    clip = bpy.data.movieclips.load(str(folder / "frame_0001.png"))
    camera = clip.tracking.camera
    camera.sensor_width, camera.units = SENSOR_MM, "MILLIMETERS"
    camera.focal_length = LENS_MM
    return clip


@contextmanager
def clip_editor(clip: bpy.types.MovieClip) -> Iterator[None]:
    """A Clip Editor in Tracking mode, as the operators on clips ask for one."""
    window = bpy.context.window_manager.windows[0]
    area = max(window.screen.areas, key=lambda a: a.width * a.height)
    before, area.type = area.type, "CLIP_EDITOR"
    area.spaces.active.clip, area.spaces.active.mode = clip, "TRACKING"
    region = next(region for region in area.regions if region.type == "WINDOW")
    try:
        with bpy.context.temp_override(window=window, area=area, region=region):
            yield
    finally:
        area.type = before


def track_features(clip: bpy.types.MovieClip, frames: int) -> None:
    """Have Blender find features in the first frame and follow them through the clip; those lost early go."""
    with clip_editor(clip):
        bpy.ops.clip.detect_features("EXEC_DEFAULT", threshold=0.002, min_distance=20, margin=20)
        for track in clip.tracking.tracks:
            track.select = True
        bpy.ops.clip.track_markers("EXEC_DEFAULT", backwards=False, sequence=True)
    remove_tracks(clip, lambda track: sum(not marker.mute for marker in track.markers) < frames)


def remove_tracks(clip: bpy.types.MovieClip, wanted: Callable[[bpy.types.MovieTrackingTrack], bool]) -> None:
    for track in clip.tracking.tracks:
        track.select = wanted(track)
    with clip_editor(clip):
        bpy.ops.clip.delete_track("EXEC_DEFAULT", confirm=False)


def solve(clip: bpy.types.MovieClip, frames: int = FRAMES) -> None:
    """Reconstruct the camera from the tracks."""
    clip.tracking.objects[0].keyframe_a, clip.tracking.objects[0].keyframe_b = 1, frames
    with clip_editor(clip):
        bpy.ops.clip.solve_camera("EXEC_DEFAULT")


def track_points(folder: Path, points: np.ndarray, width: int, height: int) -> Shot:
    """A solved clip in which `points` [N, 3] (world space, Blender's axes) are tracked as `camera_path` sees them."""
    clip = load_frames(folder, width, height)
    focal_px = LENS_MM / SENSOR_MM * width
    path = camera_path()
    distances = {}
    for number, point in enumerate(points):
        seen = [camera.inverted() @ Vector(point) for camera in path]
        places = [(0.5 - p.x / p.z * focal_px / width, 0.5 - p.y / p.z * focal_px / height) for p in seen]
        if not all(0.01 < part < 0.99 for place in places for part in place):
            continue
        track = clip.tracking.tracks.new(name=f"point {number}", frame=1)
        for frame, place in enumerate(places, 1):
            track.markers.insert_frame(frame, co=place)
        distances[track.name] = -seen[0].z
    solve(clip)
    return Shot(clip, distances, unit_of(clip, distances))


def unit_of(clip: bpy.types.MovieClip, distances: dict[str, float]) -> float:
    """True length of a unit of a clip's reconstruction: its scale is arbitrary."""
    to_camera = clip.tracking.reconstruction.cameras.find_frame(frame=1).matrix.inverted()
    ratios = [
        distances[track.name] / -(to_camera @ track.bundle).z
        for track in clip.tracking.tracks
        if track.has_bundle and track.name in distances
    ]
    return float(np.median(ratios))


def follow_clip(scene: bpy.types.Scene, clip: bpy.types.MovieClip, scale: float) -> bpy.types.Object:
    """A camera that follows the clip, with the size that *Set Scale* would give it."""
    camera = bpy.data.objects.new("tracked", bpy.data.cameras.new("tracked"))
    scene.collection.objects.link(camera)
    constraint = camera.constraints.new("CAMERA_SOLVER")
    constraint.use_active_clip, constraint.clip = False, clip
    camera.scale = (scale, scale, scale)
    return camera

"""Clips of known scenes, solved by Blender: `python -m tests.acceptance.tracked_marker_scenes FOLDER COUNT`.

A floor, a wall and boxes with spots on them, glowing so that few samples do, are rendered while the camera moves
sideways; Blender finds features, tracks them and solves the camera. Twenty of the markers calibrate the depth of the
first frame, six of them put in a wrong place. FOLDER/NAME.json is complete when it is there.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from marigold_blender import scene as marigold_scene
from marigold_blender.scene.calibrating import Known, calibrate
from marigold_blender.scene.depth_image import load_depth
from marigold_blender.scene.versions import node_tree_of
from marigold_blender.training.scenes.passes import prepare_render, render_passes
from marigold_blender.training.shots import intrinsics
from tests.blender.solved_clip import SENSOR_MM, follow_clip, remove_tracks, solve, track_features
from tests.blender.synthetic_photo import write_job, write_png

SEED = 733
WIDTH, HEIGHT, FRAMES, SAMPLES = 480, 360, 10, 8
FAR_M = 80.0
MOVE = 0.25  # of the median depth, over the whole clip
MARKERS, WRONG = 20, 6
WELL_SOLVED_PX = 0.5


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    marigold_scene.register()
    for number in range(count):
        target = folder / f"boxes_{number:03}.json"
        if not target.is_file():
            with tempfile.TemporaryDirectory() as scratch:
                measured = measure(number, Path(scratch))
            target.write_text(json.dumps(measured))
            print(target.stem, measured, flush=True)
    marigold_scene.unregister()


def build(rng: np.random.Generator) -> bpy.types.Object:
    """A new scene of boxes; its camera."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = bpy.context.scene
    spots = spotted()
    bpy.ops.mesh.primitive_plane_add(size=60)
    bpy.context.object.data.materials.append(spots)
    bpy.ops.mesh.primitive_plane_add(size=60, location=(0, rng.uniform(9, 14), 0), rotation=(np.pi / 2, 0, 0.2))
    bpy.context.object.data.materials.append(spots)
    for _ in range(9):
        size = rng.uniform(0.4, 1.6, 3)
        place = rng.uniform((-3.5, 3.0, 0.0), (3.5, 9.0, 0.5))
        bpy.ops.mesh.primitive_cube_add(size=1, location=place, rotation=(0, 0, rng.uniform(0, np.pi)), scale=size)
        bpy.context.object.data.materials.append(spots)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.location, camera.rotation_euler = (0, 0, rng.uniform(1.3, 2.2)), (np.radians(rng.uniform(76, 84)), 0, 0)
    camera.data.lens, camera.data.sensor_fit = rng.uniform(24, 50), "HORIZONTAL"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = WIDTH, HEIGHT, 100
    bpy.context.view_layer.update()
    return camera


def spotted() -> bpy.types.Material:
    """Cells of many greys, as large as a hand, in the world's coordinates."""
    material = bpy.data.materials.new("spots")
    tree = node_tree_of(material)
    position, cells = tree.nodes.new("ShaderNodeNewGeometry"), tree.nodes.new("ShaderNodeTexVoronoi")
    light, output = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeOutputMaterial")
    cells.inputs["Scale"].default_value = 5.0
    tree.links.new(position.outputs["Position"], cells.inputs["Vector"])
    tree.links.new(cells.outputs["Color"], light.inputs["Color"])
    tree.links.new(light.outputs[0], output.inputs["Surface"])
    return material


def measure(number: int, scratch: Path) -> dict[str, Any]:
    """The error of one calibration; without one where the clip could not be tracked or solved."""
    rng = np.random.default_rng([SEED, number])
    camera = build(rng)
    focal_px, _, _ = intrinsics(camera, WIDTH, HEIGHT)
    metric, moved = render_clip(camera, scratch / "frames")
    valid = np.isfinite(metric) & (metric > 0) & (metric < FAR_M)
    clip = bpy.data.movieclips.load(str(scratch / "frames" / "frame_0001.png"))
    lens = clip.tracking.camera
    lens.sensor_width, lens.units, lens.focal_length = SENSOR_MM, "MILLIMETERS", focal_px / WIDTH * SENSOR_MM
    bpy.context.scene.frame_set(1)
    track_features(clip, FRAMES)
    reconstruction = clip.tracking.reconstruction
    for _ in range(3):  # as an artist would: what was tracked badly goes, and it is solved again
        solve(clip, FRAMES)
        if reconstruction.is_valid and reconstruction.average_error < WELL_SOLVED_PX:
            break
        usual = np.median([track.average_error for track in clip.tracking.tracks])
        remove_tracks(clip, lambda track, most=2 * usual: track.average_error > most)
    if not reconstruction.is_valid or reconstruction.average_error >= WELL_SOLVED_PX:
        return {"problem": f"solved with an error of {reconstruction.average_error:.1f} px"}
    first, last = (reconstruction.cameras.find_frame(frame=frame).matrix for frame in (1, FRAMES))
    unit = moved / (first.translation - last.translation).length
    seen = [t for t in clip.tracking.tracks if t.has_bundle and on_true_depth(t, valid)]
    if len(seen) < MARKERS:
        return {"problem": f"{len(seen)} markers"}
    reconstructed = [
        -(first.inverted() @ track.bundle).z * unit / metric[pixel_of(track.markers.find_frame(1))] for track in seen
    ]
    chosen = {seen[index].name for index in rng.choice(len(seen), MARKERS, replace=False)}
    remove_tracks(clip, lambda track: track.name not in chosen)
    for track in list(clip.tracking.tracks)[:WRONG]:
        track.markers.find_frame(1).co = rng.uniform(0.05, 0.95, 2)
    image = depth_image(metric, valid, scratch / "job")
    follow_clip(bpy.context.scene, clip, unit)
    found = calibrate(bpy.context, image, Known(method="MARKERS", clip=clip, frame=1)).calibration
    estimated = found.near + (metric - metric[valid].min()) / np.ptp(metric[valid]) * (found.far - found.near)
    return {
        "median_error": float(np.median(np.abs(estimated / metric - 1)[valid])),
        "markers_own_error": float(np.median(np.abs(np.array(reconstructed) - 1))),
        "solve_error_px": reconstruction.average_error,
        "inliers": found.inliers,
        "expected_error": found.expected_error,
        "confidence": found.confidence,
        "tracked": len(seen),
    }


def render_clip(camera: bpy.types.Object, folder: Path) -> tuple[np.ndarray, float]:
    """Metric depth of the first frame, and how far the camera moves; the frames become PNG files."""
    folder.mkdir(parents=True)
    start, metric, moved = camera.matrix_world.copy(), None, 0.0
    with tempfile.TemporaryDirectory() as scratch:
        prepare_render(Path(scratch), samples=SAMPLES)
        for frame in range(FRAMES):
            share = frame / (FRAMES - 1)
            aside = Matrix.Translation((moved * share, 0.1 * moved * share, 0.0))
            camera.matrix_world = start @ aside @ Matrix.Rotation(MOVE / 2 * share, 4, "Y")  # what is seen stays seen
            passes = render_passes(Path(scratch), frame)
            if metric is None:
                metric = passes.depth.astype(np.float32)
                moved = MOVE * float(np.median(metric[metric < FAR_M]))
            write_png(folder / f"frame_{frame + 1:04}.png", np.clip(passes.linear, 0, 1))
    return metric, moved * float(np.hypot(1.0, 0.1))


def on_true_depth(track: bpy.types.MovieTrackingTrack, valid: np.ndarray) -> bool:
    marker = track.markers.find_frame(1)
    if marker is None or marker.mute or not all(0 < part < 1 for part in marker.co):
        return False
    return bool(valid[pixel_of(marker)])


def pixel_of(marker: bpy.types.MovieTrackingMarker) -> tuple[int, int]:
    """Row and column."""
    return int((1 - marker.co[1]) * HEIGHT), int(marker.co[0] * WIDTH)


def depth_image(metric: np.ndarray, valid: np.ndarray, folder: Path) -> bpy.types.Image:
    """The true depth, affine: 0 to 1, its scale and shift forgotten."""
    depth = np.where(valid, (metric - metric[valid].min()) / np.ptp(metric[valid]), 1.0).astype(np.float32)
    return load_depth(write_job(folder, np.zeros((*metric.shape, 3), np.float32), depth, name="boxes", valid=valid))


if __name__ == "__main__":
    main()

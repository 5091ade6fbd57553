"""A depth image whose range is found from points, lengths, markers, the scene and files; what follows it moves too."""

import json

import bpy
import numpy as np
import pytest

from tests.blender.solved_clip import LENS_MM, SENSOR_MM, follow_clip, track_points
from tests.blender.synthetic_photo import garden, quiet, vertices_of, write_exr, write_job

SIZE = (96, 64)
NEAR, FAR = 2.0, 12.0
FOCAL_PX = 90.0
PLACES = [(0.1, 0.1), (0.5, 0.05), (0.72, 0.5), (0.9, 0.9), (0.3, 0.55)]


@pytest.fixture
def depth(extension, tmp_path):
    photo, values = garden(*SIZE)
    load_depth = extension("marigold_blender.scene.depth_image").load_depth
    return load_depth(write_job(tmp_path / "job", photo, values, focal_px=FOCAL_PX))


@pytest.fixture
def read(extension):
    return extension("marigold_blender.scene.depth_image").read_pixels


def true_points(image, read, *, straight: bool, unit: float = 1.0) -> str:
    """Points with their true distances, as the operator takes them."""
    depth = read(image).depth
    points = []
    for u, v in PLACES:
        column, row = int(u * SIZE[0]), int((1 - v) * SIZE[1])
        metric = NEAR + float(np.median(depth[row - 1 : row + 2, column - 1 : column + 2])) * (FAR - NEAR)
        x, y = (u * SIZE[0] - SIZE[0] / 2) / FOCAL_PX, (v * SIZE[1] - SIZE[1] / 2) / FOCAL_PX
        points.append([u, v, metric * unit * (np.hypot(np.hypot(x, y), 1) if straight else 1)])
    return json.dumps(points)


def calibrate(image, **known):
    return bpy.ops.marigold.calibrate_depth("EXEC_DEFAULT", depth=image.name, **known)


def assert_true(image, rel=1e-4):
    assert (image.marigold.near, image.marigold.far) == pytest.approx((NEAR, FAR), rel=rel)
    assert image.marigold.calibrated == "CALIBRATED"


@pytest.mark.parametrize("measure", ["STRAIGHT", "PLANAR"])
def test_points_with_their_distances(depth, read, measure):
    points = true_points(depth, read, straight=measure == "STRAIGHT")
    assert calibrate(depth, method="POINTS", points=points, measure=measure) == {"FINISHED"}
    assert_true(depth)
    stored = json.loads(depth.marigold.calibration)
    assert (stored["inliers"], stored["count"]) == (5, 5)
    assert stored["residual"] < 1e-5


@pytest.mark.parametrize(("unit", "length"), [("METRES", 0.01), ("SCENE", 1.0)])
def test_metres_and_the_scenes_units(depth, read, unit, length):
    bpy.context.scene.unit_settings.scale_length = 0.01  # a unit is a centimetre
    points = true_points(depth, read, straight=True, unit=length)
    assert calibrate(depth, method="POINTS", points=points, unit=unit) == {"FINISHED"}
    assert_true(depth)


def test_meshes_and_cameras_follow(extension, depth, read):
    scene = extension("marigold_blender.scene.photo_scene")
    mesh = scene.build_photo_scene(bpy.context, depth, scene.PhotoSceneOptions(vertices=2000)).data
    calibrate(depth, method="POINTS", points=true_points(depth, read, straight=True))
    distances = -vertices_of(mesh)[:, 2]
    assert (distances.min(), distances.max()) == pytest.approx((NEAR, FAR), rel=0.02)
    camera = next(camera for camera in bpy.data.cameras if camera.marigold.depth == depth)
    assert camera.clip_end == pytest.approx(FAR * 100, rel=1e-3)


def test_it_is_stored_and_can_be_done_again(extension, depth, read, tmp_path):
    calibrate(depth, method="POINTS", points=true_points(depth, read, straight=True))
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    image = bpy.data.images["garden depth"]
    assert_true(image)
    calibrating = extension("marigold_blender.scene.calibrating")
    found, _ = calibrating.calibration_of(image)
    assert (found.method, found.trust) == ("POINTS", "sure")
    image.marigold.known.points[0].distance *= 3  # one is wrong: the others still agree
    assert calibrate(image) == {"FINISHED"}
    assert_true(image)
    found, _ = calibrating.calibration_of(image)
    assert (found.inliers, found.count) == (4, 5)
    image.marigold.near *= 1.5
    assert calibrating.calibration_of(image) is None  # it was changed by hand


def test_places_are_picked_and_get_their_distances_later(depth, read):
    for u, v, distance in json.loads(true_points(depth, read, straight=True)):
        bpy.ops.marigold.pick_known("EXEC_DEFAULT", depth=depth.name, place=(u, v))
        depth.marigold.known.points[-1].distance = distance
    bpy.ops.marigold.pick_known("EXEC_DEFAULT", depth=depth.name, place=(0.5, 0.5))  # not measured yet
    assert calibrate(depth) == {"FINISHED"}
    assert_true(depth)
    assert len(depth.marigold.known.points) == 6
    bpy.ops.marigold.remove_known("EXEC_DEFAULT", depth=depth.name, index=5)
    assert len(depth.marigold.known.points) == 5
    with pytest.raises(RuntimeError, match="only 5"):
        bpy.ops.marigold.remove_known("EXEC_DEFAULT", depth=depth.name, index=5)
    with pytest.raises(RuntimeError, match="outside of the photo"):
        bpy.ops.marigold.pick_known("EXEC_DEFAULT", depth=depth.name, kind="LENGTH", place=(0.1, 0.1), end=(2, 0))
    assert len(depth.marigold.known.lengths) == 0


def test_one_length_keeps_the_ratio(depth, read):
    values = read(depth).depth
    ends = np.array([[0.2, 0.2], [0.8, 0.1]])
    pixels = np.stack([ends[:, 0] * SIZE[0], (1 - ends[:, 1]) * SIZE[1]], axis=1)
    metric = 1 + 3 * np.array(
        [np.median(values[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2]) for x, y in pixels]
    )  # as the range is before: 1 to 4
    rays = np.column_stack([(pixels - np.array(SIZE) / 2) / FOCAL_PX, np.ones(2)]) * metric[:, None]
    length = float(np.linalg.norm(rays[0] - rays[1])) * 2.5
    assert calibrate(depth, method="LENGTHS", lengths=json.dumps([[*ends[0], *ends[1], length]])) == {"FINISHED"}
    assert (depth.marigold.near, depth.marigold.far) == pytest.approx((2.5, 10.0), rel=1e-4)
    assert "ratio" in json.loads(depth.marigold.calibration)["note"]
    assert depth.marigold.focal_px == FOCAL_PX


def geometry_behind(extension, image):
    """The true scene as geometry of its own, and a camera where the photo was taken."""
    scene = extension("marigold_blender.scene.photo_scene")
    image.marigold.near, image.marigold.far = NEAR, FAR
    built = scene.build_photo_scene(bpy.context, image, scene.PhotoSceneOptions(vertices=6000, edge_threshold=0))
    built.data.marigold.depth = None
    camera = next(each for each in built.users_collection[0].objects if each.type == "CAMERA")
    camera.data.marigold.depth = None
    image.marigold.far, image.marigold.near = 4.0, 1.0
    image.marigold.focal_px = 333.0
    bpy.context.scene.camera = camera
    bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y = SIZE
    return camera


def test_scene_geometry_that_the_camera_sees(extension, depth):
    geometry_behind(extension, depth)
    build = extension("marigold_blender.scene.photo_scene")
    build.build_photo_scene(bpy.context, depth, build.PhotoSceneOptions(vertices=2000))  # is looked through
    assert calibrate(depth, method="SCENE") == {"FINISHED"}
    assert_true(depth, rel=5e-3)  # the geometry's faces are flat between their vertices
    assert depth.marigold.focal_px == pytest.approx(FOCAL_PX, rel=1e-5)


def test_a_camera_that_sees_nothing_is_refused(depth):
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(scene.camera)
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    with pytest.raises(RuntimeError, match="sees none of the scene's own geometry"):
        calibrate(depth, method="SCENE")
    scene.render.resolution_x = 300
    with pytest.raises(RuntimeError, match="give the render the photo's size"):
        calibrate(depth, method="SCENE")


@pytest.mark.parametrize("name", ["metric.npy", "metric.exr"])
def test_a_file_with_metric_depth(depth, read, tmp_path, name):
    metric = (NEAR + read(depth).depth * (FAR - NEAR)).astype(np.float32)
    metric[:5] = 1e10  # where nothing is
    np.save(tmp_path / name, metric) if name.endswith("npy") else write_exr(tmp_path / name, metric)
    bpy.context.scene.unit_settings.scale_length = 2.0
    assert calibrate(depth, method="FILE", filepath=str(tmp_path / name), unit="SCENE") == {"FINISHED"}
    assert_true(depth)
    calibrate(depth, method="FILE", filepath=str(tmp_path / name), unit="METRES")
    assert depth.marigold.far == pytest.approx(FAR / 2, rel=1e-4)


@pytest.mark.parametrize("compression", ["NONE", "ZIP", "ZIPS"])
def test_the_z_pass_of_a_layered_render_is_read(extension, tmp_path, compression):
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_plane_add(size=200, location=(0, 0, -7.5))
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(scene.camera)
    scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", 1, "CPU"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 40, 37, 100
    scene.view_layers[0].use_pass_z = True
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format, settings.color_depth, settings.exr_codec = "OPEN_EXR_MULTILAYER", "32", compression
    scene.render.filepath = str(tmp_path / "layers.exr")
    quiet(lambda: bpy.ops.render.render(write_still=True))
    metric = extension("marigold_blender.scene.metric_file").read_metric_depth(tmp_path / "layers.exr")
    assert metric.shape == (37, 40)
    assert np.abs(metric - 7.5).max() < 1e-4


def test_tracked_markers_of_a_solved_clip(extension, depth, read, tmp_path):
    scene = bpy.context.scene
    depth.marigold.focal_px = 200.0
    focal_px = LENS_MM / SENSOR_MM * SIZE[0]
    values = read(depth).depth
    rng = np.random.default_rng(0)
    x, y = rng.uniform(2, SIZE[0] - 2, 60), rng.uniform(2, SIZE[1] - 2, 60)
    metric = NEAR + values[y.astype(int), x.astype(int)] * (FAR - NEAR)
    points = np.stack([(x - SIZE[0] / 2) / focal_px, (SIZE[1] / 2 - y) / focal_px, -np.ones(60)], axis=1)
    shot = track_points(tmp_path / "clip", points * metric[:, None], *SIZE)
    assert len(shot.distances) >= 20
    scene.frame_set(1)
    assert calibrate(depth, method="MARKERS", clip=shot.clip.name) == {"FINISHED"}  # in units of the reconstruction
    assert depth.marigold.far / depth.marigold.near == pytest.approx(FAR / NEAR, rel=0.02)
    assert "No camera of this scene" in json.loads(depth.marigold.calibration)["note"]
    follow_clip(scene, shot.clip, shot.unit)
    calibrate(depth)
    assert_true(depth, rel=0.02)
    assert depth.marigold.focal_px == pytest.approx(focal_px, rel=1e-4)
    scene.frame_set(200)
    with pytest.raises(RuntimeError, match="not solved at frame 200"):
        calibrate(depth)
    assert_true(depth, rel=0.02)


def room() -> np.ndarray:
    """Metric depth of a floor 1.4 below the camera and two walls at right angles, seen askew and from above."""
    y, x = np.mgrid[: SIZE[1] * 2, : SIZE[0] * 2] + 0.5
    rays = np.stack([(x - SIZE[0]) / 2 / FOCAL_PX, (SIZE[1] - y) / 2 / FOCAL_PX, -np.ones_like(x)], axis=-1)
    tilt = np.radians(12)
    up = np.array([0.0, np.cos(tilt), np.sin(tilt)])
    back = np.array([0.0, -np.sin(tilt), np.cos(tilt)])
    left, right = (np.cos(a) * back + np.sin(a) * np.array([1.0, 0, 0]) for a in np.radians([40, -50]))
    depths = [offset / (rays @ normal) for normal, offset in ((up, -1.4), (left, -4.0), (right, -4.5))]
    return np.min([np.where(depth > 0, depth, np.inf) for depth in depths], axis=0)


def test_planes_and_right_angles_of_the_picture_itself(extension, tmp_path):
    metric = room()
    near, far = metric.min(), metric.max()
    values = ((metric - near) / (far - near)).astype(np.float32)
    load_depth = extension("marigold_blender.scene.depth_image").load_depth
    image = load_depth(write_job(tmp_path / "room", np.zeros((*metric.shape, 3), np.float32), values, name="room"))
    assert calibrate(image, method="SELF") == {"FINISHED"}
    properties = image.marigold
    assert properties.calibrated == "SELF"
    assert properties.far / properties.near == pytest.approx(far / near, rel=0.02)
    assert properties.focal_px == pytest.approx(2 * FOCAL_PX, rel=0.05)
    assert properties.near == pytest.approx(near * 1.6 / 1.4, rel=0.1)  # the floor at eye height


def test_a_depth_that_tells_nothing_by_itself_is_refused(extension, tmp_path):
    rng = np.random.default_rng(0)
    values = np.kron(rng.random((8, 12)), np.ones((4, 4))).astype(np.float32)
    load_depth = extension("marigold_blender.scene.depth_image").load_depth
    image = load_depth(write_job(tmp_path / "noise", np.zeros((32, 48, 3), np.float32), values, name="noise"))
    with pytest.raises(RuntimeError, match="no planes"):
        calibrate(image, method="SELF")
    assert image.marigold.calibrated == "ASSUMED"


def refusals(tmp_path):
    (tmp_path / "rubbish.exr").write_bytes(b"rubbish" * 9)
    np.save(tmp_path / "zeros.npy", np.zeros((64, 96)))
    np.save(tmp_path / "wide.npy", np.ones((10, 96)))
    return [
        ({"method": "POINTS"}, "Two points"),
        ({"points": "[[0.5, 0.5, 2.0]]"}, "only one"),
        ({"points": "[[0.5, 1.5, 2.0], [0.1, 0.1, 1.0]]"}, "outside of the photo"),
        ({"points": "[[0.5, 2.0]]"}, "must have 3 numbers"),
        ({"points": "three metres"}, "not a JSON list"),
        ({"method": "LENGTHS"}, "measured length is needed"),
        ({"method": "MARKERS"}, "Choose the movie clip"),
        ({"method": "MARKERS", "clip": "none"}, "no clip “none”"),
        ({"method": "SCENE"}, "has no camera"),
        ({"method": "FILE"}, "Choose a file"),
        ({"method": "FILE", "filepath": str(tmp_path / "missing.exr")}, "cannot be read"),
        ({"method": "FILE", "filepath": str(tmp_path / "rubbish.exr")}, "neither .exr nor .npy"),
        ({"method": "FILE", "filepath": str(tmp_path / "zeros.npy")}, "holds no distances"),
        ({"method": "FILE", "filepath": str(tmp_path / "wide.npy")}, "same picture"),
    ]


def test_what_does_not_determine_it_is_refused_in_a_sentence_and_changes_nothing(depth, tmp_path):
    for known, sentence in refusals(tmp_path):
        with pytest.raises(RuntimeError, match=sentence):
            calibrate(depth, **known)
    properties = depth.marigold
    assert (properties.near, properties.far, properties.calibrated) == (1, 4, "ASSUMED")
    assert len(properties.known.points) == 0
    with pytest.raises(RuntimeError, match="not a depth image"):
        bpy.ops.marigold.calibrate_depth("EXEC_DEFAULT", depth="none")

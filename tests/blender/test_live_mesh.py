"""Live meshes: their node group against the numpy geometry, what they follow, and what baking makes of them."""

import bpy
import numpy as np
import pytest

from tests.blender.synthetic_photo import garden, vertices_of, write_job

SIZE = (192, 144)
TOLERANCE = 1e-4


@pytest.fixture
def scene(extension):
    return extension("marigold_blender.scene.photo_scene")


@pytest.fixture
def live(scene, extension, tmp_path):
    """Builds a live mesh: its object and its depth image."""
    images = extension("marigold_blender.scene.depth_image")

    def build(depth=None, *, valid=None, processing_size=None, focal_px=None, **options):
        photo, known = garden(*(SIZE if depth is None else depth.shape[::-1]))
        depth = known if depth is None else depth
        files = write_job(tmp_path, photo, depth, valid=valid, processing_size=processing_size, focal_px=focal_px)
        image = images.load_depth(files)
        built = scene.build_photo_scene(
            bpy.context,
            image,
            scene.PhotoSceneOptions(**{"live": True, "vertices": 30_000, "edge_threshold": 0.04, **options}),
        )
        return built, image

    return build


@pytest.fixture
def controls(extension):
    """Sets inputs of the object's live modifier by name."""
    versions = extension("marigold_blender.scene.versions")

    def change(built, **inputs):
        for name, value in inputs.items():
            versions.set_modifier_input(built.modifiers[0], name.replace("_", " "), value)

    return change


@pytest.fixture
def control(extension):
    versions = extension("marigold_blender.scene.versions")
    return lambda built, name: versions.get_modifier_input(built.modifiers[0], name)


def evaluated(built) -> bpy.types.Mesh:
    graph = bpy.context.evaluated_depsgraph_get()
    graph.update()
    return built.evaluated_get(graph).data


def places_of(mesh) -> np.ndarray:
    """Where the vertices are in the picture, from its bottom left: [V, 2]."""
    places = np.empty(2 * len(mesh.vertices), np.float32)
    mesh.attributes["picture"].data.foreach_get("vector", places)
    return places.reshape(-1, 2)


def depth_of(mesh) -> np.ndarray:
    depth = np.empty(len(mesh.vertices), np.float32)
    mesh.attributes["depth"].data.foreach_get("value", depth)
    return depth


def pixels_of(image, places) -> np.ndarray:
    width, height = image.size
    return np.stack([places[:, 0] * width, (1 - places[:, 1]) * height], axis=-1)


@pytest.fixture
def placed(extension):
    """The points that the numpy geometry puts the vertices of a live mesh at."""
    following = extension("marigold_blender.scene.following")
    sampling = extension("marigold_blender.geometry.sampling")
    images = extension("marigold_blender.scene.depth_image")
    unprojection = extension("marigold_blender.geometry.unprojection")

    def place(mesh, image, mode="PERSPECTIVE"):
        held = images.read_pixels(image)
        pixels = pixels_of(image, places_of(mesh).astype(np.float64))
        depth = sampling.MaskedMap(held.depth, held.valid).at_points(pixels[:, 0], pixels[:, 1])
        near, far = image.marigold.near, image.marigold.far
        metric, camera = unprojection.metric_depth(depth, near, far), following.camera_of(image)
        if mode == "RELIEF":
            return unprojection.relief(camera, pixels, metric, far)
        return unprojection.unproject(camera, pixels, metric)

    return place


@pytest.fixture
def cells(extension):
    """Which cells of a live mesh's grid numpy cuts: the middles of the others, in cells from the top left."""
    discontinuities = extension("marigold_blender.geometry.discontinuities")
    live_cells = extension("marigold_blender.geometry.live_cells")
    lattice = extension("marigold_blender.geometry.lattice")
    sampling = extension("marigold_blender.geometry.sampling")
    images = extension("marigold_blender.scene.depth_image")

    def left(image, vertices, threshold, processing_size):
        held = images.read_pixels(image)
        size = lattice.lattice_size(*image.size, vertices)
        jumps = discontinuities.find_discontinuities(
            sampling.MaskedMap(held.depth, held.valid),
            processing_size,
            image.marigold.near,
            image.marigold.far,
            threshold,
        )
        cut = live_cells.cells_at_jumps(jumps, *size)
        masked = live_cells.invalid_cells(held.valid, processing_size, *size)
        rows, columns = np.nonzero(~(cut | masked))
        return set(zip(columns.tolist(), rows.tolist(), strict=True)), size

    return left


def cells_of(mesh, size) -> set[tuple[int, int]]:
    """The cells that a live mesh's faces are, by their middles in the picture."""
    corners = np.empty(4 * len(mesh.polygons), np.int32)
    mesh.attributes[".corner_vert"].data.foreach_get("value", corners)
    middles = places_of(mesh)[corners].reshape(-1, 4, 2).mean(axis=1)
    columns = np.floor(middles[:, 0] * (size[0] - 1)).astype(int)
    rows = np.floor((1 - middles[:, 1]) * (size[1] - 1)).astype(int)
    return set(zip(columns.tolist(), rows.tolist(), strict=True))


def relative_error(found, expected) -> float:
    return float((np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)).max())


@pytest.mark.parametrize("mode", ["PERSPECTIVE", "RELIEF"])
def test_every_vertex_is_where_numpy_places_it(live, placed, mode):
    built, image = live(mode=mode, focal_px=150.0)
    image.marigold.near, image.marigold.far = 2.5, 30.0
    image.marigold.cx, image.marigold.cy, image.marigold.pixel_aspect = 70.0, 60.5, 1.25
    mesh = evaluated(built)
    assert relative_error(vertices_of(mesh), placed(mesh, image, mode)) < TOLERANCE


@pytest.mark.parametrize(
    ("vertices", "processing_size"), [(2_000, SIZE), (30_000, (131, 97)), (120_000, SIZE), (120_000, (96, 72))]
)
def test_the_cells_that_a_jump_touches_go(live, cells, vertices, processing_size):
    built, image = live(vertices=vertices, processing_size=processing_size)
    expected, size = cells(image, vertices, 0.04, processing_size)
    assert cells_of(evaluated(built), size) == expected
    assert len(expected) < 0.99 * (size[0] - 1) * (size[1] - 1)


@pytest.mark.parametrize("threshold", [0.0, 0.02, 0.15])
def test_the_threshold_cuts_at_once(live, controls, cells, threshold):
    built, image = live()
    controls(built, Edge_Threshold=threshold)
    expected, size = cells(image, 30_000, threshold, SIZE)
    assert cells_of(evaluated(built), size) == expected


def test_the_range_decides_what_is_a_jump(live, cells):
    built, image = live()
    image.marigold.far = 1.2
    expected, size = cells(image, 30_000, 0.04, SIZE)
    assert cells_of(evaluated(built), size) == expected


def test_masked_pixels_have_no_faces_and_do_not_bleed(live, placed, cells):
    depth = garden(*SIZE)[1]
    valid = np.ones(depth.shape, bool)
    valid[:50, 100:] = False
    built, image = live(np.where(valid, depth, 1).astype(np.float32), valid=valid)
    mesh = evaluated(built)
    expected, size = cells(image, 30_000, 0.04, SIZE)
    assert cells_of(mesh, size) == expected
    assert relative_error(vertices_of(mesh), placed(mesh, image)) < TOLERANCE


def test_between_relief_and_perspective_it_is_a_mixture(live, controls, placed):
    built, image = live()
    controls(built, Perspective=0.25)
    mesh = evaluated(built)
    expected = 0.25 * placed(mesh, image) + 0.75 * placed(mesh, image, "RELIEF")
    assert relative_error(vertices_of(mesh), expected) < TOLERANCE


@pytest.mark.parametrize(("curve", "smoothing"), [(1.7, 0.0), (1.0, 2.5), (0.6, 1.0)])
def test_curve_and_smoothing_are_those_of_the_baked_mesh(live, controls, extension, curve, smoothing):
    """At pixel centres, where nothing is interpolated after shaping, both agree to rounding."""
    shaping = extension("marigold_blender.geometry.shaping")
    images = extension("marigold_blender.scene.depth_image")
    sampling = extension("marigold_blender.geometry.sampling")
    built, image = live(vertices=(2 * SIZE[0] + 1) * (2 * SIZE[1] + 1), edge_threshold=0.0)
    controls(built, Depth_Curve=curve, Smoothing=smoothing)
    mesh = evaluated(built)
    held = images.read_pixels(image)
    shaped = shaping.shape_depth(held.depth, None, SIZE, 1.0, 4.0, curve=curve, smoothing=smoothing)
    pixels = pixels_of(image, places_of(mesh).astype(np.float64))
    centre = np.abs(pixels - np.floor(pixels) - 0.5).max(axis=1) < 1e-3
    assert centre.sum() > 0.9 * SIZE[0] * SIZE[1]
    expected = sampling.MaskedMap(shaped, None).at_points(*pixels[centre].T)
    assert np.abs(depth_of(mesh)[centre] - expected).max() < TOLERANCE


def test_smoothing_takes_noise_and_leaves_edges(live, controls):
    depth = np.where(np.arange(SIZE[0]) < 90, 0.2, 0.8) * np.ones((SIZE[1], 1))
    noisy = (depth + np.random.default_rng(0).normal(0, 0.004, depth.shape)).astype(np.float32)
    built, image = live(noisy, edge_threshold=0.04)
    rough = depth_of(evaluated(built))
    controls(built, Smoothing=1.0)
    mesh = evaluated(built)
    columns = pixels_of(image, places_of(mesh))[:, 0]
    left, right = depth_of(mesh)[columns < 89], depth_of(mesh)[columns > 91]
    assert left.std() < 0.7 * rough[columns < 89].std()
    assert left.mean() == pytest.approx(0.2, abs=2e-3)
    assert right.mean() == pytest.approx(0.8, abs=2e-3)
    assert max(left.max() - 0.2, 0.8 - right.min()) < 0.03


def test_an_input_changes_the_surface_and_not_the_mesh_data(live, controls):
    built, _ = live()
    before, kept = vertices_of(evaluated(built)).copy(), vertices_of(built.data).copy()
    controls(built, Far=40.0)
    assert vertices_of(evaluated(built))[:, 2].min() == pytest.approx(-40, rel=1e-3)
    assert vertices_of(evaluated(built))[:, 2].min() < before[:, 2].min()
    assert np.array_equal(vertices_of(built.data), kept)


def test_the_depth_image_sets_what_it_owns(live, controls, control):
    built, image = live()
    controls(built, Near=2.0, Smoothing=1.5)
    assert (control(built, "Near"), image.marigold.near) == (2.0, 1.0)  # the user's own, until the image changes
    image.marigold.far = 9.0
    assert (control(built, "Near"), control(built, "Far")) == (1.0, 9.0)
    assert control(built, "Smoothing") == 1.5
    image.marigold.focal_px = 321.0
    assert control(built, "Focal Length") == 321.0


def test_another_density_makes_the_grid_anew(live, controls, control, cells):
    built, image = live()
    controls(built, Smoothing=0.5)
    material, mesh, modifier = built.data.materials[0], built.data, built.modifiers[0]
    mesh.marigold.vertices = 5_000
    assert 5_000 <= len(mesh.vertices) < 5_300
    assert (built.data, built.modifiers[0], mesh.materials[0]) == (mesh, modifier, material)
    assert control(built, "Smoothing") == 0.5
    expected, size = cells(image, 5_000, 0.04, SIZE)
    assert cells_of(evaluated(built), size) == expected


def test_an_applied_modifier_leaves_a_mesh_that_follows(live, controls):
    built, image = live()
    controls(built, Depth_Curve=1.5)
    bpy.ops.object.modifier_apply(modifier=built.modifiers[0].name)
    image.marigold.far = 6.0
    assert vertices_of(built.data)[:, 2] == pytest.approx(-(1 + 5 * depth_of(built.data)), rel=1e-5)
    count = len(built.data.vertices)
    built.data.marigold.vertices = 1_000
    assert len(built.data.vertices) == count


def test_live_meshes_share_one_group(live):
    first, _ = live()
    second, _ = live()
    assert first.modifiers[0].node_group == second.modifiers[0].node_group
    assert len([tree for tree in bpy.data.node_groups if tree.name.startswith("Marigold Live Depth")]) == 1


def test_baking_keeps_what_the_controls_show(live, controls, placed):
    built, image = live(mode="PERSPECTIVE")
    controls(built, Far=7.0, Focal_Length=222.0)
    grid, material = built.data.name, built.data.materials[0]
    assert bpy.ops.marigold.bake_mesh() == {"FINISHED"}
    assert (image.marigold.far, image.marigold.focal_px) == (7.0, 222.0)  # the mesh follows the image from now on
    assert not built.modifiers
    assert (built.data.name, built.data.materials[0]) == (grid, material)
    assert not built.data.marigold.live
    depth = depth_of(built.data)
    assert vertices_of(built.data)[:, 2] == pytest.approx(-(1 + 6 * depth), rel=1e-5)
    image.marigold.far = 8.0
    assert vertices_of(built.data)[:, 2] == pytest.approx(-(1 + 7 * depth), rel=1e-5)


def test_baking_keeps_the_mixture_and_the_curve(live, controls):
    built, _ = live(edge_threshold=0.0)
    controls(built, Perspective=0.5, Depth_Curve=1.5)
    shown = vertices_of(evaluated(built)).copy()
    assert bpy.ops.marigold.bake_mesh() == {"FINISHED"}
    baked = vertices_of(built.data)
    assert baked.shape == shown.shape
    # the curve is taken before the pixels are interpolated here, and after it there
    assert np.quantile(np.linalg.norm(baked - shown, axis=1), 0.9) < 1e-3


def test_only_a_live_mesh_can_be_baked(live, scene):
    _, image = live()
    assert bpy.ops.marigold.bake_mesh.poll()
    bpy.ops.marigold.bake_mesh()
    assert not bpy.ops.marigold.bake_mesh.poll()
    assert bpy.ops.marigold.build_mesh(depth=image.name, live=True, vertices=2_000) == {"FINISHED"}
    assert bpy.ops.marigold.bake_mesh.poll()


def test_a_saved_live_mesh_opens_as_it_was(live, controls, control, tmp_path):
    built, _ = live(vertices=2_000)
    controls(built, Smoothing=0.75)
    shown = vertices_of(evaluated(built)).copy()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "live.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "live.blend"))
    opened = bpy.data.objects["garden"]
    assert control(opened, "Smoothing") == 0.75
    assert np.array_equal(vertices_of(evaluated(opened)), shown)

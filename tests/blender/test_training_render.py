# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene renderer, in each Blender: what it writes is true to the scene, and a seed gives the same scene again."""

import hashlib
import json
import struct
import zlib
from pathlib import Path

import bpy
import numpy as np
import pytest


@pytest.fixture
def textures(extension, tmp_path) -> list[str]:
    """A small texture of each sort that materials ask for."""
    png_bytes = extension("marigold_blender.training.scene_files").png_bytes
    rng = np.random.default_rng(0)
    paths = []
    for kind in ("surface_gravel", "cloud_00", "crop_00", "grain_00", "leaves_00", "weave_00"):
        path = tmp_path / f"{kind}.png"
        path.write_bytes(png_bytes(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)))
        paths.append(str(path))
    return paths


@pytest.fixture
def make(extension, tmp_path, textures):
    """Render scenes of some families into a data set; returns its folder."""

    def make(name: str, families: list[str], views: int = 1, seed: int = 5, far_m: float = 80.0, **more) -> Path:
        folder = tmp_path / name
        for part in ("rgb", "depth", "normals", "meta", "scenes"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        plan = {
            "folder": str(folder),
            "samples": 1,
            "size": 96,
            "views": views,
            "seed": seed,
            "far_m": far_m,
            "textures": textures,
            "scenes": [(family, 0) for family in families],
            **more,
        }
        path = tmp_path / "plan.json"
        path.write_text(json.dumps(plan))
        assert extension("marigold_blender.training.make_scenes").make_scenes(str(path)) == 0
        return folder

    return make


def metas(folder: Path) -> dict[str, dict]:
    return {path.stem: json.loads(path.read_text()) for path in sorted((folder / "meta").glob("*.json"))}


def read_png(path: Path) -> np.ndarray:
    """[H, W, 3] uint8 of a PNG that the renderer wrote."""
    data = path.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    body, at = b"", 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            body += data[at + 8 : at + 8 + length]
        at += 12 + length
    lines = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, -1)[:, 1:]
    return np.cumsum(lines.reshape(height, width, 3), 0, dtype=np.uint8)  # every line has the filter “up”


@pytest.mark.parametrize("family", ["rooms", "streets", "terrain", "tabletops", "corridors", "shelves", "closeups"])
def test_every_family_gives_pictures_worth_learning(make, family):
    folder = make("data", [family], views=2)
    record = json.loads((folder / f"scenes/{family}_000000.json").read_text())
    assert "failed" not in record, record
    for name, meta in metas(folder).items():
        depth, rgb = np.load(folder / f"depth/{name}.npy"), read_png(folder / f"rgb/{name}.png")
        assert depth.shape == rgb.shape[:2] == (meta["height"], meta["width"])
        finite = depth[np.isfinite(depth)]
        assert finite.size > 0.2 * depth.size
        assert finite.min() > 0
        assert finite.max() <= 80
        assert 20 < rgb.mean() < 200
        assert rgb.std() > 5
    assert record["views"], "no view was found"


def test_points_unprojected_from_the_depth_lie_on_the_planes_of_the_scene(make):
    """Depth is planar and the focal length, principal point and planes of the meta file belong to it."""
    folder = make("data", ["corridors", "rooms"], views=2)
    checked = 0
    for name, meta in metas(folder).items():
        depth = np.load(folder / f"depth/{name}.npy").astype(float)
        rows, columns = np.mgrid[0 : depth.shape[0], 0 : depth.shape[1]] + 0.5
        x = (columns - meta["cx"]) / meta["focal_px"] * depth
        y = -(rows - meta["cy"]) / meta["focal_px"] * depth
        points = np.stack([x, y, -depth], -1)
        normals = read_png(folder / f"normals/{name}.png") / 127.5 - 1
        for plane in meta["planes"]:
            facing = normals @ plane["normal"] > 0.99
            away = np.abs(points @ plane["normal"] - plane["offset"])
            on_plane = facing & (away < 0.02)
            if on_plane.sum() > 200:  # else the plane is hardly seen
                checked += 1
                assert np.median(away[on_plane]) < 1e-4 * np.median(depth[on_plane]) + 1e-5, (name, plane["name"])
    assert checked >= 3


def test_a_seed_gives_the_same_files_again_and_another_seed_does_not(make):
    def digest(folder: Path) -> dict[str, str]:
        files = [path for part in ("rgb", "depth", "normals") for path in (folder / part).glob("terrain*")]
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    first, other = make("a", ["terrain"], views=2), make("c", ["terrain"], views=2, seed=6)
    again = make("b", ["streets", "terrain"], views=2)  # whatever was rendered before
    assert len(digest(first)) == 6
    assert digest(first) == digest(again)
    assert digest(first) != digest(other)


def test_what_was_made_before_a_kill_is_kept_and_only_the_rest_is_made(make):
    folder = make("data", ["rooms"])
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/*rooms*")}
    make("data", ["rooms", "tabletops"])
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/*rooms*")} == before
    assert list(folder.glob("scenes/tabletops*"))


def test_beyond_the_far_limit_is_sky(make):
    folder = make("data", ["streets"], views=2, far_m=15.0)
    for name, meta in metas(folder).items():
        depth = np.load(folder / f"depth/{name}.npy")
        assert depth[np.isfinite(depth)].max() <= 15
        assert meta["sky"] == pytest.approx(np.isposinf(depth).mean())
        assert meta["sky"] > 0


def test_the_checksums_are_of_the_files(make):
    folder = make("data", ["closeups"])
    for meta in metas(folder).values():
        for path, digest in meta["sha256"].items():
            assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == digest


def test_a_blurred_picture_has_the_depth_of_a_sharp_one(extension, tmp_path):
    passes = extension("marigold_blender.training.scenes.passes")
    viewpoints = extension("marigold_blender.training.scenes.viewpoints")
    bpy.ops.mesh.primitive_cube_add(size=1, location=(0, 2, 0))
    bpy.ops.mesh.primitive_plane_add(size=40, location=(0, 9, 0), rotation=(np.pi / 2, 0, 0))
    bpy.context.scene.world = bpy.data.worlds.new("world")
    passes.prepare_render(tmp_path, 2)
    shots = {}
    for f_stop in (0.0, 1.4):
        view = viewpoints.View((0, -0.5, 0), (0, 1.5, 0), 40, f_stop=f_stop)
        viewpoints.place_camera(view, 64, 48)
        shots[f_stop] = passes.render_passes(tmp_path, 1)
    assert np.array_equal(shots[0.0].depth, shots[1.4].depth)
    assert shots[0.0].depth[24, 32] == pytest.approx(2.0, abs=1e-5)


def test_a_view_in_motion_is_a_clip_of_one_camera_path(extension, make):
    folder = make("data", ["terrain"], moving=3)
    clip = list(metas(folder).values())
    assert [meta["frame"] for meta in clip] == [0, 1, 2]
    places = np.array([np.array(meta["camera_to_world"])[:3, 3] for meta in clip])
    assert np.allclose(places[1] - places[0], places[2] - places[1], atol=1e-5)
    assert np.linalg.norm(places[2] - places[0]) > 1e-3


@pytest.fixture
def blend(tmp_path) -> Path:
    """A user's file: cubes on a plane, and a camera with shift that moves along X."""
    for x in range(-4, 5, 2):
        bpy.ops.mesh.primitive_cube_add(location=(x, 6 + x / 2, 1))
    bpy.ops.mesh.primitive_plane_add(size=40)
    data = bpy.data.cameras.new("shot")
    data.lens, data.shift_x = 40, 0.1
    camera = bpy.data.objects.new("shot", data)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    camera.rotation_euler = (np.pi / 2, 0, 0)
    for frame, x in ((1, 0.0), (3, 2.0)):
        camera.location = (x, -2, 1.5)
        camera.keyframe_insert("location", frame=frame)
    bpy.context.scene.frame_end = 3
    bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y = 1600, 900
    path = tmp_path / "mine.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


def test_cameras_are_flown_through_a_users_file(make, blend):
    folder = make("data", ["mine"], views=3, blend=str(blend), animation=False, lens=[18, 85])
    assert len(metas(folder)) == 3
    for name in metas(folder):
        assert np.isfinite(np.load(folder / f"depth/{name}.npy")).mean() > 0.2


def test_an_animations_frames_come_with_their_camera(make, blend):
    folder = make("data", ["mine"], blend=str(blend), animation=True)
    (meta,) = metas(folder).values()
    depth = np.load(folder / "depth/mine_000000.npy")
    assert depth.shape == (54, 96)
    assert meta["focal_px"] == pytest.approx(40 / 36 * 96, rel=1e-4)
    assert meta["cx"] == pytest.approx(48 - 0.1 * 96, rel=1e-4)  # lens shift to the right moves the picture to the left
    floor = depth[-1, 38]
    below = (54 - 0.5 - meta["cy"]) / meta["focal_px"] * floor
    assert below == pytest.approx(1.5, rel=1e-3)  # the floor is 1.5 m below the camera


@pytest.mark.parametrize("kind", ["broken", "empty"])
def test_a_file_that_cannot_be_used_is_said_in_one_sentence(extension, tmp_path, capsys, kind):
    path = tmp_path / "bad.blend"
    path.write_bytes(b"BLENDER but not really")
    if kind == "empty":
        bpy.ops.wm.save_as_mainfile(filepath=str(path))
    plan = {"folder": str(tmp_path), "samples": 1, "far_m": 80, "blend": str(path), "scenes": []}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    code = extension("marigold_blender.training.make_scenes").make_scenes(str(tmp_path / "plan.json"))
    assert code == 5
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("{")]  # Blender prints too
    said = json.loads(line)["stopped"]
    assert said.count("\n") == 0
    assert ("no geometry" if kind == "empty" else "cannot open") in said

"""`marigold mesh`: what it writes, read back by an independent library."""

import json

import numpy as np
import pytest
import trimesh

from marigold_blender.cli import main
from marigold_blender.depth_files.depth_map import DepthMap
from marigold_blender.depth_files.write import write_depth
from marigold_blender.record import DepthRecord, SourceCamera

WIDTH, HEIGHT, FOCAL = 96, 64, 100.0


@pytest.fixture
def depth_file(tmp_path):
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32) / WIDTH
    depth = np.where(np.hypot(x - 0.4, y - 0.3) < 0.15, 0.1, 0.6 + 0.3 * x).astype(np.float32)
    record = DepthRecord(
        name="garden",
        width=WIDTH,
        height=HEIGHT,
        model="demo",
        model_revision="0",
        settings={},
        processing_size=(WIDTH, HEIGHT),
        source="garden.png",
        source_sha256="0" * 64,
        camera=SourceCamera(FOCAL, "exif_35mm"),
    )
    write_depth(DepthMap(depth, None, None, record), tmp_path, "garden")
    return tmp_path / "garden_depth.exr"


@pytest.fixture
def photo(tmp_path):
    from PIL import Image

    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[: HEIGHT // 2] = (250, 40, 10)
    Image.fromarray(pixels).save(tmp_path / "garden.png")
    return tmp_path / "garden.png"


def run(capsys, *arguments) -> dict:
    code = main(["mesh", *map(str, arguments), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] == (code == 0)
    return said


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".stl"])
def test_a_perspective_mesh_lies_where_the_camera_sees_it(depth_file, tmp_path, capsys, suffix):
    out = tmp_path / f"mesh{suffix}"
    said = run(capsys, depth_file, "--out", out, "--near", 2, "--far", 6, "--vertices", 5_000)
    mesh = trimesh.load(out, process=False)
    assert said["faces"] > 4_000
    assert len(mesh.faces) == 2 * said["faces"]
    assert mesh.vertices[:, 2].max() == pytest.approx(-2.4, rel=1e-3)  # the disc
    x, y, z = mesh.vertices.T
    assert np.abs(x / -z).max() == pytest.approx(WIDTH / 2 / FOCAL, rel=1e-3)
    assert np.abs(y / -z).max() == pytest.approx(HEIGHT / 2 / FOCAL, rel=1e-3)
    assert (mesh.face_normals[:, 2] > 0).mean() > 0.9  # turned to the camera


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".stl"])
def test_a_solid_is_closed_in_every_format(depth_file, tmp_path, capsys, suffix):
    out = tmp_path / f"solid{suffix}"
    run(capsys, depth_file, "--out", out, "--solid", "--size-mm", 80, "--vertices", 4_000)
    mesh = trimesh.load(out)
    assert mesh.is_watertight
    assert mesh.is_volume
    assert max(mesh.extents) == pytest.approx(80, rel=1e-5)


def test_few_triangles_say_how_far_off_they_are(depth_file, tmp_path, capsys):
    said = run(capsys, depth_file, "--out", tmp_path / "few.ply", "--triangles", 1_500)
    assert 200 < said["faces"] <= 1_500
    assert 0 < said["mean_error"] <= said["worst_error"] < 0.2


def test_points_have_the_photos_colours(depth_file, photo, tmp_path, capsys):
    said = run(capsys, depth_file, "--out", tmp_path / "points.ply", "--points", "--vertices", 3_000, "--photo", photo)
    cloud = trimesh.load(tmp_path / "points.ply")
    assert said["faces"] == 0
    assert len(cloud.vertices) == said["vertices"] > 2_500
    upper = cloud.vertices[:, 1] > 0.05
    assert (cloud.colors[upper][:, :3] == (250, 40, 10)).all()


def test_a_relief_is_flat_behind(depth_file, tmp_path, capsys):
    run(capsys, depth_file, "--out", tmp_path / "relief.obj", "--relief", "--vertices", 2_000)
    mesh = trimesh.load(tmp_path / "relief.obj", process=False)
    assert mesh.extents[:2] == pytest.approx([WIDTH / FOCAL * 4, HEIGHT / FOCAL * 4])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--out", "mesh.fbx"],
        ["--out", "points.stl", "--points"],
        ["--out", "mesh.ply", "--near", "5"],
        ["--out", "mesh.ply", "--vertices", "3"],
        ["--out", "solid.stl", "--solid", "--border-mm", "90"],
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(depth_file, tmp_path, capsys, arguments, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = run(capsys, depth_file, *arguments)
    assert said["error"]["kind"] == "bad_input"
    assert not list(tmp_path.glob("*.ply"))


def test_a_photo_of_another_size_is_refused(depth_file, tmp_path, capsys):
    from PIL import Image

    Image.new("RGB", (10, 10)).save(tmp_path / "other.png")
    said = run(capsys, depth_file, "--out", tmp_path / "mesh.ply", "--photo", tmp_path / "other.png")
    assert "not as large" in said["error"]["message"]
    assert not (tmp_path / "mesh.ply").exists()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Hypersim and Virtual KITTI 2, on tiny folders of the same format."""

import h5py
import numpy as np
import pytest
from PIL import Image

from marigold_blender.errors import MarigoldError
from marigold_blender.training.data_sets import open_data_set
from marigold_blender.training.hypersim import FOCAL_PX, planar_depth


@pytest.fixture
def hypersim(tmp_path):
    """One frame of 64x48 that looks square at a wall 5 m away, with a hole in it."""
    images = tmp_path / "ai_001_002/images"
    (images / "scene_cam_00_final_preview").mkdir(parents=True)
    (images / "scene_cam_00_geometry_hdf5").mkdir()
    Image.new("RGB", (64, 48), (120, 90, 60)).save(images / "scene_cam_00_final_preview/frame.0003.tonemap.jpg")
    x, y = np.meshgrid(np.arange(64) + 0.5 - 32, np.arange(48) + 0.5 - 24)
    focal = FOCAL_PX * 64 / 1024
    distance = 5 * np.sqrt(x**2 + y**2 + focal**2) / focal
    distance[0, 0] = np.nan
    with h5py.File(images / "scene_cam_00_geometry_hdf5/frame.0003.depth_meters.hdf5", "w") as file:
        file["dataset"] = distance.astype(np.float16)
    return tmp_path


@pytest.fixture
def virtual_kitti(tmp_path):
    frames = tmp_path / "Scene01/clone/frames"
    (frames / "rgb/Camera_0").mkdir(parents=True)
    (frames / "depth/Camera_0").mkdir(parents=True)
    Image.new("RGB", (1242, 375), (90, 120, 60)).save(frames / "rgb/Camera_0/rgb_00007.jpg")
    centimetres = np.full((375, 1242), 1234, np.uint16)
    centimetres[:100] = 65535
    centimetres[100:110] = 9000
    Image.fromarray(centimetres).save(frames / "depth/Camera_0/depth_00007.png")
    return tmp_path


def test_hypersims_distance_to_a_wall_becomes_one_depth(hypersim):
    (file,) = open_data_set(hypersim)
    sample = file.read()
    assert sample.name == "ai_001_002_scene_cam_00_0003"
    assert not sample.valid[0, 0]
    assert sample.depth[sample.valid] == pytest.approx(5, rel=2e-3)  # its files are 16-bit floats


def test_hypersim_beyond_65_metres_is_no_depth():
    assert np.isinf(planar_depth(np.full((3, 3), 100.0))).all()


def test_virtual_kitti_is_in_centimetres_and_cropped_as_the_benchmark(virtual_kitti):
    (file,) = open_data_set(virtual_kitti)
    sample = file.read()
    assert sample.name == "Scene01_clone_Camera_0_00007"
    assert sample.depth.shape == (352, 1216) == sample.rgb.shape[:2]
    assert sample.depth[-1, 0] == pytest.approx(12.34)
    assert np.isposinf(sample.depth[0]).all()  # sky
    assert np.isposinf(sample.depth[80]).all()  # 90 m: beyond the protocol's 80


def test_frames_without_depth_are_left_out(hypersim):
    next(hypersim.glob("ai_*/images/*_geometry_hdf5/*")).unlink()
    with pytest.raises(MarigoldError, match="no Hypersim frames"):
        open_data_set(hypersim)


def test_a_cut_hdf5_file_is_named(hypersim):
    path = next(hypersim.glob("ai_*/images/*_geometry_hdf5/*"))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(MarigoldError, match=r"depth_meters\.hdf5 is damaged"):
        open_data_set(hypersim)[0].read()


def test_a_folder_of_holiday_photos_is_no_data_set(tmp_path):
    with pytest.raises(MarigoldError, match="is no data set"):
        open_data_set(tmp_path)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo's camera from Blender's own: from a camera object, from the render's, from that of a solved movie clip."""

from __future__ import annotations

from math import hypot

import bpy

from ..errors import MarigoldError
from ..geometry.camera import BlenderCamera, Camera, with_horizontal_fit
from .depth_image import record_of
from .depth_size import depth_size
from .following import camera_of

SAME_SHAPE = 0.02  # how far the aspect ratios of a photo and of a frame may differ


def camera_of_object(camera: bpy.types.Object, width: int, height: int, pixel_aspect: float = 1.0) -> Camera:
    """The camera that a camera object is for a picture of this size, whatever its sensor fit.

    Raises:
        MarigoldError: it is orthographic or panoramic (`bad_input`).
    """
    data = camera.data
    if data.type != "PERSP":
        raise MarigoldError("bad_input", f"“{camera.name}” is not a perspective camera: choose another.")
    blender = BlenderCamera(
        data.lens, data.sensor_width, data.sensor_height, data.shift_x, data.shift_y, pixel_aspect=pixel_aspect
    )
    return Camera.from_blender(width, height, with_horizontal_fit(width, height, blender, data.sensor_fit))


def chosen_camera(scene: bpy.types.Scene, camera: bpy.types.Object | None) -> bpy.types.Object:
    """The given camera, else the scene's active one.

    Raises:
        MarigoldError: there is none (`bad_input`).
    """
    chosen = camera or scene.camera
    if chosen is None or chosen.type != "CAMERA":
        raise MarigoldError("bad_input", f"“{scene.name}” has no camera: add one that matches the photo.")
    return chosen


def scene_camera(scene: bpy.types.Scene, camera: bpy.types.Object | None, image: bpy.types.Image) -> Camera:
    """The camera of a photo that a camera of the scene shows, from that camera and the render's size.

    Raises:
        MarigoldError: there is none, or the render has another shape than the photo (`bad_input`).
    """
    chosen = chosen_camera(scene, camera)
    render = scene.render
    width, height = depth_size(image)
    if chosen.data.marigold.depth == image:
        return camera_of_object(chosen, width, height, image.marigold.pixel_aspect)
    shape = render.resolution_x / render.resolution_y
    if abs(width / height / shape - 1) > SAME_SHAPE:
        raise MarigoldError(
            "bad_input",
            f"The photo is {width} x {height}, the render {render.resolution_x} x {render.resolution_y} pixels:"
            " give the render the photo's size, so that its camera shows the same.",
        )
    return camera_of_object(chosen, width, height, render.pixel_aspect_x / render.pixel_aspect_y)


def clip_camera(clip: bpy.types.MovieClip, image: bpy.types.Image) -> Camera:
    """The camera of a photo that is a frame of a clip, as the clip's tracking has it.

    Raises:
        MarigoldError: the photo has another shape than the clip (`bad_input`).
    """
    width, height = depth_size(image)
    clip_width, clip_height = clip.size
    if not clip_width or not clip_height:
        raise MarigoldError("bad_input", f"The clip “{clip.name}” cannot be read: are its files still there?")
    if abs(width / height / (clip_width / clip_height) - 1) > SAME_SHAPE:
        raise MarigoldError(
            "bad_input",
            f"The photo is {width} x {height}, the clip “{clip.name}” {clip_width} x {clip_height} pixels:"
            " choose the clip that the photo is a frame of.",
        )
    lens = clip.tracking.camera
    across, down = width / clip_width, height / clip_height
    x, y = lens.principal_point_pixels
    return Camera(
        width,
        height,
        focal_px=lens.focal_length_pixels * across,
        cx=x * across,
        cy=height - y * down,
        pixel_aspect=lens.pixel_aspect * down / across,
    )


def adopt_render_camera(scene: bpy.types.Scene, image: bpy.types.Image) -> None:
    """Gives the depth of a render the camera that rendered it, if that can be a photo's."""
    try:
        camera = scene_camera(scene, None, image)
    except MarigoldError:  # without a camera, panoramic, or resized since: the usual guess stays
        return
    image.marigold.move(focal_px=camera.focal_px, cx=camera.cx, cy=camera.cy, pixel_aspect=camera.pixel_aspect)


def camera_from_metadata(image: bpy.types.Image) -> Camera:
    """The camera that the photo's metadata tell.

    Raises:
        MarigoldError: they tell none (`bad_input`).
    """
    camera = record_of(image).camera
    if camera.focal_px is None:
        raise MarigoldError("bad_input", "The photo's metadata hold no focal length: enter the field of view instead.")
    return Camera.centred(*depth_size(image), camera.focal_px)


def camera_of_crop(image: bpy.types.Image, width: int, height: int, left: int, top: int) -> Camera:
    """The camera of a photo that was cut out of a picture of `width` x `height` pixels, at (`left`, `top`).

    Raises:
        MarigoldError: the photo does not lie in that picture (`bad_input`).
    """
    now = camera_of(image)
    if left < 0 or top < 0 or left + now.width > width or top + now.height > height:
        raise MarigoldError(
            "bad_input",
            f"A photo of {now.width} x {now.height} pixels at ({left}, {top}) does not fit into {width} x {height}.",
        )
    focal_px = now.focal_px
    metadata = record_of(image).camera
    if metadata.origin == "exif_35mm" and metadata.focal_px:
        # The 35 mm equivalent is told of the whole picture's diagonal; the record took the photo for the whole.
        focal_px = metadata.focal_px * hypot(width, height) / hypot(now.width, now.height)
    whole = Camera(width, height, focal_px, width / 2, height / 2, now.pixel_aspect)
    return whole.cropped(left, top, now.width, now.height)

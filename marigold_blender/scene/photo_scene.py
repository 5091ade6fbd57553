# SPDX-License-Identifier: GPL-3.0-or-later
"""The main result: a collection with the photo's mesh and a camera that sees it as the photo shows it.

Called by the operators that build meshes, and by scripts.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ..geometry.discontinuities import DEFAULT_THRESHOLD
from ..geometry.grid import DEFAULT_VERTICES
from ..geometry.surfaces import LEAST_ISLAND, EdgeOptions, Sky
from .depth_image import photo_of, read_pixels, record_of
from .following import aim_camera
from .live_mesh import add_live_modifier, live_grid_mesh
from .material import Shading, photo_material
from .mesh import Mode, mesh_from_grid
from .photo_grids import Density, add_background, photo_grids
from .placing import add_to_scene
from .self_calibrated import standing
from .versions import set_pixel_filter


@dataclass(frozen=True)
class PhotoSceneOptions:
    """What is built from a depth image.

    Attributes:
        mode: `PERSPECTIVE` unprojects through the photo's camera, `RELIEF` displaces an upright plane.
        shading: `EMISSION` shows the photo's own colours, `PRINCIPLED` takes the scene's light.
        vertices: least number of vertices of the whole grid.
        triangles: make the mesh of at most so many triangles, more where it is rough (`geometry.triangulation`); 0: of
            quads, by `vertices`.
        edge_threshold: how far disparity may depart from its continuation before the mesh is cut; 0 cuts nothing.
        sky: `CUT` leaves the sky out, `DOME` puts it on a sphere far behind all else (a relief keeps it), `KEEP` takes
            it for a surface.
        least_island: share of the picture below which a piece that hangs together with nothing is left out.
        fill: carry the background on behind what is before it, as a second object (`geometry.background_fill`).
        uncertainty_limit: what an ensemble is less certain of (share of the depth range) is left out; 0: nothing.
        live: build an uncut grid with a modifier that has the controls (`live_mesh`) instead of a cut mesh.
        match_render: also make the scene render the photo: active camera, resolution, view transform, pixel filter.
    """

    mode: Mode = "PERSPECTIVE"
    shading: Shading = "EMISSION"
    vertices: int = DEFAULT_VERTICES
    triangles: int = 0
    edge_threshold: float = DEFAULT_THRESHOLD
    sky: Sky = "CUT"
    fill: bool = False
    least_island: float = LEAST_ISLAND
    uncertainty_limit: float = 0.0
    live: bool = False
    match_render: bool = False

    def density(self) -> Density:
        return Density(self.vertices, self.triangles)

    def edges(self) -> EdgeOptions:
        """How the depth map is taken apart."""
        sky: Sky = "KEEP" if self.sky == "DOME" and self.mode == "RELIEF" else self.sky  # a relief has no far away
        return EdgeOptions(self.edge_threshold, sky, self.least_island, self.uncertainty_limit)


def build_photo_scene(
    context: bpy.types.Context, depth_image: bpy.types.Image, options: PhotoSceneOptions = PhotoSceneOptions()
) -> bpy.types.Object:
    """Builds mesh and camera in a new collection of the context's scene; the mesh object is active and selected.

    What was built from the same depth image before stays: the user may have worked on it.

    Raises:
        MarigoldError: not a depth image, its pixels or photo are gone, or nothing of it is valid (`bad_input`).
    """
    record, photo = record_of(depth_image), photo_of(depth_image)
    scene = context.scene
    behind = None
    if options.live:
        mesh = live_grid_mesh(record.name, depth_image, options.mode, options.vertices)
    else:
        grids = photo_grids(
            depth_image, read_pixels(depth_image), options.edges(), options.density(), options.mode, options.fill
        )
        mesh, behind = mesh_from_grid(record.name, grids.front, depth_image, options.mode), grids.behind
    mesh.materials.append(photo_material(photo, options.shading, scene))
    mesh_object = bpy.data.objects.new(record.name, mesh)
    camera_object = bpy.data.objects.new(f"{record.name} camera", _camera(depth_image, photo, options.mode))
    # The mesh is in camera space and stands where the camera stands, but is not its child: moving the camera aside must
    # show the depth, and moving the mesh must not take the camera along.
    mesh_object.matrix_world = camera_object.matrix_world = standing(depth_image, options.mode)
    add_to_scene(context, record.name, mesh_object, camera_object)
    if options.live:
        add_live_modifier(mesh_object, options.edge_threshold)
    add_background(mesh_object, behind)
    depth_image.use_fake_user = False  # the mesh uses it now; when the user deletes the mesh, it may go
    if options.match_render:
        match_render(scene, camera_object, photo)
    return mesh_object


def _camera(depth_image: bpy.types.Image, photo: bpy.types.Image, mode: Mode) -> bpy.types.Camera:
    camera = bpy.data.cameras.new(f"{photo.name} camera")
    camera.marigold.depth, camera.marigold.mode = depth_image, mode
    aim_camera(camera)
    background = camera.background_images.new()
    background.image = photo
    background.frame_method = "FIT"
    background.display_depth = "BACK"
    background.alpha = 1.0
    camera.show_background_images = True
    return camera


def match_render(scene: bpy.types.Scene, camera: bpy.types.Object, photo: bpy.types.Image) -> None:
    """Makes the scene's render show the photo: active camera, size, colours as they are, and pixels as sharp."""
    scene.camera = camera
    render = scene.render
    render.resolution_x, render.resolution_y = photo.size
    render.resolution_percentage = 100
    aspect = camera.data.marigold.depth.marigold.pixel_aspect if camera.data.marigold.depth else 1.0
    render.pixel_aspect_x, render.pixel_aspect_y = max(aspect, 1.0), max(1.0 / aspect, 1.0)  # neither may be below 1
    set_pixel_filter(scene, 1.0)  # Blender's default, 1.5, blurs over neighbours
    view = scene.view_settings
    view.view_transform, view.look = "Standard", "None"
    view.exposure, view.gamma, view.use_curve_mapping = 0.0, 1.0, False

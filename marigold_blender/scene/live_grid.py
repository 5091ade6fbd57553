# SPDX-License-Identifier: GPL-3.0-or-later
"""The grid under a live mesh: uncut, upright and as large as the photo at its far end.

Called by `live_mesh` for a new one, and by the property *Vertices* of a live mesh, which makes it anew in its place.
"""

from __future__ import annotations

import math

import bpy
import numpy as np

from ..geometry.lattice import lattice_quads, lattice_size
from ..geometry.live_cells import invalid_cells
from ..geometry.unprojection import relief
from . import live_sockets as names
from .depth_image import read_pixels, record_of
from .following import camera_of
from .live_modifier import live_modifiers_on
from .mesh import fill_mesh
from .versions import set_modifier_input

MOST_PIXELS = 1_000_000  # of the lattice on which the group finds jumps


def processing_size_of(image: bpy.types.Image) -> tuple[int, int]:
    """Width and height of the lattice that the group finds jumps on: what the network saw, as far as it is one that
    can be evaluated while a slider moves."""
    width, height = record_of(image).processing_size
    width, height = min(width, image.size[0]), min(height, image.size[1])
    shrunk = max(1.0, math.sqrt(width * height / MOST_PIXELS))
    return max(1, round(width / shrunk)), max(1, round(height / shrunk))


def fill_grid(mesh: bpy.types.Mesh) -> None:
    """Gives an empty live mesh its grid. Cells with invalid pixels are left out: no input makes them valid."""
    image, properties = mesh.marigold.depth, mesh.marigold
    camera = camera_of(image)
    columns, rows = lattice_size(camera.width, camera.height, properties.vertices)
    uv = np.empty((rows, columns, 2), np.float32)
    uv[..., 0] = np.linspace(0, 1, columns)
    uv[..., 1] = np.linspace(1, 0, rows)[:, None]
    number = np.arange(columns * rows, dtype=np.int32).reshape(rows, columns)
    dropped = invalid_cells(read_pixels(image).valid, processing_size_of(image), columns, rows)
    used = np.zeros(columns * rows, bool)
    quads = lattice_quads(number)[~dropped]
    used[quads] = True
    uv = uv.reshape(-1, 2)[used]
    fill_mesh(mesh, uv, (np.cumsum(used, dtype=np.int32) - 1)[quads])
    pixels = uv * np.array([camera.width, -camera.height], np.float32)
    pixels[:, 1] += camera.height
    far = image.marigold.far
    points = relief(camera, pixels, np.full(len(pixels), far, np.float32), far)
    mesh.attributes["position"].data.foreach_set("vector", points.ravel())
    mesh.update()


def regenerate_grid(mesh: bpy.types.Mesh) -> None:
    """Makes the grid of a live mesh anew, as dense as its property *Vertices* says; modifiers and materials stay.

    A mesh that is in Edit Mode, linked, or not a grid any more since its modifier was applied, stays as it is.
    """
    modifiers = live_modifiers_on(mesh)
    if mesh.library is not None or mesh.is_editmode or not modifiers:
        return
    mesh.clear_geometry()
    fill_grid(mesh)
    for modifier in modifiers:
        set_grid_inputs(modifier, mesh)


def set_grid_inputs(modifier: bpy.types.Modifier, mesh: bpy.types.Mesh) -> None:
    """Tells the group what grid it works on."""
    image = mesh.marigold.depth
    columns, rows = lattice_size(image.size[0], image.size[1], mesh.marigold.vertices)
    processing = processing_size_of(image)
    values = (
        (names.GRID_COLUMNS, columns),
        (names.GRID_ROWS, rows),
        (names.PROCESSING_COLUMNS, processing[0]),
        (names.PROCESSING_ROWS, processing[1]),
    )
    for name, value in values:
        set_modifier_input(modifier, name, value)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The inputs of the node group *Marigold Live Depth*: names, ranges and what they mean.

The group's builder makes them, `live_mesh` fills them in, panels and scripts find them by these names.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..geometry.discontinuities import DEFAULT_THRESHOLD


@dataclass(frozen=True)
class LiveSocket:
    """An input of the group.

    Attributes:
        kind: Blender's socket type without `NodeSocket`.
        panel: heading it stands under; empty: none.
        hidden: it belongs to the grid, not to the user: the modifier does not show it.
    """

    name: str
    kind: str
    description: str
    default: float = 0.0
    low: float = 0.0
    high: float = 1e6
    subtype: str = "NONE"
    panel: str = ""
    hidden: bool = False


DEPTH, MASK = "Depth", "Mask"
NEAR, FAR = "Near", "Far"
FOCAL_LENGTH, PRINCIPAL_X, PRINCIPAL_Y = "Focal Length", "Principal Point X", "Principal Point Y"
PIXEL_ASPECT = "Pixel Aspect"
RATIO = "Far over Near"  # less 1; within the group only
PERSPECTIVE, CURVE, SMOOTHING, EDGE_THRESHOLD = "Perspective", "Depth Curve", "Smoothing", "Edge Threshold"
GRID_COLUMNS, GRID_ROWS = "Grid Columns", "Grid Rows"
PROCESSING_COLUMNS, PROCESSING_ROWS = "Processing Columns", "Processing Rows"

SURFACE, CAMERA, GRID = "Surface", "Camera", "Grid"
TINY = 1e-4

SOCKETS = (
    LiveSocket(DEPTH, "Image", "The depth image: 0 near to 1 far, Non-Color"),
    LiveSocket(MASK, "Image", "White where the depth counts; empty when it counts everywhere"),
    LiveSocket(
        PERSPECTIVE,
        "Float",
        "1: every point at its place before the camera; 0: a flat relief; between them a mixture",
        1.0,
        0.0,
        1.0,
        "FACTOR",
        SURFACE,
    ),
    LiveSocket(
        CURVE,
        "Float",
        "Exponent of the depth: 1 as estimated, more brings the middle nearer, less takes it farther away",
        1.0,
        0.05,
        20.0,
        "NONE",
        SURFACE,
    ),
    LiveSocket(
        SMOOTHING,
        "Float",
        "Distance of the neighbours that smooth the surface, in pixels of the processing resolution. Edges stay."
        " 0: none",
        0.0,
        0.0,
        32.0,
        "NONE",
        SURFACE,
    ),
    LiveSocket(
        EDGE_THRESHOLD,
        "Float",
        "Faces are cut where disparity departs by more than this share from its continuation on both sides, over one"
        " pixel of the processing resolution. 0 cuts nothing",
        DEFAULT_THRESHOLD,
        0.0,
        1.0,
        "NONE",
        SURFACE,
    ),
    LiveSocket(NEAR, "Float", "Distance from the camera of the nearest depth", 1.0, TINY, 1e6, "DISTANCE", CAMERA),
    LiveSocket(FAR, "Float", "Distance from the camera of the farthest depth", 4.0, TINY, 1e6, "DISTANCE", CAMERA),
    LiveSocket(FOCAL_LENGTH, "Float", "Focal length in pixels of the photo", 1000.0, 1.0, 1e6, "NONE", CAMERA),
    LiveSocket(
        PRINCIPAL_X,
        "Float",
        "Where the camera's axis meets the photo: pixels from its left edge",
        0.0,
        -1e6,
        1e6,
        "NONE",
        CAMERA,
    ),
    LiveSocket(
        PRINCIPAL_Y,
        "Float",
        "Where the camera's axis meets the photo: pixels from its top edge",
        0.0,
        -1e6,
        1e6,
        "NONE",
        CAMERA,
    ),
    LiveSocket(PIXEL_ASPECT, "Float", "Width of the photo's pixels over their height", 1.0, 0.1, 10.0, "NONE", CAMERA),
    LiveSocket(GRID_COLUMNS, "Int", "Columns of vertices of the grid", 2, 2, 1 << 24, panel=GRID, hidden=True),
    LiveSocket(GRID_ROWS, "Int", "Rows of vertices of the grid", 2, 2, 1 << 24, panel=GRID, hidden=True),
    LiveSocket(PROCESSING_COLUMNS, "Int", "Width that the network saw, in pixels", 2, 1, 4096, panel=GRID, hidden=True),
    LiveSocket(PROCESSING_ROWS, "Int", "Height that the network saw, in pixels", 2, 1, 4096, panel=GRID, hidden=True),
)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The sockets of the node group *Marigold Depth of Field*: names, ranges and what they mean.

The group's builder makes them, the pass sets them, the operators and the panel show them. They are where the pass keeps
its settings: they can be animated and driven, and they work without this extension.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FloatSocket:
    """An input that is a number.

    Attributes:
        subtype: of Blender's number field.
        low, high: what may be entered.
        panel: heading it stands under; empty: none.
    """

    name: str
    default: float
    low: float
    high: float
    description: str
    subtype: str = "NONE"
    panel: str = ""


IMAGE, DEPTH, RAY, FOG_COLOUR = "Image", "Depth", "Ray", "Fog Color"
FOCUS, BLUR_AT_FAR, FOCUS_DISTANCE, F_STOP = "Focus", "Blur at Far", "Focus Distance", "F-Stop"
FOCAL_LENGTH, SENSOR_WIDTH, WIDTH, NEAR, FAR = "Focal Length", "Sensor Width", "Width", "Near", "Far"
METRIC, DEPTH_IS_DISTANCE, PEAKING = "Metric", "Depth Is Distance", "Focus Peaking"
FOG_DENSITY, FOG_START, FOG_HEIGHT = "Fog Density", "Fog Start", "Fog Height"
MASK_NEAR, MASK_FAR, MASK_SOFTNESS = "Mask Near", "Mask Far", "Mask Softness"
SHARP, SIGNED_RADIUS = "Sharp", "Signed Blur Radius"
BLUR_RADIUS, DISTANCE, NEAR_MATTE, FAR_MATTE, MASK = "Blur Radius", "Distance", "Near Matte", "Far Matte", "Mask"

LENS, FOG, MASKS = "Lens", "Fog", "Mattes"
HUGE = 1e6
TINY = 1e-4

FLOATS = (
    FloatSocket(FOCUS, 0.5, 0.0, 1.0, "What is sharp: 0 the nearest depth, 1 the farthest", "FACTOR", LENS),
    FloatSocket(
        BLUR_AT_FAR,
        2.0,
        0.0,
        100.0,
        "Diameter of the blur circle of the farthest depth while the nearest is sharp, in percent of the width",
        "PERCENTAGE",
        LENS,
    ),
    FloatSocket(FOCUS_DISTANCE, 2.0, TINY, HUGE, "Distance from the camera that is sharp", "DISTANCE", LENS),
    FloatSocket(F_STOP, 2.8, 0.001, 1000.0, "The aperture: smaller numbers blur more", "NONE", LENS),
    FloatSocket(FOCAL_LENGTH, 50.0, 0.1, 10000.0, "Focal length in millimetres", "NONE", LENS),
    FloatSocket(SENSOR_WIDTH, 36.0, 0.1, 1000.0, "Width of the camera's sensor in millimetres", "NONE", LENS),
    FloatSocket(WIDTH, 1920.0, 1.0, HUGE, "Width of the picture in pixels", "NONE", LENS),
    FloatSocket(NEAR, 1.0, TINY, HUGE, "Distance of depth 0", "DISTANCE", LENS),
    FloatSocket(FAR, 4.0, TINY, HUGE, "Distance of depth 1", "DISTANCE", LENS),
    FloatSocket(METRIC, 0.0, 0.0, 1.0, "1: Focus Distance and F-Stop count; 0: Focus and Blur at Far", "FACTOR", LENS),
    FloatSocket(
        DEPTH_IS_DISTANCE, 0.0, 0.0, 1.0, "1: Depth is a distance, as a Z pass is; 0: 0 near to 1 far", "FACTOR", LENS
    ),
    FloatSocket(PEAKING, 0.0, 0.0, 1.0, "Marks the edges that are in focus", "FACTOR", LENS),
    FloatSocket(FOG_DENSITY, 0.0, 0.0, HUGE, "Share of the light that fog swallows per unit of distance", "NONE", FOG),
    FloatSocket(FOG_START, 0.0, 0.0, HUGE, "Distance at which the fog begins", "DISTANCE", FOG),
    FloatSocket(
        FOG_HEIGHT,
        0.0,
        0.0,
        HUGE,
        "Height over which the fog thins to 37 %, counted from the camera up. 0: as thick everywhere",
        "DISTANCE",
        FOG,
    ),
    FloatSocket(
        MASK_NEAR, 1.0, 0.0, HUGE, "Where the mask begins; what is nearer is the near matte", "DISTANCE", MASKS
    ),
    FloatSocket(MASK_FAR, 3.0, 0.0, HUGE, "Where the mask ends; what is farther is the far matte", "DISTANCE", MASKS),
    FloatSocket(MASK_SOFTNESS, 0.1, 0.0, HUGE, "Distance over which mask and mattes fade", "DISTANCE", MASKS),
)

FLOAT_OUTPUTS = (
    (BLUR_RADIUS, "Radius of the blur circle in pixels"),
    (SIGNED_RADIUS, "The same, negative in front of the focus"),
    (DISTANCE, "Distance from the camera"),
    (NEAR_MATTE, "1 where it is nearer than the mask"),
    (FAR_MATTE, "1 where it is farther than the mask"),
    (MASK, "1 between the mask's near and far end"),
)

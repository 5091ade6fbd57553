# SPDX-License-Identifier: GPL-3.0-or-later
"""The properties that operators and the scene's settings (`scene_settings`) share, so that each is described once."""

from dataclasses import fields

from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..marigold_blender.models.find import preferred_model
from ..marigold_blender.models.naming import known_models
from ..marigold_blender.scene.photo_scene import PhotoSceneOptions
from ..marigold_blender.settings import (
    MAX_ENSEMBLE,
    MAX_RESOLUTION,
    MAX_STEPS,
    MAX_TILING,
    PRESETS,
    EstimateSettings,
)


def model_names(_owner, _context, _typed):
    """Suggestions for a field that takes a model: the catalogue, and what was trained here."""
    return [(model.name, model.description) for model in known_models().values()]


class EstimateProperties:
    """What an estimate is asked to be; 0 leaves a number to the preset."""

    model: StringProperty(
        name="Model",
        description="Name of a model, or the path of a folder with a Marigold model in diffusers format."
        " Empty: Marigold 1.1 if it is downloaded, else the demo",
        search=model_names,
        search_options={"SUGGESTION"},
    )
    preset: EnumProperty(
        name="Preset",
        description="How much time to spend on quality",
        items=[(key, recipe.label, recipe.description) for key, recipe in PRESETS.items()],
        default="BALANCED",
    )
    steps: IntProperty(
        name="Denoising Steps",
        description="Denoising steps of each prediction. 0: as the preset says",
        min=0,
        max=MAX_STEPS,
    )
    ensemble: IntProperty(
        name="Ensemble Size",
        description="Number of predictions that are aligned and merged by their median. 0: as the preset says",
        min=0,
        max=MAX_ENSEMBLE,
    )
    resolution: IntProperty(
        name="Processing Resolution",
        description="Long edge of the picture that the network sees, in pixels. 0: the model's own",
        min=0,
        max=MAX_RESOLUTION,
        subtype="PIXEL",
    )
    tiling: IntProperty(
        name="Tiles",
        description="How many times overlapping tiles double the processing resolution, as far as the photo has"
        " pixels: finer detail, four times the time for each. 0: no tiles",
        min=0,
        max=MAX_TILING,
    )
    seed: IntProperty(
        name="Seed",
        description="Start of the random numbers: the same seed and settings give the same depth",
        min=0,
    )

    def estimate_settings(self) -> EstimateSettings:
        chosen = {field.name: getattr(self, field.name) for field in fields(EstimateSettings)}
        return EstimateSettings(**{**chosen, "model": self.model or preferred_model()})


class ClipProperties:
    """How the frames of a clip belong together."""

    steady: BoolProperty(
        name="Steady",
        description="Frames follow each other: one scale for each shot, no flicker. Off: each frame is estimated by"
        " itself",
        default=True,
    )


class MeshProperties:
    """How the mesh is built from depth."""

    mode: EnumProperty(
        name="Mode",
        description="What the depth is turned into",
        items=[
            ("PERSPECTIVE", "Perspective", "Unproject through the photo's camera: true shapes seen from any side"),
            ("RELIEF", "Relief", "Displace a flat picture towards the viewer"),
        ],
        default="PERSPECTIVE",
    )
    shading: EnumProperty(
        name="Shading",
        description="How the photo is put on the mesh",
        items=[
            ("EMISSION", "As Photographed", "The photo's own colours, whatever the lights and the view transform"),
            ("PRINCIPLED", "Lit", "A matte surface that the scene's lights fall on"),
        ],
        default="EMISSION",
    )
    vertices: IntProperty(
        name="Vertices",
        description="Number of vertices that the mesh may have before cutting",
        min=100,
        soft_max=4_000_000,
        max=50_000_000,
        default=200_000,
    )
    triangles: IntProperty(
        name="Triangle Budget",
        description="Make the mesh of at most so many triangles, more where it is rough and fewer where it is flat."
        " 0: a regular grid of quads with the number of vertices above",
        min=0,
        soft_max=1_000_000,
        max=50_000_000,
        default=0,
    )
    edge_threshold: FloatProperty(
        name="Edge Threshold",
        description="Faces are cut where disparity departs by more than this share from its continuation on both sides,"
        " over one pixel of the processing resolution. 0 cuts nothing",
        min=0.0,
        max=1.0,
        default=0.02,
        precision=3,
    )
    sky: EnumProperty(
        name="Sky",
        description="What becomes of a sky: a far plateau that reaches the picture's top and touches nothing",
        items=[
            ("CUT", "Cut", "Leave it out, for a sky of the scene's own"),
            ("DOME", "Dome", "Put it on a sphere around the camera, far behind all else. A relief keeps it"),
            ("KEEP", "Keep", "Take it for a surface like any other"),
        ],
        default="CUT",
    )
    fill: BoolProperty(
        name="Fill Behind Edges",
        description="Carry the background on behind what stands before it, as a second object, so that a camera that"
        " moves aside sees no holes",
        default=False,
    )
    least_island: FloatProperty(
        name="Smallest Island",
        description="Share of the picture below which a piece of the mesh that hangs together with nothing else is left"
        " out. 0 keeps all",
        min=0.0,
        max=1.0,
        soft_max=0.01,
        default=0.00005,
        step=0.01,
        precision=5,
    )
    uncertainty_limit: FloatProperty(
        name="Uncertainty Limit",
        description="What the members of an ensemble disagree about by more than this share of the depth range is left"
        " out. 0 keeps all",
        min=0.0,
        max=1.0,
        soft_max=0.2,
        default=0.0,
        precision=3,
    )
    live: BoolProperty(
        name="Live Controls",
        description="Build a regular grid with one modifier, whose inputs change the surface at once: range, camera,"
        " edges, smoothing, curve, relief. Bake Mesh turns it into the finished mesh",
        default=False,
    )
    match_render: BoolProperty(
        name="Match Render",
        description="Also make the photo's camera the active one, and set the render size to the photo's and the view"
        " transform to Standard, so that a render reproduces the photo",
        default=False,
    )

    def scene_options(self) -> PhotoSceneOptions:
        return PhotoSceneOptions(**{field.name: getattr(self, field.name) for field in fields(PhotoSceneOptions)})

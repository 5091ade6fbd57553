# SPDX-License-Identifier: GPL-3.0-or-later
"""The properties that operators and the scene's settings share, so that each is described once.

A panel shows `scene.marigold`; an operator that is invoked takes from there what its caller did not set.
"""

from dataclasses import fields

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ..marigold_blender.models.catalogue import CATALOGUE
from ..marigold_blender.scene.photo_scene import PhotoSceneOptions
from ..marigold_blender.settings import MAX_ENSEMBLE, MAX_RESOLUTION, MAX_STEPS, PRESETS, EstimateSettings


def _model_names(_owner, _context, _typed):
    return [(model.name, model.description) for model in CATALOGUE.values()]


class EstimateProperties:
    """What an estimate is asked to be; 0 leaves a number to the preset."""

    model: StringProperty(
        name="Model",
        description="Name of a model, or the path of a folder with a Marigold model in diffusers format",
        default="demo",
        search=_model_names,
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
    seed: IntProperty(
        name="Seed",
        description="Start of the random numbers: the same seed and settings give the same depth",
        min=0,
    )

    def estimate_settings(self) -> EstimateSettings:
        return EstimateSettings(**{field.name: getattr(self, field.name) for field in fields(EstimateSettings)})


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
    edge_threshold: FloatProperty(
        name="Edge Threshold",
        description="Faces are cut where disparity departs by more than this share from its continuation on both sides,"
        " over one pixel of the processing resolution. 0 cuts nothing",
        min=0.0,
        max=1.0,
        default=0.04,
        precision=3,
    )
    match_render: BoolProperty(
        name="Match Render",
        description="Also make the photo's camera the active one, and set the render size to the photo's and the view"
        " transform to Standard, so that a render reproduces the photo",
        default=False,
    )

    def scene_options(self) -> PhotoSceneOptions:
        return PhotoSceneOptions(**{field.name: getattr(self, field.name) for field in fields(PhotoSceneOptions)})


class MarigoldSettings(EstimateProperties, MeshProperties, bpy.types.PropertyGroup):
    """`scene.marigold`: what the sidebar shows and invoked operators start from."""

    source: EnumProperty(
        name="Source",
        description="Where the picture comes from",
        items=[
            ("FILE", "File", "A photo on disk: JPEG, PNG, TIFF, WebP, HEIC, AVIF, EXR or HDR"),
            ("IMAGE", "Image", "An image that is already in this file"),
            ("RENDER", "Render Result", "The last render, as its view transform shows it"),
        ],
        default="FILE",
    )
    filepath: StringProperty(name="Photo", description="The photo to turn into 3D", subtype="FILE_PATH")
    image: PointerProperty(name="Image", description="The image to turn into 3D", type=bpy.types.Image)

    def chosen_source(self) -> dict[str, str]:
        """The operator properties `filepath` or `image` that the chosen source means; empty if nothing is chosen."""
        if self.source == "FILE":
            return {"filepath": self.filepath} if self.filepath else {}
        if self.source == "RENDER":
            return {"image": "Render Result"}
        return {"image": self.image.name} if self.image else {}


def fill_unset(operator: bpy.types.Operator, context: bpy.types.Context) -> None:
    """Give every property that the caller left alone the value that the sidebar shows."""
    for name in (*EstimateProperties.__annotations__, *MeshProperties.__annotations__):
        if hasattr(operator, name) and not operator.properties.is_property_set(name):
            setattr(operator, name, getattr(context.scene.marigold, name))


def register() -> None:
    bpy.utils.register_class(MarigoldSettings)
    bpy.types.Scene.marigold = PointerProperty(type=MarigoldSettings)


def unregister() -> None:
    del bpy.types.Scene.marigold
    bpy.utils.unregister_class(MarigoldSettings)

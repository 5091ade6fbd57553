# SPDX-License-Identifier: GPL-3.0-or-later
"""`scene.marigold`: what the sidebar shows. An invoked operator takes from there what its caller did not set."""

import bpy
from bpy.props import EnumProperty, PointerProperty, StringProperty

from . import state
from .properties import ClipProperties, EstimateProperties, MeshProperties
from .solid_properties import PointProperties, SolidProperties
from .training_properties import TrainingProperties

SHARED = (EstimateProperties, ClipProperties, MeshProperties, TrainingProperties, SolidProperties, PointProperties)


class MarigoldTraining(TrainingProperties, bpy.types.PropertyGroup):
    """`scene.marigold.training`: what the Training panel shows."""


def _look_again(self, context):
    state.look_again()


class MarigoldSettings(
    EstimateProperties, ClipProperties, MeshProperties, SolidProperties, PointProperties, bpy.types.PropertyGroup
):
    """`scene.marigold`."""

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
    filepath: StringProperty(
        name="Photo", description="The photo to turn into 3D", subtype="FILE_PATH", update=_look_again
    )
    clip: StringProperty(
        name="Clip",
        description="A movie, the folder of an image sequence, or the name of its frames with # for the number",
        subtype="FILE_PATH",
    )
    focused: StringProperty(
        name="Focused File",
        description="Where Best also writes its picture: .exr, .png, .tif, .jpg or .webp; of a clip the folder of its"
        " frames. Empty: it lives in this file alone",
        subtype="FILE_PATH",
    )
    training: PointerProperty(
        type=MarigoldTraining, name="Training", description="What a model is trained on this file with"
    )
    image: PointerProperty(name="Image", description="The image to turn into 3D", type=bpy.types.Image)

    def chosen_source(self) -> dict[str, str]:
        """The operator properties `filepath` or `image` that the chosen source means; empty if nothing is chosen."""
        if self.source == "FILE":
            return {"filepath": self.filepath} if self.filepath else {}
        if self.source == "RENDER":
            return {"image": "Render Result"}
        return {"image": self.image.name} if self.image else {}


def fill_unset(operator: bpy.types.Operator, shown: bpy.types.PropertyGroup) -> None:
    """Give every shared property that the caller left alone the value that the sidebar shows."""
    for shared in SHARED:
        if isinstance(operator, shared) and isinstance(shown, shared):
            for name in shared.__annotations__:
                if not operator.properties.is_property_set(name):
                    setattr(operator, name, getattr(shown, name))


def register() -> None:
    bpy.utils.register_class(MarigoldTraining)
    bpy.utils.register_class(MarigoldSettings)
    bpy.types.Scene.marigold = PointerProperty(type=MarigoldSettings)


def unregister() -> None:
    del bpy.types.Scene.marigold
    bpy.utils.unregister_class(MarigoldSettings)
    bpy.utils.unregister_class(MarigoldTraining)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Which picture is turned into depth: in the 3D View a choice, in the Image Editor the image that it shows."""

from pathlib import Path

import bpy

from ..marigold_blender.scene.depth_image import is_depth_image
from ..operators import state
from ..operators.photo_icon import photo_icon

THUMBNAIL_SCALE = 5.0


def source_properties(context: bpy.types.Context) -> dict[str, str]:
    """The operator properties `filepath` or `image` that the source means; empty if there is none."""
    if context.space_data.type == "IMAGE_EDITOR":
        image = shown_photo(context)
        return {"image": image.name} if image else {}
    return context.scene.marigold.chosen_source()


def draw_source(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    if context.space_data.type == "IMAGE_EDITOR":
        image = shown_photo(context)
        layout.label(text=image.name if image else "Open an image in this editor", icon="IMAGE_DATA")
        return
    settings = context.scene.marigold
    layout.row().prop(settings, "source", expand=True)
    if settings.source == "FILE":
        layout.prop(settings, "filepath", text="", placeholder="Photo")
        snapshot = state.current()
        if snapshot and snapshot.photo == Path(bpy.path.abspath(settings.filepath)):
            layout.template_icon(icon_value=photo_icon(snapshot.photo), scale=THUMBNAIL_SCALE)
    elif settings.source == "IMAGE":
        layout.prop(settings, "image", text="")
        if settings.image and settings.image.preview:
            layout.template_icon(icon_value=settings.image.preview.icon_id, scale=THUMBNAIL_SCALE)


def shown_photo(context: bpy.types.Context) -> bpy.types.Image | None:
    """The image that this Image Editor shows; for a depth image, the photo that it is the depth of."""
    image = context.space_data.image
    return image.marigold.photo if image and is_depth_image(image) else image

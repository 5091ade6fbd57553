# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns what an operator was given (a file, an image data-block, the Render Result) into a file for the worker."""

from dataclasses import dataclass
from pathlib import Path

import bpy

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.scene.sources import write_image_pixels, write_render_result

RENDER_RESULT = "Render Result"


@dataclass(frozen=True)
class Source:
    """A picture by its file or by the name of its image data-block; exactly one is not empty."""

    filepath: str = ""
    image: str = ""

    @property
    def title(self) -> str:
        return Path(self.filepath).name if self.filepath else self.image

    @property
    def is_read_by_blender(self) -> bool:
        return bool(self.image)


def chosen_source(filepath: str, image: str) -> Source:
    """The source that an operator's properties mean.

    Raises:
        MarigoldError: neither or both are given, or there is no such image (`bad_input`).
    """
    if bool(filepath) == bool(image):
        raise MarigoldError("bad_input", "Choose a photo first: give either filepath or image.")
    if filepath:
        return Source(filepath=bpy.path.abspath(filepath))
    if image not in bpy.data.images:
        raise MarigoldError("bad_input", f"There is no image “{image}” in this file: choose another.")
    return Source(image=image)


def prepare_source(source: Source, folder: Path) -> dict[str, str]:
    """Write what the worker is to read, and say where it is: fields of the worker's estimate request.

    Holds the main thread while Blender hands out the pixels, which the panel shows as a stage.

    Raises:
        MarigoldError: the image is gone, empty or not rendered yet (`bad_input`).
    """
    if source.filepath:
        return {"photo": source.filepath, "name": Path(source.filepath).stem}
    image = bpy.data.images.get(source.image)
    if image is None:
        raise MarigoldError("bad_input", f"The image “{source.image}” is no longer in this file: choose another.")
    if image.type == "RENDER_RESULT":
        path = write_render_result(image, bpy.context.scene, folder)
        return {"photo": str(path), "name": "Render"}
    path = write_image_pixels(image, folder)
    metadata = "" if image.packed_file else bpy.path.abspath(image.filepath)
    return {"photo": str(path), "name": Path(source.image).stem, "metadata": metadata, "image": source.image}

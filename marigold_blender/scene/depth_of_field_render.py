# SPDX-License-Identifier: GPL-3.0-or-later
"""The *Best* method for renders: each rendered frame leaves its sharp picture and its blur radii for the worker.

The pass's group computes the radii, so that keyframes and drivers count as they do in the compositor. Two File Output
nodes write them; the render itself is sharp, and the focused picture comes beside it. Called by the operators.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy

from ..errors import MarigoldError
from ..lens_settings import LensSettings
from . import depth_of_field_sockets as names
from .compositor import new_file_output, set_output_folder
from .depth_of_field_best import lens_settings
from .depth_of_field_nodes import MARK, find_pass, marked, pass_of

PICTURE, RADIUS = "save picture", "save radius"  # marks of the File Output nodes
FILES = {PICTURE: "picture", RADIUS: "radius"}  # how their files' names begin
SUFFIX = "_dof"
RESULT = "Render focused"
MOVIE_FORMATS = {"FFMPEG", "AVI_JPEG", "AVI_RAW"}


@dataclass(frozen=True)
class RenderedFrame:
    """What a rendered frame left.

    Attributes:
        picture, radius: EXR files: scene-linear, and signed blur radii in pixels.
        lens: for aperture and largest blur; the focus is in the radii.
        target: the focused picture goes here, as EXR; beside the render.
    """

    frame: int
    picture: Path
    radius: Path
    lens: LensSettings
    target: Path


def add_savers(scene: bpy.types.Scene, folder: Path) -> None:
    """Have renders leave what *Best* needs, in a folder; the compositing shows the sharp picture.

    Raises:
        MarigoldError: there is no pass (`bad_input`).
    """
    node = pass_of(scene)
    tree = node.id_data
    for row, (mark, output) in enumerate(((PICTURE, names.SHARP), (RADIUS, names.SIGNED_RADIUS))):
        saver = marked(scene, mark) or new_file_output(tree, FILES[mark], node.outputs[output])
        saver[MARK] = mark
        saver.label = mark.capitalize()
        saver.location = (node.location.x + 300, node.location.y - 250 - 200 * row)
    _relink(node, names.IMAGE, names.SHARP)
    set_folder(scene, folder)


def remove_savers(scene: bpy.types.Scene) -> None:
    """Undo `add_savers`."""
    node = find_pass(scene)
    savers = [marked(scene, mark) for mark in FILES]
    for saver in savers:
        if saver is not None:
            saver.id_data.nodes.remove(saver)
    if node is not None:
        _relink(node, names.SHARP, names.IMAGE)


def saves(scene: bpy.types.Scene) -> bool:
    """Whether renders of the scene leave what *Best* needs."""
    return marked(scene, PICTURE) is not None and marked(scene, RADIUS) is not None


def set_folder(scene: bpy.types.Scene, folder: Path) -> None:
    """Where the next renders leave it: another machine, another folder."""
    for mark in FILES:
        saver = marked(scene, mark)
        if saver is not None:
            set_output_folder(saver, str(folder))


def take_saved(scene: bpy.types.Scene, folder: Path) -> RenderedFrame:
    """What the frame that was just written left in the folder, moved to names of its own.

    Raises:
        MarigoldError: it left nothing (`internal`).
        OSError: it cannot be moved.
    """
    frame = scene.frame_current
    taken = {}
    for mark, start in FILES.items():
        written = [path for path in folder.glob(f"{start}_*.exr") if path.is_file()]
        if not written:
            raise MarigoldError("internal", f"The render of frame {frame} left no {start} for its depth of field.")
        newest = max(written, key=lambda path: path.stat().st_mtime_ns)
        taken[mark] = newest.replace(folder / f"taken_{start}_{frame}_{newest.stat().st_mtime_ns}.exr")
    saved = Path(bpy.path.abspath(scene.render.frame_path(frame=frame)))
    if scene.render.image_settings.file_format in MOVIE_FORMATS:
        saved = saved.with_name(f"{saved.stem}_{frame:04}.exr")
    target = saved.with_name(f"{saved.stem}{SUFFIX}.exr")
    return RenderedFrame(frame, taken[PICTURE], taken[RADIUS], lens_settings(pass_of(scene)), target)


def finish_render(scene: bpy.types.Scene, target: Path) -> Path:
    """Show the focused picture as the image *Render focused*; write it in the render's own format too.

    That file goes through the scene's view transform, as the render did.

    Returns:
        Its path; the EXR's own where the render is one, or a movie.
    """
    # One image for all frames, never removed: Blender 5.2 crashes if an image goes while an animation is rendered.
    image = bpy.data.images.get(RESULT)
    if image is None:
        image = bpy.data.images.load(str(target), check_existing=False)
        image.name = RESULT
    else:
        image.filepath = str(target)
        image.reload()
    image.colorspace_settings.name, image.alpha_mode = "Linear Rec.709", "PREMUL"
    settings = scene.render.image_settings
    if settings.file_format in {"OPEN_EXR", "OPEN_EXR_MULTILAYER", *MOVIE_FORMATS}:
        return target
    path = target.with_suffix(scene.render.file_extension)
    image.save_render(str(path), scene=scene)
    return path


def _relink(node: bpy.types.Node, before: str, after: str) -> None:
    """Whatever an output of the pass leads to is led to by another one of it."""
    tree = node.id_data
    for link in [link for link in tree.links if link.from_socket == node.outputs[before]]:
        if link.to_node.get(MARK) not in FILES:
            tree.links.new(node.outputs[after], link.to_socket)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo as a material: emission that looks like the photo under any view transform, or a lit surface.

The view transform of a scene changes the colours of everything in it: under AgX, Blender's default, a photo on an
emitting surface turns pale. Here the photo is read through the inverse of the view transform, so that it comes out as
it went in. A driver chooses the inverse, so it follows when the view transform is changed, even without this extension.
"""

from __future__ import annotations

from typing import Literal

import bpy

from .images import with_colourspace
from .mesh import UV_MAP
from .versions import node_tree_of, set_emission_sampling_none
from .view_transforms import add_view_driver, colourspaces_for, view_numbers

Shading = Literal["EMISSION", "PRINCIPLED"]
VIEW_KEY = "marigold_view"  # custom property of the nodes that compare with a view transform's number


def photo_material(photo: bpy.types.Image, shading: Shading, scene: bpy.types.Scene) -> bpy.types.Material:
    """A new material that shows `photo` by the UV map of the mesh."""
    material = bpy.data.materials.new(photo.name)
    tree = node_tree_of(material)
    if shading == "PRINCIPLED":
        surface = tree.nodes.new("ShaderNodeBsdfPrincipled")
        surface.inputs["Roughness"].default_value = 1.0
        surface.inputs["Specular IOR Level"].default_value = 0.0  # the photo has its own highlights already
        tree.links.new(_texture(tree, photo, 0), surface.inputs["Base Color"])
    else:
        surface = tree.nodes.new("ShaderNodeEmission")
        tree.links.new(_colours_for_any_view(tree, photo, scene), surface.inputs["Color"])
        set_emission_sampling_none(material)
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    surface.location, output.location = (300, 0), (600, 0)
    tree.links.new(surface.outputs[0], output.inputs["Surface"])
    return material


def _texture(tree: bpy.types.NodeTree, image: bpy.types.Image, row: int) -> bpy.types.NodeSocket:
    coordinates = tree.nodes.new("ShaderNodeUVMap")
    coordinates.uv_map = UV_MAP
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image = image
    texture.extension = "EXTEND"  # or the opposite edge of the photo shows at its edges
    # Blending neighbours blurs what is seen at the photo's own size, and under AgX lets highlights spill over: they are
    # 16 times as bright as white there. The photo `china` loses 6 to 9 dB by it.
    texture.interpolation = "Closest"
    coordinates.location, texture.location = (-800, -300 * row), (-600, -300 * row)
    tree.links.new(coordinates.outputs["UV"], texture.inputs["Vector"])
    return texture.outputs["Color"]


def _colours_for_any_view(
    tree: bpy.types.NodeTree, photo: bpy.types.Image, scene: bpy.types.Scene
) -> bpy.types.NodeSocket:
    """The photo's colours, ready for the view transform that the active scene has at the time."""
    colours = _texture(tree, photo, 0)
    spaces = colourspaces_for(scene)
    numbers = view_numbers(list(spaces))
    if not numbers:
        return colours
    current = tree.nodes.new("ShaderNodeValue")
    current.label, current.location = "View Transform", (-600, 200)
    add_view_driver(current.outputs[0], "default_value")
    for row, (view, number) in enumerate(numbers.items(), start=1):
        is_view = tree.nodes.new("ShaderNodeMath")
        is_view.operation, is_view.label = "COMPARE", f"View Transform is {view}"
        is_view[VIEW_KEY] = view
        is_view.inputs[1].default_value = number
        is_view.inputs[2].default_value = 0.5
        mix = tree.nodes.new("ShaderNodeMix")
        mix.data_type = "RGBA"
        is_view.location, mix.location = (-200, 250 - 300 * row), (0, 250 - 300 * row)
        tree.links.new(current.outputs[0], is_view.inputs[0])
        tree.links.new(is_view.outputs[0], mix.inputs[0])
        tree.links.new(colours, _socket(mix.inputs, "A_Color"))
        tree.links.new(_texture(tree, with_colourspace(photo, spaces[view]), row), _socket(mix.inputs, "B_Color"))
        colours = _socket(mix.outputs, "Result_Color")
    return colours


def _socket(sockets: bpy.types.bpy_prop_collection, identifier: str) -> bpy.types.NodeSocket:
    return next(socket for socket in sockets if socket.identifier == identifier)  # Mix has several of each name


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def renumber_views(*_: object) -> None:
    """On opening a file: another Blender version may have saved it, which counts the view transforms differently."""
    comparisons = [
        node
        for material in bpy.data.materials
        if material.library is None and material.node_tree is not None
        for node in material.node_tree.nodes
        if VIEW_KEY in node
    ]
    if not comparisons:
        return
    numbers = view_numbers(list({node[VIEW_KEY] for node in comparisons}))
    for node in comparisons:
        number = numbers.get(node[VIEW_KEY], -1)  # -1: this Blender lacks it, so it is never the current one
        if node.inputs[1].default_value != number:
            node.inputs[1].default_value = number


def register() -> None:
    bpy.app.handlers.load_post.append(renumber_views)


def unregister() -> None:
    bpy.app.handlers.load_post.remove(renumber_views)

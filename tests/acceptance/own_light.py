"""Has every surface of a scene give light of its own, so that a render has no noise but the lens'. Called in Blender.

Rendering at hundreds of samples a pixel is then a matter of minutes. Surfaces keep their textures and are shaded by
their slant to a sun and to the sky; only shadows and reflections are gone.
"""

import bpy

SUN = (0.48, -0.36, 0.8)  # a unit vector


def give_own_light() -> None:
    """Replace the materials' shaders and remove the lamps."""
    for material in bpy.data.materials:
        if material.node_tree is not None:
            _emit(material.node_tree)
    for placed in [placed for placed in bpy.data.objects if placed.type == "LIGHT"]:
        bpy.data.objects.remove(placed)
    cycles = bpy.context.scene.cycles
    cycles.max_bounces, cycles.use_fast_gi = 0, False


def _emit(tree: bpy.types.NodeTree) -> None:
    shader = next((node for node in tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled"), None)
    if shader is None:
        return
    colour = shader.inputs["Base Color"]
    emission = tree.nodes.new("ShaderNodeEmission")
    if colour.is_linked:
        tree.links.new(colour.links[0].from_socket, emission.inputs["Color"])
    else:
        emission.inputs["Color"].default_value = colour.default_value
    geometry, towards_sun = tree.nodes.new("ShaderNodeNewGeometry"), tree.nodes.new("ShaderNodeVectorMath")
    towards_sun.operation = "DOT_PRODUCT"
    towards_sun.inputs[1].default_value = SUN
    tree.links.new(geometry.outputs["Normal"], towards_sun.inputs[0])
    shade = tree.nodes.new("ShaderNodeMapRange")
    for name, value in (("From Min", -1.0), ("From Max", 1.0), ("To Min", 0.15), ("To Max", 1.0)):
        shade.inputs[name].default_value = value
    tree.links.new(towards_sun.outputs["Value"], shade.inputs["Value"])
    tree.links.new(shade.outputs["Result"], emission.inputs["Strength"])
    output = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeOutputMaterial")
    tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])

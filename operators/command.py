# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --command marigold photo PHOTO --output scene.blend`: the operators from a terminal or a render farm."""

import argparse
import os
import sys
from pathlib import Path

import bpy

from ..marigold_blender.lens_arguments import add_depth_of_field_arguments
from ..marigold_blender.settings_arguments import add_settings_arguments, settings_of
from . import depth_of_field_command

_handle = None


def main(arguments: list[str]) -> int:
    """Run the command; its exit code, 0 only on success."""
    options = _parser().parse_args(arguments)
    return int(options.run(options))


def photo(options: argparse.Namespace) -> int:
    """`photo`: a .blend with the mesh of a photo."""
    output = Path(options.output).absolute()
    if output.suffix != ".blend":
        return _fail(f"“{output.name}” is not a .blend file: name the output like scene.blend.")
    if not os.access(output.parent, os.W_OK):
        return _fail(f"The folder “{output.parent}” does not exist or is not writable: choose another --output.")
    # an empty file rather than the user's start-up scene, whose cube would stand before the photo
    bpy.ops.wm.read_homefile(use_empty=True)
    try:
        bpy.ops.marigold.photo_to_scene(
            filepath=str(Path(options.photo).absolute()),
            **settings_of(options).to_json(),
            mode=options.mode,
            shading=options.shading,
            vertices=options.vertices,
            triangles=options.triangles,
            live=options.live,
            match_render=True,
        )
        bpy.ops.wm.save_as_mainfile(filepath=str(output), compress=True)
    except RuntimeError as error:
        return _fail(str(error).removeprefix("Error: ").strip())
    print(output)
    return 0


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{os.path.basename(sys.argv[0])} --command marigold", description="Marigold depth from the command line."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("photo", help="turn a photo into a .blend with a mesh and its matching camera")
    command.add_argument("photo", help="the photo")
    command.add_argument("--output", required=True, help="the .blend to write")
    command.set_defaults(run=photo)
    add_settings_arguments(command)
    command.add_argument("--mode", type=str.upper, choices=["PERSPECTIVE", "RELIEF"], default="PERSPECTIVE")
    command.add_argument("--shading", type=str.upper, choices=["EMISSION", "PRINCIPLED"], default="EMISSION")
    command.add_argument("--vertices", type=int, default=200_000, help="vertices of the mesh before cutting")
    command.add_argument("--triangles", type=int, default=0, help="as few triangles: more where it is rough (0: quads)")
    command.add_argument("--live", action="store_true", help="a live mesh, whose modifier has the controls")
    command = commands.add_parser("dof", help="focus a photo after the fact")
    add_depth_of_field_arguments(command)
    command.set_defaults(run=depth_of_field_command.run)
    return parser


def register() -> None:
    global _handle
    _handle = bpy.utils.register_cli_command("marigold", main)


def unregister() -> None:
    bpy.utils.unregister_cli_command(_handle)

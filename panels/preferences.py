# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: the worker's Python, the cache folder, the idle time."""

import os

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, StringProperty

from ..operators.config import ROOT_PACKAGE, cache_folder


class MarigoldPreferences(bpy.types.AddonPreferences):
    bl_idname = ROOT_PACKAGE

    worker_python: StringProperty(
        name="Worker Python",
        description="Python interpreter with torch and diffusers, in which the worker process runs",
        subtype="FILE_PATH",
    )
    cache_folder: StringProperty(
        name="Cache Folder",
        description="Where results are kept, so that asking again is instant. Empty: the extension's own user folder",
        subtype="DIR_PATH",
    )
    device: EnumProperty(
        name="Device",
        description="What the worker computes on. A device that is not there is refused with one sentence",
        items=[
            ("auto", "Automatic", "The graphics card if there is one that fits, else the processor"),
            ("cuda", "CUDA or ROCm", "An NVIDIA card, or an AMD card with ROCm"),
            ("mps", "Apple GPU", "The graphics of an Apple chip"),
            ("cpu", "Processor", "Slow, and works everywhere"),
        ],
        default="auto",
    )
    precision: EnumProperty(
        name="Precision",
        description="Number format of weights and computing",
        items=[
            ("auto", "Automatic", "What is known to be safe on the device"),
            ("float32", "Single", "32 bits a number: exact, most memory"),
            ("bfloat16", "Brain Float", "16 bits: half the memory, coarse, no overflow"),
            ("float16", "Half", "16 bits: half the memory; some cards give black pictures"),
        ],
        default="auto",
    )
    free_before_render: BoolProperty(
        name="Free GPU Memory Before Rendering",
        description="End the idle worker before a render starts, so that the render gets all of the memory."
        " A job that runs at that moment is finished first",
        default=True,
    )
    idle_minutes: FloatProperty(
        name="Idle Time",
        description="Minutes without a job after which the worker ends and gives back its memory. 0: it stays",
        default=10.0,
        min=0.0,
        soft_max=120.0,
        precision=0,
    )

    def draw(self, context):
        column = self.layout.column()
        column.use_property_split = True
        for name, variable in (("worker_python", "MARIGOLD_PYTHON"), ("cache_folder", "MARIGOLD_CACHE")):
            row = column.row()
            row.enabled = variable not in os.environ
            row.prop(self, name)
            if variable in os.environ:
                column.label(text=f"{variable} is set: {os.environ[variable]}", icon="INFO")
        column.label(text=f"Results are kept in {cache_folder()}")
        for name in ("device", "precision", "free_before_render"):
            column.prop(self, name)
        column.prop(self, "idle_minutes", text="Idle Time (minutes)")
        column.operator("marigold.free_memory", icon="TRASH")


CLASSES = (MarigoldPreferences,)

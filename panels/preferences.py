# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: runtime, models, folders, device, network, memory, logs."""

import os

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, StringProperty

from ..marigold_blender.models.folders import is_pinned_by_environment
from ..operators import state
from ..operators.config import ROOT_PACKAGE, cache_folder, online_advice
from ..operators.words import size
from .model_choice import STATE_ICONS, draw_online_advice
from .paragraph import paragraph

STAYS = (
    "Runtime, models and what you trained stay where they are when the extension is uninstalled, for other Blender"
    " versions: to give their space back, remove them here first."
)


def _folder_changed(self, context):
    state.forget()
    state.look_again()


def _changed(self, context):
    state.look_again()


class MarigoldPreferences(bpy.types.AddonPreferences):
    bl_idname = ROOT_PACKAGE

    base_python: StringProperty(
        name="Base Python",
        description="Python 3.11 or newer to make the runtime from. Empty: Blender's own, or one that is found",
        subtype="FILE_PATH",
        update=_changed,
    )
    worker_python: StringProperty(
        name="Worker Python",
        description="Python interpreter with torch and diffusers to run the worker in, instead of the runtime",
        subtype="FILE_PATH",
        update=_changed,
    )
    runtime_folder: StringProperty(
        name="Runtime Folder",
        description="Where the runtime is installed. Empty: one folder of this user for all Blender versions",
        subtype="DIR_PATH",
        update=_changed,
    )
    cache_folder: StringProperty(
        name="Cache Folder",
        description="Where results are kept, so that asking again is instant. Empty: the extension's own user folder",
        subtype="DIR_PATH",
        update=_folder_changed,
    )
    accelerator: EnumProperty(
        name="Build",
        description="Which build of torch is installed",
        items=[
            ("auto", "Automatic", "What fits this computer's graphics"),
            ("cuda", "CUDA", "For NVIDIA cards"),
            ("rocm", "ROCm", "For AMD cards, on Linux"),
            ("xpu", "XPU", "For Intel graphics"),
            ("mps", "Metal", "For Apple chips"),
            ("cpu", "Processor", "Without a graphics card: the smallest"),
        ],
        default="auto",
        update=_changed,
    )
    device: EnumProperty(
        name="Device",
        description="What the worker computes on. A device that is not there is refused with one sentence",
        items=[
            ("auto", "Automatic", "The graphics card if there is one that fits, else the processor"),
            ("cuda", "CUDA or ROCm", "An NVIDIA card, or an AMD card with ROCm"),
            ("xpu", "Intel GPU", "Intel's graphics, with the runtime's XPU build"),
            ("mps", "Apple GPU", "The graphics of an Apple chip"),
            ("cpu", "Processor", "Slow, and works everywhere"),
        ],
        default="auto",
    )
    precision: EnumProperty(
        name="Precision",
        description="Number format of weights and computing",
        items=[
            ("auto", "Automatic", "What is fastest and safe for the device and the model"),
            ("float32", "Single", "32 bits a number: exact, most memory"),
            ("bfloat16", "Brain Float", "16 bits: half the memory, coarse, no overflow"),
            ("float16", "Half", "16 bits: half the memory; what overflows is computed again in single precision"),
        ],
        default="auto",
    )
    compile_networks: BoolProperty(
        name="Compile Repeated Sizes",
        description="From the third photo of a size on, compile the network with torch.compile. Takes minutes the first"
        " time, needs a C++ compiler, and pays for many photos or frames of one size. For a worker that starts next",
        default=False,
    )
    free_before_render: BoolProperty(
        name="Free GPU Memory Before Rendering",
        description="End the idle worker before a render starts, so that the render gets all of the memory."
        " A job that runs at that moment is finished first",
        default=True,
    )
    idle_minutes: FloatProperty(
        name="Idle Time (minutes)",
        description="Minutes without a job after which the worker ends and gives back its memory. 0: it stays",
        default=10.0,
        min=0.0,
        soft_max=120.0,
        precision=0,
    )

    def draw(self, context):
        snapshot = state.current()
        if snapshot is None:
            self.layout.label(text="Looking at this computer…")
            return
        self.draw_runtime(context, snapshot)
        self.draw_models(context, snapshot)
        self.draw_network(context)
        self.draw_computing(context)

    def draw_runtime(self, context, snapshot):
        column = _section(self.layout, "Runtime")
        runtime = snapshot.runtime
        paragraph(column, context, runtime.sentence, "CHECKMARK" if runtime.python else "INFO")
        column.label(text=str(runtime.folder), icon="FILE_FOLDER")
        row = column.row(align=True)
        if runtime.python:
            row.operator("marigold.install_runtime", text="Update", icon="FILE_REFRESH").force = True
            row.operator("marigold.verify_runtime", icon="VIEWZOOM")
            row.operator("marigold.remove_runtime", icon="TRASH")
        else:
            row.operator("marigold.install_runtime", icon="IMPORT")
        row.operator("marigold.adopt_runtime", icon="FILE_FOLDER")
        for name in ("base_python", "accelerator", "runtime_folder"):
            column.prop(self, name)
        _overridable(column, self, "worker_python", "MARIGOLD_PYTHON")

    def draw_models(self, context, snapshot):
        column = _section(self.layout, "Models")
        for model in snapshot.models.values():
            row = column.row(align=True)
            row.label(text=f"{model.label}  ({size(model.bytes_total)})", icon=STATE_ICONS[model.state])
            if model.licence and model.name != "demo":
                if model.state != "present":
                    row.operator("marigold.download_model", text="", icon="IMPORT").model = model.name
                if model.state in ("present", "damaged"):
                    row.operator("marigold.verify_model", text="", icon="VIEWZOOM").model = model.name
            if model.name != "demo" and (model.bytes_present or not model.licence):
                row.operator("marigold.delete_model", text="", icon="TRASH").model = model.name
        row = column.row(align=True)
        row.label(text=str(snapshot.models_folder), icon="FILE_FOLDER")
        if not is_pinned_by_environment():
            row.operator("marigold.move_models", icon="FOLDER_REDIRECT")
        column.operator("marigold.add_model", icon="ADD")
        paragraph(column, context, STAYS, "INFO")

    def draw_network(self, context):
        column = _section(self.layout, "Network")
        advice = online_advice()
        if advice:
            draw_online_advice(column, context, advice)
        else:
            column.label(text="Online access is allowed", icon="CHECKMARK")
        column.operator("marigold.set_network", text="Hub, Proxy and Token…", icon="URL")

    def draw_computing(self, context):
        column = _section(self.layout, "Computing")
        for name in ("device", "precision", "compile_networks", "free_before_render", "idle_minutes"):
            column.prop(self, name)
        _overridable(column, self, "cache_folder", "MARIGOLD_CACHE")
        column.label(text=f"Results are kept in {cache_folder()}")
        column.operator("marigold.free_memory", icon="TRASH")
        row = column.row(align=True)
        row.operator("marigold.open_log", text="Worker's Log", icon="TEXT").log = "WORKER"
        row.operator("marigold.open_log", text="Installer's Log", icon="TEXT").log = "RUNTIME"


def _section(layout: bpy.types.UILayout, title: str) -> bpy.types.UILayout:
    box = layout.box()
    box.label(text=title)
    column = box.column()
    column.use_property_split = True
    column.use_property_decorate = False
    return column


def _overridable(layout: bpy.types.UILayout, owner: bpy.types.AddonPreferences, name: str, variable: str) -> None:
    """A folder or file that an environment variable may name instead."""
    row = layout.row()
    row.enabled = variable not in os.environ
    row.prop(owner, name)
    if variable in os.environ:
        layout.label(text=f"{variable} is set: {os.environ[variable]}", icon="INFO")


CLASSES = (MarigoldPreferences,)

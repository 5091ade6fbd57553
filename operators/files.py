# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators for the preferences: open a log, set how the hub is reached."""

import bpy
from bpy.props import EnumProperty, StringProperty

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.models.network import HUB, has_token, read_network, save_network, save_token
from . import config

LOGS = [
    ("WORKER", "Worker", "What the worker and its libraries print: computing and downloads"),
    ("RUNTIME", "Runtime", "What the last installation printed"),
]


class MARIGOLD_OT_open_log(bpy.types.Operator):
    bl_idname = "marigold.open_log"
    bl_label = "Open Log"
    bl_description = "Show the log in Blender's Text Editor"

    log: EnumProperty(name="Log", description="Which log", items=LOGS)

    def execute(self, context):
        path = config.log_path(self.log)
        if path is None or not path.is_file():
            self.report({"ERROR"}, "There is no log yet.")
            return {"CANCELLED"}
        text = bpy.data.texts.get(path.name) or bpy.data.texts.new(path.name)
        text.from_string(path.read_text(encoding="utf-8", errors="replace"))
        text.cursor_set(len(text.lines) - 1)
        if context.window and not bpy.app.background:
            bpy.ops.wm.window_new()
            area = context.window_manager.windows[-1].screen.areas[0]
            area.type = "TEXT_EDITOR"
            area.spaces.active.text = text
        self.report({"INFO"}, str(path))
        return {"FINISHED"}


class MARIGOLD_OT_set_network(bpy.types.Operator):
    bl_idname = "marigold.set_network"
    bl_label = "Network Settings"
    bl_description = "How the model hub is reached; kept in a file of this user, not in any .blend"

    endpoint: StringProperty(
        name="Hub", description=f"Web address of the hub or of a mirror. Empty: {HUB}", options={"SKIP_SAVE"}
    )
    proxy: StringProperty(
        name="Proxy",
        description="Web address of a proxy. Empty: as this system's environment variables say",
        options={"SKIP_SAVE"},
    )
    token: StringProperty(
        name="Access Token",
        description="Only for repositories that want to know who asks. Empty: the one that is kept stays",
        subtype="PASSWORD",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context, event):
        network = read_network()
        self.endpoint = "" if network.endpoint == HUB else network.endpoint
        self.proxy = network.proxy
        return context.window_manager.invoke_props_dialog(self, width=420)

    def draw(self, context):
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "endpoint", placeholder=HUB)
        column.prop(self, "proxy")
        column.prop(self, "token", placeholder="kept" if has_token() else "")

    def execute(self, context):
        try:
            save_network(self.endpoint, self.proxy)
            if self.token:
                save_token(self.token)
        except MarigoldError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        return {"FINISHED"}


CLASSES = (MARIGOLD_OT_open_log, MARIGOLD_OT_set_network)

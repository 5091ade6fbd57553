"""The extension as a package: enabling and disabling it."""

import bpy

MODULE = "bl_ext.user_default.marigold_depth"


def test_enable_disable_enable(extension):
    for _ in range(3):
        assert bpy.ops.preferences.addon_disable(module=MODULE) == {"FINISHED"}
        assert bpy.ops.preferences.addon_enable(module=MODULE) == {"FINISHED"}

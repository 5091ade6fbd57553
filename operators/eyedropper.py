# SPDX-License-Identifier: GPL-3.0-or-later
"""The eyedropper: what operators share that are clicked into the picture, in an Image Editor or the camera view."""

from ..marigold_blender.scene.camera_places import camera_place


class Eyedropper:
    """Modal part of an operator: `start` it in `invoke`; `clicked` is called for every place that is clicked.

    Attributes:
        image: depth of the photo whose places are picked; None: that of the depth-of-field pass.
    """

    image = None

    def start(self, context):
        context.window.cursor_modal_set("EYEDROPPER")
        context.window_manager.modal_handler_add(self)
        self.hovered(context, None)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if event.type in {"ESC", "RIGHTMOUSE"}:
            self.leave(context)
            return {"CANCELLED"}
        if event.type in {"MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE"}:
            return {"PASS_THROUGH"}
        place = _place_under(context, event.mouse_x, event.mouse_y, self.image)
        if event.type == "MOUSEMOVE":
            self.hovered(context, place)
        elif event.type == "LEFTMOUSE" and event.value == "PRESS" and place:
            return self.clicked(context, place)
        return {"RUNNING_MODAL"}  # a click beside the picture leaves the eyedropper there

    def hovered(self, context, place):
        """Say in the status bar what a click would do at `place`: (0, 0) bottom left, or None."""
        raise NotImplementedError

    def clicked(self, context, place):
        """Returns what `modal` shall; calls `leave` before it ends."""
        raise NotImplementedError

    def leave(self, context):
        context.window.cursor_modal_restore()
        context.workspace.status_text_set(None)


def _place_under(context, x, y, image) -> tuple[float, float] | None:
    """The place in the picture under a point of the window, (0, 0) bottom left; None where no picture is shown."""
    for area in context.screen.areas:
        under = [region for region in area.regions if _contains(region, x, y)]
        if under and all(region.type == "WINDOW" for region in under):  # a sidebar lies over what it covers
            return _place_in(context, area, under[0], x - under[0].x, y - under[0].y, image)
    return None


def _place_in(context, area, region, x, y, image) -> tuple[float, float] | None:
    space = area.spaces.active
    if space.type == "IMAGE_EDITOR" and space.image:
        return region.view2d.region_to_view(x, y)
    if space.type == "VIEW_3D" and space.region_3d.view_perspective == "CAMERA" and context.scene.camera:
        return camera_place(context.scene, region, space.region_3d, x, y, image)
    return None


def _contains(region, x, y) -> bool:
    return region.x <= x < region.x + region.width and region.y <= y < region.y + region.height and region.width > 1
